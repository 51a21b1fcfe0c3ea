"""The plan, the moments and the messages that notify's unit tests speak of."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.notify.message_commands import IssueMessage
from shared.contracts.notify.message import MessageIssued
from shared.decider import Actor
from shared.plan.terms import PlanTerms, Terms
from tests.support.plans import plan

NOW = datetime(2018, 2, 11, 4, tzinfo=UTC)
"""2018-02-11 12:00 in the town."""
DUE = NOW + timedelta(days=7)
HEAD = Actor("p-village_head-dulan", "village_head", "dulan", "140181101207")
CLERK = Actor("p-clerk-1", "clerk", "campaign_office")
CLERK_FOR_HEAD = Actor("p-clerk-1", "clerk", "campaign_office", None, HEAD.person, "no_phone")
SYSTEM = Actor("system:notify")
ID = "6f1d7a0e-6c1d-4a60-9a52-4d0c2f1f3b11"


def at(actor: Actor = SYSTEM, now: datetime = NOW, of: PlanTerms | None = None, adopted: bool = True) -> Terms:
    """What the decider is told when `actor` acts at `now`."""
    return Terms(now=now, actor=actor, plan=(of or plan()) if adopted else None)


def issue(**changes: Any) -> IssueMessage:
    facts: dict[str, Any] = {
        "message": ID,
        "kind": "assignment",
        "about": "hazard-1",
        "about_no": 14,
        "recipient": HEAD.person,
        "post": "village_head",
        "unit": "dulan",
        "village": "140181101207",
        "due_at": DUE,
        "channels": ("in_app", "email"),
    }
    return IssueMessage(**facts | changes)


def issued(**changes: Any) -> MessageIssued:
    """The fact that follows from `issue` at NOW."""
    facts: dict[str, Any] = issue().model_dump(exclude={"message", "occurred_at"})
    facts |= {"ack_due_at": DUE - timedelta(hours=24)}
    return MessageIssued(**facts | changes)
