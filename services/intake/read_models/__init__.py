"""What intake shows; every table is a function of events."""
