"""cases: the campaign, its sites and its hazards.

Consumes   intake: tip.verified, patrol.recorded → a hazard is listed, or the finding is attached to the open one;
           tip and patrol entered in error or corrected → the hazard that came of it shows a flag, and stands.
Publishes  cases.campaign.*  which plan is in force, who holds which post, phases started and ended
           cases.site.*      registered, keepers assigned
           cases.hazard.*    listed … closed out, recurred
Deadlines  a three-fix deadline that passes makes the hazard overdue; campaign and phases start and end by the calendar.
"""
