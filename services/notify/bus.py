"""Which event makes somebody be told. One function an event; whom and how soon is said in rules.py."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import wraps
from typing import Any

from services.notify.audience import (
    CHAIN,
    Matter,
    NobodyToTell,
    audience,
    day_of,
    hazard,
    in_reach,
    message_to,
    messages_to,
    reporters,
    responsible,
    told,
)
from services.notify.known import known_before
from services.notify.message_commands import AnswerForAll, IssueMessage
from services.notify.read_models import hazard_watch, message_line, report_watch
from services.notify.rules import LEADERS
from shared.contracts.cases.hazard import (
    HazardBecameOverdue,
    HazardCompleted,
    HazardCorrected,
    HazardExtended,
    HazardExtensionRefused,
    HazardExtensionRequested,
    HazardFindingAttached,
    HazardLeaderAssigned,
    HazardListed,
    HazardRejected,
    HazardThreeFixOrdered,
)
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.intake.patrol import PatrolRecorded
from shared.contracts.intake.tip import TipMarkedLive, TipReceived
from shared.contracts.notify.message import MessageAcknowledged, MessageEscalated
from shared.contracts.reporting.weekly_report import ReportDue, ReportMissed, ReportOpened, ReportReturned
from shared.decider import Command
from shared.errors import StreamExists
from shared.identity import posts
from shared.identity.posts import Holder
from shared.plan.calendar import town_day
from shared.reaction import React, Reactions
from shared.sql import Tx

REACTIONS = Reactions()
LIVE = ("live_call_out",)


def on(*events: type[Event]) -> Callable[[React], React]:
    """As REACTIONS.on, but not before this service knows what it must know about the event.

    StreamExists: who was told of this very cause is not told again, when a restored source publishes it a second time.
    """

    def declare(run: React) -> React:
        @wraps(run)
        async def when_known(e: Recorded[Any], look: Tx) -> Sequence[Command]:
            await known_before(look, e)
            return await run(e, look)

        return REACTIONS.on(*events, expects=(StreamExists,))(when_known)

    return declare


# Each tip, patrol or finding has one call of its own, whichever of its events comes here first (StreamExists for the others):
# with a call it shares, an old answer would end a new alarm.
@on(TipReceived, TipMarkedLive)
async def call_out_for_tip(e: Recorded[TipReceived | TipMarkedLive], look: Tx) -> list[IssueMessage]:
    """A live tip waits for nobody's screening."""
    live = isinstance(e.event, TipMarkedLive) or e.event.live
    return await _call_out(e, e.stream_id, e.event.village, look) if live else []


@on(PatrolRecorded)
async def call_out_for_patrol(e: Recorded[PatrolRecorded], look: Tx) -> list[IssueMessage]:
    live = any(finding.live for finding in e.event.findings)
    return await _call_out(e, e.stream_id, e.event.village, look) if live else []


@on(HazardListed, HazardFindingAttached)
async def call_out_for_hazard(e: Recorded[HazardListed | HazardFindingAttached], look: Tx) -> list[IssueMessage]:
    """When the tip or patrol was not live, and what was found is; or when it came here before its tip or patrol."""
    ref = e.event.source.ref
    if not e.event.live or await message_line.lines_about(look, ref, LIVE):
        return []
    row = await hazard(look, e.stream_id)
    about = e.stream_id if isinstance(e.event, HazardListed) else ref
    return await _call_out(e, ref, row["village"], look, row["hazard_no"], about)


@on(HazardLeaderAssigned)
async def tell_leader(e: Recorded[HazardLeaderAssigned], look: Tx) -> list[IssueMessage]:
    row = await hazard(look, e.stream_id)
    matter = Matter(e.event_id, "in_charge", e.stream_id, row["hazard_no"], row["village"], row["deadline_at"])
    return [message_to(matter, await responsible(look, e.event.leader, None, day_of(e)))]


