"""Records whose words are to be erased as a page, and what becomes of one."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.informant_bodies import Why, WordsErasureAsked
from services.intake.informant_desk import ASK_ERASURE, DECIDE, not_of_a_village
from services.intake.informant_forms import field_of, only
from services.intake.read_models import words_line
from services.intake.wording import RefuseWordsErasure
from services.intake.wording_desk import READ, approval_of, asked, shown
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.errors import NotFound
from shared.identity import posts
from shared.web.door import Call, Door, door, form_call, page_reader
from shared.web.forms import NOT_TRIED, Refused, taken
from shared.web.rendering import page

DESK = "/intake/words"
router = APIRouter(prefix=DESK, include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
LINES = 50


async def desk_reader(who: Annotated[Actor, Depends(page_reader(*READ))]) -> Actor:
    not_of_a_village(who)
    return who


async def any_form(call: Annotated[Call, Depends(form_call(*DECIDE, *ASK_ERASURE))]) -> Call:
    not_of_a_village(call.who)
    return call


Reader = Annotated[Actor, Depends(desk_reader)]
Form = Annotated[Call, Depends(any_form)]


@router.get("")
async def words_desk_page(request: Request, at: AtDoor, who: Reader) -> HTMLResponse:
    """What was asked for, and how far it is."""
    return await _desk(request, at, who)


async def _desk(request: Request, at: Door, who: Actor, bad: Refused = NOT_TRIED) -> HTMLResponse:
    async with at.reading() as tx:
        plan, lines, people = await at.terms(tx), await words_line.newest(tx, most=LINES), await posts.names(tx)
    may_ask = who.post in ASK_ERASURE
    return page(request, "words/desk.html", plan=plan, lines=lines, people=people, may_ask=may_ask, **bad.shown)


@router.post("", openapi_extra={"x-span": "words-form"})
async def words_form(request: Request, at: AtDoor, call: Form) -> Response:
    """Asks to erase the words of a record; then its page."""

    async def work(typed: Mapping[str, str]) -> str:
        only(call, ASK_ERASURE)
        command = await asked(at, WordsErasureAsked.model_validate(typed))
        await at.app.handle(command, call.cause)
        return f"{DESK}/{command.record}"

    return await taken(request, "words", work, lambda bad: _desk(request, at, call.who, bad), field_of)


@router.get("/{record}")
async def words_page(request: Request, record: Id, at: AtDoor, who: Reader) -> HTMLResponse:
    """One record: who asked, why, who decided. Never its words."""
    return await _record(request, at, who, record)


async def _record(request: Request, at: Door, who: Actor, record: str, bad: Refused = NOT_TRIED) -> HTMLResponse:
    async with at.reading() as tx:
        plan, line, people = await at.terms(tx), await shown(at, tx, who, record), await posts.names(tx)
    waits = line["state"] == "requested"
    may_decide = who.post in DECIDE and waits and who.person != line["requested_by"]
    return page(request, "words/record.html", plan=plan, line=line, people=people, may_decide=may_decide, **bad.shown)


@router.post("/{record}/{step}", openapi_extra={"x-span": "words-decision-form"})
async def words_decision_form(request: Request, record: Id, step: Code, at: AtDoor, call: Form) -> Response:
    """approval or refusal."""

    async def work(typed: Mapping[str, str]) -> str:
        only(call, DECIDE)
        match step:
            case "approval":
                await at.app.handle(await approval_of(at, record), call.cause)
            case "refusal":
                refusal = RefuseWordsErasure(record=record, reason=Why.model_validate(typed).reason)
                await at.app.handle(refusal, call.cause)
            case _:
                raise NotFound(step)
        return f"{DESK}/{record}"

    return await taken(request, "decision", work, lambda bad: _record(request, at, call.who, record, bad), field_of)


@router.get("/{record}/{step}")
async def back_to_record(record: Id, step: Code) -> Response:
    """The address of a refused form, asked for again (another language, reload): the page is there."""
    return RedirectResponse(f"{DESK}/{record}", 303)
