"""A message on its way out: the letter made from it at the time of the attempt, and what is recorded of each attempt."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import date
from typing import Any

from services.notify.letters import Letter, Names, Subject, words
from services.notify.message_commands import (
    DeadLetter,
    RecordFailure,
    RecordSuccess,
    RecordUnavailable,
    StartAttempt,
)
from services.notify.read_models import message_line
from shared.identity import posts
from shared.outside import Delivery, SendFailed
from shared.plan.calendar import town_day
from shared.plan.terms import PlanTerms
from shared.sql import Tx

PlanInForce = Callable[[Tx], Awaitable[PlanTerms | None]]

STREAM = "message-"


def names_in(plan: PlanTerms | None) -> Names:
    """The plan's names of codes, as people here say them; without a plan a code stands for itself."""
    return plan.name if plan is not None else lambda _, code: code


def subject_of(line: Any) -> Subject:
    """What the templates may speak of, from a row of message_line."""
    return Subject(
        kind=line["kind"],
        number=line["about_no"],
        village=line["village"],
        unit=line["unit"],
        post=line["post"],
        due_at=line["due_at"],
        answer_by=line["ack_due_at"],
        step=line["step"],
    )


@dataclass(frozen=True)
class Desk:
    """Writes letters. `plan`: the plan in force, for the names of villages, units and posts."""

    plan: PlanInForce

    async def write(self, tx: Tx, delivery: Delivery) -> Letter:
        """Raises SendFailed when the message is not there."""
        line = await message_line.line(tx, delivery.stream_id)
        if line is None:
            raise SendFailed("no_message", permanent=True)
        title, body = words(subject_of(line), names_in(await self.plan(tx)))
        return Letter(
            message=delivery.stream_id.removeprefix(STREAM),
            about=line["about"],
            subject=subject_of(line),
            recipient=line["recipient"],
            email=await _email(tx, line["recipient"], line["post"], town_day(line["issued_at"])),
            issued_at=line["issued_at"],
            title=title,
            body=body,
        )


async def _email(tx: Tx, person: str, post: str, on: date) -> str | None:
    """The person's address, by the post the message is for when that has one. None once erased."""
    held = await posts.held_by(tx, person, on=on)
    addresses = [h.email for h in sorted(held, key=lambda h: h.post != post) if h.email]
    return addresses[0] if addresses else None


def started(d: Delivery) -> StartAttempt:
    return StartAttempt(message=d.stream_id.removeprefix(STREAM), channel=d.channel, attempt=d.attempt)


def unavailable(d: Delivery, reason: str) -> RecordUnavailable:
    message = d.stream_id.removeprefix(STREAM)
    return RecordUnavailable(message=message, channel=d.channel, attempt=d.attempt, reason=reason)


def succeeded(d: Delivery) -> RecordSuccess:
    return RecordSuccess(message=d.stream_id.removeprefix(STREAM), channel=d.channel, attempt=d.attempt)


def failed(d: Delivery, error: str, again_in: float | None) -> RecordFailure:
    message = d.stream_id.removeprefix(STREAM)
    return RecordFailure(message=message, channel=d.channel, attempt=d.attempt, error=error, again_in=again_in)


def given_up(d: Delivery) -> DeadLetter:
    return DeadLetter(message=d.stream_id.removeprefix(STREAM), channel=d.channel, attempts=d.attempt)
