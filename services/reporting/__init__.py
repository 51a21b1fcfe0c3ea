"""reporting (周报): what each unit, and the town, says of a week; every number opens the events behind it.

Consumes   intake: tips, patrols; cases: sites, hazards, the plan in force and who holds which post
           → one row a counted event; a fact of a week that is reported already → the report is restated, with a diff.
Publishes  reporting.weekly_report.*  opened, due, submitted, missed, returned, accepted, compiled, filed, restated
Deadlines  report.due and report.missing for each unit; report.opens_next for the town, at the cut-off.

A report's content is fixed by its cut, lineage and position of every source: recomputed at the cut it gives the same bytes.
"""
