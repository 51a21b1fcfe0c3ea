"""intake: what people and patrols bring in.

Aggregates: tip (received, screened, verified, forwarded or closed) and patrol (planned, started, recorded).
Publishes: intake.tip.*, intake.patrol.*.
Consumes: cases.hazard.*, so that a receipt can say what became of a tip.
Deadlines: it fixes `verify_by` when a tip is screened, and shows it in the office's list. It keeps no timer of its own.
Without a login: the tip form, the published channels, and the state of a tip by its receipt code.
"""
