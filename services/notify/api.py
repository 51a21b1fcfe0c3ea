"""Messages by HTTP: the inbox, one message with its attempts, its acknowledgement, and what could not be delivered.

Everybody signed in sees the messages to themselves, or to whom they act for; the office and those who oversee it see all.
"""

from datetime import datetime
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Response

from services.notify.bodies import (
    Acknowledgement,
    Attempt,
    Correction,
    DeadLetter,
    InError,
    MessageLine,
    MessagePage,
    Outcomes,
    Reopened,
    Retry,
    shown,
)
from services.notify.desk import OFFICE, OVERSEEING, inbox_of, overseer, seen, try_again
from services.notify.message_commands import Acknowledge, CorrectMessage, EnterMessageInError, MessageCommand
from services.notify.read_models import attempt, dead_letter, message_line, outcome_count
from services.notify.writing import names_in
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/notify/v1", tags=["messages"])

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(reader())]
Overseer = Annotated[Actor, Depends(reader(*OVERSEEING))]
Anybody = Annotated[Call, Depends(call())]
AtDesk = Annotated[Call, Depends(call(*OFFICE))]
Limit = Annotated[int, Query(ge=1, le=200)]


@router.get("/messages")
async def list_messages(
    at: AtDoor,
    who: Reader,
    kind: Code | None = None,
    about: Id | None = None,
    open_only: Annotated[bool, Query(alias="open", description="Neither acknowledged nor withdrawn.")] = False,
    everybody: Annotated[bool, Query(description="For the office and whoever oversees it.")] = False,
    cursor: str | None = None,
    limit: Limit = 50,
) -> Page[MessageLine]:
    """Messages, newest first."""
    before = read_cursor(cursor, datetime, str)
    whose = None if everybody and overseer(who) else inbox_of(who)
    async with at.reading() as tx:
        names = names_in(await at.terms(tx))
        rows = await message_line.page(
            tx, whose, kind, about, open_only, (before[0], before[1]) if before else None, limit + 1
        )
    return page_of(
        rows,
        limit,
        lambda row: MessageLine.model_validate(shown(row, names)),
        lambda row: (row["issued_at"], row["stream"]),
    )


@router.get("/messages/{message}")
async def show_message(message: UUID, response: Response, at: AtDoor, who: Reader) -> MessagePage:
    """One message in its very words, with every attempt to deliver it."""
    async with at.reading() as tx:
        line = await seen(tx, who, message)
        tries = [Attempt.model_validate(dict(row)) for row in await attempt.attempts(tx, line["stream"])]
        names = names_in(await at.terms(tx))
    response.headers["ETag"] = etag(line["version"])
    return MessagePage.model_validate({**shown(line, names), "attempts": tries})


async def _do(command: MessageCommand, response: Response, at: Door, call: Call) -> Accepted:
    async with at.reading() as tx:
        await seen(tx, call.who, UUID(command.message))
    return accepted(await at.app.handle(command, call.cause), response)


@router.post("/messages/{message}/acknowledgement", status_code=201)
async def acknowledge_message(
    message: UUID, body: Acknowledgement, response: Response, at: AtDoor, call: Anybody
) -> Accepted:
    """Says that the recipient, or somebody acting for the recipient, has read it."""
    return await _do(Acknowledge(message=str(message)), response, at, call)


@router.post("/messages/{message}/retry", status_code=202)
async def retry_message(message: UUID, body: Retry, at: AtDoor, call: AtDesk) -> Reopened:
    """Tries a dead letter once more by the same channel."""
    await try_again(at, call, message, body.channel)
    return Reopened(message=str(message), channel=body.channel, state="open")


@router.post("/messages/{message}/corrections", status_code=201)
async def correct_message(message: UUID, body: Correction, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Corrects one field with a reason; the first entry stays in the record."""
    return await _do(CorrectMessage(message=str(message), **dict(body)), response, at, call)


@router.post("/messages/{message}/entered-in-error", status_code=201)
async def enter_message_in_error(
    message: UUID, body: InError, response: Response, at: AtDoor, call: AtDesk
) -> Accepted:
    """Withdraws the message with a reason; nothing more is sent, and nobody above is told."""
    return await _do(EnterMessageInError(message=str(message), reason=body.reason), response, at, call)


@router.get("/outcomes")
async def show_outcomes(at: AtDoor, who: Overseer) -> Outcomes:
    """How many attempts ended how, by channel, and how many letters are dead now."""
    async with at.reading() as tx:
        return Outcomes(channels=await outcome_count.counts(tx), dead=await dead_letter.number_of_dead(tx))


@router.get("/dead-letters")
async def list_dead_letters(
    at: AtDoor, who: Overseer, cursor: str | None = None, limit: Limit = 50
) -> Page[DeadLetter]:
    """What could not be delivered and is not tried any more, newest first."""
    before = read_cursor(cursor, datetime, str, str)
    async with at.reading() as tx:
        names = names_in(await at.terms(tx))
        rows = await dead_letter.dead_letters(tx, (before[0], before[1], before[2]) if before else None, limit + 1)
    return page_of(
        rows,
        limit,
        lambda row: DeadLetter.model_validate(shown(row, names)),
        lambda row: (row["issued_at"], row["stream"], row["channel"]),
    )
