"""Patrols that are planned, as pages. Of a sealed plan one sees that there is one, and a form that asks why it is to be read.

What is opened stands in the answer to the form and nowhere else: no address leads back to it.
"""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.patrol_desk import READERS, eyes, opened, own_unit, own_village, shown, told
from services.intake.read_models import patrol_line
from shared.decider import Actor
from shared.errors import IdempotencyMismatch, Refusal
from shared.identity import posts
from shared.sql import Tx
from shared.web.door import Call, Door, door, form_call, page_reader
from shared.web.forms import NOT_TRIED, Refused, refused
from shared.web.paging import cursor_of, read_cursor
from shared.web.rendering import page

PLANS = "/intake/patrols"
LINES = 30

router = APIRouter(prefix=PLANS, include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(page_reader(*READERS))]
Form = Annotated[Call, Depends(form_call(*READERS))]


@router.get("")
async def plans_page(request: Request, at: AtDoor, who: Reader, cursor: str = "") -> HTMLResponse:
    """What is planned and has not begun, newest first."""
    after = read_cursor(cursor, datetime, str)
    filters = {"state": "planned", "village": own_village(who, None), "unit": own_unit(who, None)}
    async with at.reading() as tx:
        rows = await patrol_line.page(tx, eyes(who, at.today()), **filters, after=after, most=LINES + 1)
    last = rows[LINES - 1] if len(rows) > LINES else None
    return page(
        request,
        "patrol/list.html",
        lines=[told(who, row) for row in rows[:LINES]],
        next=f"?cursor={cursor_of(last['at'], last['patrol'])}" if last else None,
        first="?" if cursor else None,
    )


@router.get("/{patrol}")
async def patrol_page(request: Request, patrol: UUID, at: AtDoor, who: Reader) -> HTMLResponse:
    """One patrol; of a sealed plan the form that asks why."""
    return await _patrol(request, at, who, patrol)


async def _patrol(request: Request, at: Door, who: Actor, patrol: UUID, bad: Refused = NOT_TRIED) -> HTMLResponse:
    async with at.reading() as tx:
        return await _page(request, at, tx, await shown(at, tx, who, str(patrol)), bad)


async def _page(
    request: Request, at: Door, tx: Tx, line: dict[str, Any], bad: Refused = NOT_TRIED, opening: UUID | None = None
) -> HTMLResponse:
    """`opening`: the event that stands for this reading of a sealed plan."""
    plan, people = await at.terms(tx), await posts.names(tx)
    return page(request, "patrol/patrol.html", plan=plan, line=line, people=people, opening=opening, **bad.shown)


@router.post("/{patrol}/opening", openapi_extra={"x-span": "plan-opening-form"})
async def opening_form(request: Request, patrol: UUID, at: AtDoor, call: Form) -> HTMLResponse:
    """Shows the plan in this very answer; who read it, and why, is recorded first."""
    reason = str((await request.form()).get("reason") or "")
    try:
        event_id, line = await opened(at, call, str(patrol), reason)
    except (Refusal, IdempotencyMismatch) as error:
        bad = refused(request, error, "opening", "reason", {"reason": reason})
        return await _patrol(request, at, call.who, patrol, bad)
    async with at.reading() as tx:
        return await _page(request, at, tx, line, opening=event_id)


@router.get("/{patrol}/opening")
async def back_to_page(patrol: UUID) -> Response:
    """The address of the form, asked for again (another language, reload): the page is there."""
    return RedirectResponse(f"{PLANS}/{patrol}", 303)
