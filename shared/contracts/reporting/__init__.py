"""Facts that reporting publishes."""
