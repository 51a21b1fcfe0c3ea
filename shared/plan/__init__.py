"""The plan of a campaign: a file that says everything the town decided, and pure values that deciders read it by.

model.py      the shapes of a plan file
marked.py     YAML with the line of every value
loader.py     a file -> LoadedPlan, or every mistake in it
fitting.py    what must fit together within a plan; date_fitting.py of its days, rule_fitting.py of its rules and reports
mistakes.py   how a mistake is told: file, line, field, what is wrong, what to do
calendar.py   town time, working days, and how a term is counted
terms.py      what deciders and pages ask a plan
in_force.py   which plan a service has heard to be in force
book.py       the plan files of a folder, by hash
explain.py    a plan in a page; gaps.py what it leaves open
shift.py      an example plan that runs now
"""
