"""Messages as pages: the inbox with its acknowledgements, one message in its very words, and the office's dead letters."""

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.notify.bodies import shown
from services.notify.desk import OFFICE, OVERSEEING, inbox_of, oversees, seen, try_again
from services.notify.message_commands import Acknowledge
from services.notify.read_models import attempt, dead_letter, message_line
from services.notify.writing import names_in
from shared.contracts.event import Code
from shared.decider import Actor
from shared.identity import posts
from shared.sql import Tx
from shared.web.door import Call, Door, door, form_call, page_reader
from shared.web.paging import cursor_of, read_cursor
from shared.web.rendering import page

router = APIRouter(prefix="/notify", include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(page_reader())]
Overseer = Annotated[Actor, Depends(page_reader(*OVERSEEING))]
LINES = 30


@router.get("/inbox")
async def inbox_page(
    request: Request, at: AtDoor, who: Reader, all_of_them: str = "", everybody: str = "", cursor: str = ""
) -> HTMLResponse:
    """What waits for an answer, newest first; with `all_of_them` the rest as well, with `everybody` the whole town's."""
    before = read_cursor(cursor, datetime, str)
    whose = None if everybody and oversees(who) else inbox_of(who)
    async with at.reading() as tx:
        names = names_in(await at.terms(tx))
        rows = await message_line.page(
            tx,
            whose,
            open_only=not all_of_them,
            before=(before[0], before[1]) if before else None,
            most=LINES + 1,
        )
        dead = await dead_letter.number_of_dead(tx) if oversees(who) else 0
        people = await _names(tx, rows)
    wanted = {"all_of_them": all_of_them, "everybody": everybody}
    return page(
        request,
        "inbox/list.html",
        lines=[shown(row, names) for row in rows[:LINES]],
        people=people,
        wanted=wanted,
        mine=whose,
        oversees=oversees(who),
        dead=dead,
        next=_next(rows, wanted, "issued_at", "stream"),
        first=f"?{urlencode(wanted)}" if cursor else None,
    )


@router.get("/messages/{message}")
async def message_page(message: UUID, request: Request, at: AtDoor, who: Reader) -> HTMLResponse:
    """One message, and how it went out."""
    async with at.reading() as tx:
        line = await seen(tx, who, message)
        tries = await attempt.attempts(tx, line["stream"])
        names = names_in(await at.terms(tx))
        people = await _names(tx, [line])
    return page(
        request,
        "inbox/one.html",
        line=shown(line, names),
        attempts=tries,
        people=people,
        mine=inbox_of(who),
        may_retry=who.post in OFFICE,
        dead=_dead_ways(tries),
    )


@router.post("/messages/{message}/acknowledgement")
async def acknowledge_form(message: UUID, at: AtDoor, call: Annotated[Call, Depends(form_call())]) -> Response:
    """Says it was read, and goes back to the inbox."""
    async with at.reading() as tx:
        await seen(tx, call.who, message)
    await at.app.handle(Acknowledge(message=str(message)), call.cause)
    return RedirectResponse("/notify/inbox", 303)


@router.get("/dead-letters")
async def dead_letters_page(request: Request, at: AtDoor, who: Overseer, cursor: str = "") -> HTMLResponse:
    """What could not be delivered, newest first."""
    before = read_cursor(cursor, datetime, str, str)
    async with at.reading() as tx:
        names = names_in(await at.terms(tx))
        rows = await dead_letter.dead_letters(tx, (before[0], before[1], before[2]) if before else None, LINES + 1)
        people = await _names(tx, rows)
    return page(
        request,
        "inbox/dead.html",
        lines=[shown(row, names) for row in rows[:LINES]],
        people=people,
        may_retry=who.post in OFFICE,
        next=_next(rows, {}, "issued_at", "stream", "channel"),
        first="?" if cursor else None,
    )


@router.post("/messages/{message}/retry/{channel}")
async def retry_form(
    message: UUID, channel: Code, at: AtDoor, call: Annotated[Call, Depends(form_call(*OFFICE))]
) -> Response:
    """Tries a dead letter once more, and goes back to the list."""
    await try_again(at, call, message, channel)
    return RedirectResponse("/notify/dead-letters", 303)


async def _names(tx: Tx, rows: list[Any]) -> dict[str, str]:
    """Names by person id, of recipients and of whoever answered."""
    return await posts.names(tx) if rows else {}


def _dead_ways(tries: list[Any]) -> list[str]:
    """Channels whose last attempt was given up, or not made because the town had no such channel."""
    last = {row["channel"]: row["outcome"] for row in tries}
    return sorted(channel for channel, outcome in last.items() if outcome in ("dead", "unavailable"))


def _next(rows: list[Any], wanted: dict[str, str], *key: str) -> str | None:
    if len(rows) <= LINES:
        return None
    return f"?{urlencode({**wanted, 'cursor': cursor_of(*(rows[LINES - 1][name] for name in key))})}"
