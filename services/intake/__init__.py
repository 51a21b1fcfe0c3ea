"""intake: what people and patrols bring in.

Aggregates: tip (received, screened, verified, forwarded or closed; at its end the informant's data: held, erased), disclosure (an
informant's identity, opened by three persons), words (the office's own in one record, erased by two persons) and patrol (planned,
started, recorded; a plan of a check without notice is sealed until it begins).
Publishes: intake.tip.*, intake.informant.*, intake.disclosure.*, intake.words.*, intake.patrol.*, intake.opening.*.
Consumes: cases.hazard.*, so that a receipt can say what became of a tip.
Deadlines: it fixes `verify_by` when a tip is screened, and shows it in the office's list. Approved erasures are carried out
where the custodian's keys are.
Without a login: the tip form, the published channels, and the state of a tip by its receipt code.
"""
