"""The simulation: the people of the town live through the campaign of 2018, by HTTP alone, on a clock that jumps.

run.py          the whole course: an empty folder, the outside world, the town, seventy days, the summary
town_time.py    the clock: it moves only when all is quiet, from one happening to the next
cast.py         who holds which post by the plan; tokens
scene.py        a request of somebody, with a key that the seed and the scene's name give
course.py       the seventy days, moment by moment, as timetable.py orders them
plots.py        the stories of tips and hazards, told in story_tips.py and story_patrols.py; verbs_*.py do each step
register.py     the sites and their keepers
routine.py      what goes on anyway: the rounds of patrols, reading messages
fridays.py      the weekly reports, from the villages' to the town's
mailbox.py      a letter that comes back and is sent again
routes.py words.py        GPX tracks and texts, from the seed
outside.py      the town's mail server and the webhook receiver of police and land bureau, both real and local
logs.py milestones.py summary.py sequence.py     what has come of it: read, checked, counted, compared
news.py         the progress bar, lines of news, the table week by week
"""
