"""notify (通知): whoever must know something is told, says so, or the next in the chain is told.

Consumes: cases (plan in force, appointments, hazards), intake (live tips, patrols with a live finding), reporting (report
opened, due, submitted, compiled, missed, returned). Publishes `notify.message.*`: issued, every attempt and its outcome, dead
letters, channels this town lacks, acknowledged, escalated, corrected, entered in error. Keeps the deadlines message.ack_due (a
live call that nobody answered), hazard.due_soon, hazard.escalate and report.remind. Sends mail and webhooks as deliveries.

A message holds codes, numbers and times only. Nothing that a tip says, and nothing about who said it, ever comes here.
"""
