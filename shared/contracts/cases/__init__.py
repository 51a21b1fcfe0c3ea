"""Facts that cases publishes."""
