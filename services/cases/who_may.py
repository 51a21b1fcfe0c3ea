"""Which posts may send what to cases. What a rule of hazard or site says about posts besides stands there."""

DOERS = (
    "village_head", "keeper", "designated_reporter", "clerk", "inspector", "duty_officer", "police_officer",
    "land_officer", "office_director", "deputy_leader", "group_leader",
)  # fmt: skip
"""May be made responsible for a hazard, and then report and ask; the auditor and the custodian write nothing."""
LEADING = ("office_director", "deputy_leader", "group_leader")
ORDERING = (*LEADING, "inspector")
ACCEPTING = (*LEADING, "inspector")
MENDING = ("clerk", "office_director", "inspector")
"""Keep the site register, and correct what was entered wrongly."""
OFFICE = ("clerk", "office_director")
APPOINTING = ("office_director",)
READERS = (*DOERS, "auditor")
