"""Deadlines: none that intake acts on. `verify_by` stands in the tip's events and in the office's list."""

from shared.timers import Timers

TIMERS = Timers()
