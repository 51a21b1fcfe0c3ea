"""Which posts may send what to reporting. What a rule of the report says about posts besides stands there."""

OFFICE = ("office_director", "clerk")
"""Return, accept, compile, correct."""
FILING = ("office_director", "group_leader")
