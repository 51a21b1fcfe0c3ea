"""Looking up people: who holds a post, which post a person holds, who has been told already; and the message for each.

Reads only. Whom a rule wants is said in rules.py; which event asks for it, in bus.py and timers.py. What stands in tables that
another follower writes may lag behind the event at hand; known.py says when to wait. Nobody is ever silently left out: when
nobody is found, either the appointments are still on their way (NotReady), or the event is parked for a person to look at.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg

from services.notify.known import appointments_arrived
from services.notify.message_commands import IssueMessage
from services.notify.read_models import hazard_watch, message_line
from services.notify.rules import AUDIENCE, LEADERS, OVERDUE, STAND_IN, TASKS, ways
from shared.contracts.envelope import Recorded
from shared.errors import NotReady, Refusal
from shared.identity import posts
from shared.identity.posts import Holder
from shared.ids import derived
from shared.plan.calendar import town_day
from shared.sql import Tx

CHAIN = tuple(sorted(OVERDUE | TASKS))
"""Kinds that stand in an overdue item's chain."""


class NobodyToTell(Refusal):
    """没有可以通知的人：有关岗位目前无人担任。请先任命，再重试。
    Nobody can be told: nobody holds the posts this is for. Appoint somebody, then try again."""


class HazardUnknown(Refusal):
    """这条隐患没有登记在案。
    No such hazard has been listed."""


@dataclass(frozen=True)
class Matter:
    """What a message is about, and by when. `cause`: what its id is derived from, so that a repetition makes no second one."""

    cause: object
    kind: str
    about: str
    about_no: int | None = None
    village: str | None = None
    due_at: datetime | None = None
    step: int = 0
    escalated_from: str | None = None


def message_to(matter: Matter, to: Holder, message: str | None = None) -> IssueMessage:
    """`message`: its id where another event has named it already."""
    return IssueMessage(
        message=message or str(derived(matter.cause, matter.kind, to.person)),
        kind=matter.kind,
        about=matter.about,
        about_no=matter.about_no,
        recipient=to.person,
        post=to.post,
        unit=to.unit,
        village=matter.village,
        due_at=matter.due_at,
        step=matter.step,
        escalated_from=matter.escalated_from,
        channels=ways(matter.kind, to.channels),
    )


def messages_to(matter: Matter, people: Iterable[Holder]) -> list[IssueMessage]:
    """One for each person, however many posts they hold."""
    chosen: dict[str, Holder] = {}
    for holder in people:
        chosen.setdefault(holder.person, holder)
    return [message_to(matter, chosen[person]) for person in sorted(chosen)]


async def audience(look: Tx, kind: str, on: date, but: frozenset[str] = frozenset()) -> list[Holder]:
    """Everybody who holds one of the kind's posts on that day, without the persons in `but`; else whoever stands in.

    Raises NotReady, NobodyToTell.
    """
    held = [h for post in AUDIENCE[kind] for h in await posts.holders(look, post, on=on)]
    return [h for h in held if h.person not in but] or await stand_in(look, kind, on, but)


async def stand_in(look: Tx, kind: str, on: date, but: frozenset[str] = frozenset()) -> list[Holder]:
    """The holders of the first post in STAND_IN that somebody outside `but` holds.

    Raises NotReady while nobody leads the campaign, for then the appointments are still to come; NobodyToTell when all who do
    are in `but`.
    """
    await appointments_arrived(look)
    leading = [await posts.holders(look, post, on=on) for post in STAND_IN]
    if not any(leading):
        raise NotReady(f"nobody leads the campaign on {on}")
    for held in leading:
        if found := [h for h in held if h.person not in but]:
            return found
    raise NobodyToTell(kind=kind, on=on.isoformat())


async def responsible(look: Tx, person: str, unit: str | None, on: date) -> Holder:
    """The person, in the post they hold in `unit`, or in any other; in none at all they are still told, in the inbox."""
    held = await posts.held_by(look, person, on=on)
    there = [holder for holder in held if holder.unit == unit]
    nobody = Holder(
        person=person,
        post="handler",
        unit=unit or "unknown",
        village=None,
        name=None,
        email=None,
        phone=None,
        channels=(),
    )
    return next(iter([*there, *held]), nobody)


async def reporters(look: Tx, kind: str, unit: str, on: date) -> list[Holder]:
    """Who reports for the unit; for a unit that named nobody, the office, so that it does not pass unseen.

    Raises NotReady, NobodyToTell.
    """
    named = await posts.holders(look, "designated_reporter", unit=unit, on=on)
    return named or await stand_in(look, kind, on)


async def hazard(look: Tx, stream: str) -> asyncpg.Record:
    """What is known of the hazard. Raises HazardUnknown when nothing is, though everything before the event is known."""
    row = await hazard_watch.watched(look, stream)
    if row is None or row["hazard_no"] is None:
        raise HazardUnknown(hazard=stream)
    return row


async def hazard_deadline(look: Tx, line: Any) -> asyncpg.Record | None:
    """The hazard that `line` is about, when its work is still to be done by the very deadline the message speaks of."""
    row = await hazard_watch.watched(look, line["about"])
    return row if row is not None and row["to_do"] and row["deadline_at"] == line["due_at"] else None


async def told(look: Tx, line: Any, live: bool) -> list[asyncpg.Record]:
    """Every message of the chain that `line` belongs to: about the same thing, for the same deadline."""
    kinds = ("live_call_out",) if live else CHAIN
    lines = await message_line.lines_about(look, line["about"], kinds)
    return [other for other in lines if live or other["due_at"] == line["due_at"]]


async def waiting_above(
    look: Tx, chain: Sequence[Any], village: str | None, on: date, leader: str | None = None
) -> tuple[str, ...]:
    """Posts held by somebody whom this chain has not told; a village's own head only of that village. Once the leader in charge
    is told, none of their leading posts: it was them alone."""
    reached = {line["recipient"] for line in chain}
    held = await posts.everybody(look, on=on)
    theirs = {h.post for h in held if h.person == leader and leader in reached} & LEADERS
    return tuple(sorted({h.post for h in held if h.person not in reached and in_reach(h, village)} - theirs))


def in_reach(holder: Holder, village: str | None) -> bool:
    """Whoever is bound to a village is told of that village's affairs only."""
    return holder.village is None or holder.village == village


def day_of(e: Recorded[Any]) -> date:
    """The day whose holders are told: when it was recorded, since a patrol may come in weeks after it happened."""
    return town_day(e.recorded_at)
