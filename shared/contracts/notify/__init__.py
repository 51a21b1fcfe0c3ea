"""Facts that notify publishes."""
