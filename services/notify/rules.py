"""Who must know what, by which way, and by when an answer is due. Pure: posts, times and the plan in, values out.

assignment ─► due_soon ─► overdue ─► escalation ─► escalation …      up the plan's ladder, while the item stays overdue
live_call_out ─► live_call_out (next rung) …                         until anybody who was called answers
report_opened ─► report_due (the day before) ─► report_due (at the hour)
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from shared.errors import NoPlanInForce
from shared.plan.terms import PlanTerms, RuleNotInForce, Terms

TASKS = frozenset({"assignment", "extension_granted", "rejected"})
"""Messages that give somebody something to do by `due_at`."""

OVERDUE = frozenset({"overdue", "escalation"})

KINDS = (
    TASKS
    | OVERDUE
    | {"in_charge", "live_call_out", "due_soon", "extension_requested", "extension_refused", "acceptance_wanted"}
    | {"report_opened", "report_due", "report_missed", "report_returned"}
)
"""Every kind of message; each has a folder of templates."""

AUDIENCE: dict[str, tuple[str, ...]] = {
    "live_call_out": ("duty_officer",),
    "extension_requested": ("office_director", "deputy_leader"),
    "acceptance_wanted": ("inspector",),
    "report_missed": ("office_director",),
}
"""Posts whose holders are told, where the event itself names nobody."""

LEADERS = frozenset({"office_director", "deputy_leader", "group_leader"})
"""Posts of whoever may be in charge of a hazard: of their rung they alone are told of it."""

STAND_IN = ("office_director", "deputy_leader", "group_leader")
"""Who is told instead when nobody holds the post, or only somebody who may not decide; the first that is held."""

HANDLER = "handler"
"""The ladder's word for whoever is responsible for the item."""

NEVER_CALLED = frozenset({HANDLER, "village_head"})
"""A live call may come from a tip: it passes the village by, so that nobody there learns of the tip."""

FROM_NOW = {"live_call_out": "live_ack", "overdue": "escalation_step", "escalation": "escalation_step"}
BEFORE_DUE = dict.fromkeys(TASKS, "due_soon_before") | {"report_opened": "report_remind_before"}

TIMERS = {"live_call_out": "message.ack_due", "report_opened": "report.remind"}


def answer_by(kind: str, due_at: datetime | None, terms: Terms) -> datetime | None:
    """By when the recipient has to answer; at that moment the timer of `timer_of` looks. None: no answer is wanted.

    A live call-out has the plan's `live_ack` from now; an overdue item `escalation_step` from now; a task until the moment of
    its reminder, `due_soon_before` the deadline, or `report_remind_before` a report is due. Reckoned from the present, so that a
    service that was down for a day does not run up the whole ladder at once. Under a plan without the rule no answer is wanted,
    and the message goes out all the same. Raises NoPlanInForce.
    """
    if kind not in FROM_NOW and kind not in BEFORE_DUE:
        return None
    if terms.plan is None:
        raise NoPlanInForce()
    late = kind in TASKS and due_at is not None and due_at <= terms.now
    if kind in FROM_NOW or late:
        wait = span(terms.plan, FROM_NOW.get(kind, "escalation_step"), terms.now)
        return terms.now + wait if wait is not None else None
    ahead = span(terms.plan, BEFORE_DUE[kind], due_at) if due_at is not None else None
    if due_at is None or ahead is None:
        return None
    remind_at = due_at - ahead
    return remind_at if remind_at > terms.now else None


def span(plan: PlanTerms, rule: str, at: datetime) -> timedelta | None:
    """The length of `rule` as it holds at `at`; None when the plan has no such rule then."""
    try:
        return plan.due(rule, at) - at
    except RuleNotInForce:
        return None


def timer_of(kind: str, due_at: datetime | None, ack_due_at: datetime | None) -> str | None:
    """Which timer rings at `ack_due_at`; a task that was late when it was given is chased like an overdue one."""
    if ack_due_at is None:
        return None
    if kind in TASKS:
        return "hazard.escalate" if due_at is not None and ack_due_at > due_at else "hazard.due_soon"
    if kind in OVERDUE:
        return "hazard.escalate"
    return TIMERS.get(kind)


def rungs_above(ladder: Sequence[str], post: str, step: int, live: bool) -> tuple[str, ...]:
    """The posts to try next, nearest first, after a message of `step` to `post`. Empty at the top.

    Step 0 went to whoever is responsible or on duty, so the climb begins at the foot whatever post that person holds.
    """
    rungs = [rung for rung in ladder if rung not in (NEVER_CALLED if live else {HANDLER})]
    if step and post in rungs:
        rungs = rungs[rungs.index(post) + 1 :]
    return tuple(rungs)


def ways(kind: str, channels: Iterable[str]) -> tuple[str, ...]:
    """Everything stands in the recipient's inbox; what only announces goes nowhere else."""
    others = () if kind == "report_opened" else channels
    return ("in_app", *sorted(set(others) - {"in_app"}))


TIMER_NAMES = ("message.ack_due", "hazard.due_soon", "hazard.escalate", "report.remind")