@on(HazardThreeFixOrdered)
async def assign(e: Recorded[HazardThreeFixOrdered], look: Tx) -> list[IssueMessage]:
    row = await hazard(look, e.stream_id)
    to = await responsible(look, e.event.responsible, e.event.responsible_unit, day_of(e))
    matter = Matter(e.event_id, "assignment", e.stream_id, row["hazard_no"], row["village"], e.event.deadline_at)
    return [message_to(matter, to)]


@on(HazardCorrected)
async def assign_to_another(e: Recorded[HazardCorrected], look: Tx) -> list[IssueMessage]:
    """The wrong person was named; the right one must know."""
    person = e.event.value.ref or e.event.value.code
    if e.event.field != "responsible" or person is None:
        return []
    row = await hazard(look, e.stream_id)
    to = await responsible(look, person, row["unit"], day_of(e))
    matter = Matter(e.event_id, "assignment", e.stream_id, row["hazard_no"], row["village"], row["deadline_at"])
    return [message_to(matter, to)]


@on(HazardExtensionRequested)
async def ask_for_decision(e: Recorded[HazardExtensionRequested], look: Tx) -> list[IssueMessage]:
    """Whoever asks does not decide."""
    row = await hazard(look, e.stream_id)
    matter = Matter(e.event_id, "extension_requested", e.stream_id, row["hazard_no"], row["village"], e.event.wanted_at)
    asking = frozenset({e.event.requested_by})
    return messages_to(matter, await audience(look, "extension_requested", day_of(e), but=asking))


@on(HazardExtended, HazardExtensionRefused)
async def tell_decision(e: Recorded[HazardExtended | HazardExtensionRefused], look: Tx) -> list[IssueMessage]:
    if isinstance(e.event, HazardExtended):
        return await _tell_responsible(e, "extension_granted", look, e.event.deadline_at)
    return await _tell_responsible(e, "extension_refused", look)


@on(HazardBecameOverdue)
async def tell_overdue(e: Recorded[HazardBecameOverdue], look: Tx) -> list[IssueMessage]:
    row = await hazard(look, e.stream_id)
    to = await responsible(look, e.event.responsible, e.event.responsible_unit, day_of(e))
    matter = Matter(e.event_id, "overdue", e.stream_id, row["hazard_no"], e.event.village, e.event.deadline_at)
    return [message_to(matter, to)]


@on(HazardCompleted)
async def ask_for_acceptance(e: Recorded[HazardCompleted], look: Tx) -> list[IssueMessage]:
    """Whoever did the work is not asked to accept it, nor is the leader in charge."""
    row = await hazard(look, e.stream_id)
    hands = frozenset(p for p in (e.event.completed_by, row["responsible"], row["leader"], e.actor) if p)
    matter = Matter(e.event_id, "acceptance_wanted", e.stream_id, row["hazard_no"], row["village"])
    return messages_to(matter, await audience(look, "acceptance_wanted", day_of(e), but=hands))


@on(HazardRejected)
async def tell_rejected(e: Recorded[HazardRejected], look: Tx) -> list[IssueMessage]:
    """After the deadline the chain goes on from where it stood."""
    return await _tell_responsible(e, "rejected", look)


@on(ReportOpened)
async def announce_report(e: Recorded[ReportOpened], look: Tx) -> list[IssueMessage]:
    if e.event.scope != "unit":
        return []
    matter = Matter(e.event_id, "report_opened", e.stream_id, e.event.period_no, due_at=e.event.due_at)
    return messages_to(matter, await reporters(look, "report_opened", e.event.unit, day_of(e)))


@on(ReportDue, ReportReturned)
async def want_report(e: Recorded[ReportDue | ReportReturned], look: Tx) -> list[IssueMessage]:
    kind = "report_due" if isinstance(e.event, ReportDue) else "report_returned"
    row = await report_watch.watched(look, e.stream_id)
    due_at = e.event.due_at if isinstance(e.event, ReportDue) else row["due_at"] if row else None
    matter = Matter(e.event_id, kind, e.stream_id, e.event.period_no, due_at=due_at)
    return messages_to(matter, await reporters(look, kind, e.event.unit, day_of(e)))


