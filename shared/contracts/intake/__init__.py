"""Facts that intake publishes."""