@on(ReportMissed)
async def tell_missed(e: Recorded[ReportMissed], look: Tx) -> list[IssueMessage]:
    matter = Matter(e.event_id, "report_missed", e.stream_id, e.event.period_no)
    late = await reporters(look, "report_missed", e.event.unit, day_of(e))
    return messages_to(matter, [*late, *await audience(look, "report_missed", day_of(e))])


@on(MessageEscalated)
async def tell_next_rung(e: Recorded[MessageEscalated], look: Tx) -> list[IssueMessage]:
    """Everybody who holds the rung's post and was not told before, or of them the hazard's leader in charge alone, as far as is
    known here; the first gets the message the event names."""
    line = await message_line.line(look, e.stream_id)
    if line is None:
        return []
    live = line["kind"] in LIVE
    reached = {other["recipient"] for other in await told(look, line, live)}
    people: dict[str, Holder] = {}
    for day in (
        day_of(e),
        town_day(e.occurred_at),
    ):  # now, or when the step fell due: nobody may be left who held it then
        held = await posts.holders(look, e.event.to_post, on=day)
        people = people or {h.person: h for h in held if h.person not in reached and in_reach(h, line["village"])}
    if not live and e.event.to_post in LEADERS:
        watched = await hazard_watch.watched(look, line["about"])
        if watched is not None and watched["leader"] in people:
            people = {watched["leader"]: people[watched["leader"]]}
    if not people:
        raise NobodyToTell(post=e.event.to_post, message=e.event.to)
    matter = Matter(
        cause=e.event.to,
        kind="live_call_out" if live else "escalation",
        about=line["about"],
        about_no=line["about_no"],
        village=line["village"],
        due_at=line["due_at"],
        step=e.event.step,
        escalated_from=e.stream_id,
    )
    first = [e.event.to, *[None] * len(people)]
    return [message_to(matter, people[person], name) for person, name in zip(sorted(people), first, strict=False)]


@on(MessageAcknowledged)
async def answer_for_colleagues(e: Recorded[MessageAcknowledged], look: Tx) -> list[AnswerForAll]:
    """One answer to a live call is enough: the others who were called need not answer any more."""
    line = await message_line.line(look, e.stream_id)
    if line is None or line["kind"] not in LIVE:
        return []
    chain = await told(look, line, live=True)
    return [
        AnswerForAll(message=other["stream"].removeprefix("message-"), by=e.event.by)
        for other in chain
        if other["acknowledged_at"] is None
    ]


async def _call_out(
    e: Recorded[Event], ref: str, village: str | None, look: Tx, number: int | None = None, about: str | None = None
) -> list[IssueMessage]:
    """`ref`: the tip or patrol that says so. The messages' ids are made from it; it is also what they are about, as a rule."""
    matter = Matter(ref, "live_call_out", about or ref, number, village)
    return messages_to(matter, await audience(look, "live_call_out", day_of(e)))


async def _tell_responsible(
    e: Recorded[Event], kind: str, look: Tx, deadline_at: datetime | None = None
) -> list[IssueMessage]:
    """About the deadline in force, or the new one. A late item's chain goes on behind the last step it had reached."""
    row = await hazard(look, e.stream_id)
    if row["responsible"] is None:
        return []
    due_at = deadline_at or row["deadline_at"]
    to = await responsible(look, row["responsible"], row["unit"], day_of(e))
    steps = [
        line["step"] for line in await message_line.lines_about(look, e.stream_id, CHAIN) if line["due_at"] == due_at
    ]
    step = max(steps, default=0) if kind == "rejected" else 0
    return [message_to(Matter(e.event_id, kind, e.stream_id, row["hazard_no"], row["village"], due_at, step), to)]
