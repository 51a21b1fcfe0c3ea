"""The custodian's desk as a page, and what becomes of one tip's informant."""

from collections.abc import Callable, Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.informant import (
    ApproveErasure,
    HoldInformant,
    RefuseErasure,
    ReleaseInformant,
    RequestErasure,
)
from services.intake.informant_bodies import DisclosureAsked, ErasureAsked, Why
from services.intake.informant_desk import (
    ASK_ERASURE,
    ASK_OPENING,
    DECIDE,
    HOLD,
    OVERSEE,
    READ_REASONS,
    asked,
    due_at,
    outlived,
    whose,
)
from services.intake.informant_forms import DESK, Form, Reader, field_of, only
from services.intake.read_models import disclosure_line, retention, steps, tip_line
from services.intake.words import reasons_of
from shared.contracts.event import Code, Id
from shared.decider import Actor, Command
from shared.errors import NotFound
from shared.identity import posts
from shared.web.door import Door, door
from shared.web.forms import NOT_TRIED, Refused, taken
from shared.web.rendering import page

router = APIRouter(prefix=DESK, include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
LINES = 20


# ------------------------------------------------------------------------------------------------ the desk


@router.get("")
async def desk_page(request: Request, at: AtDoor, who: Reader) -> HTMLResponse:
    """Requests to open, erasures, and what has outlived its term; each reader their part of it."""
    return await _desk(request, at, who)


async def _desk(request: Request, at: Door, who: Actor, bad: Refused = NOT_TRIED) -> HTMLResponse:
    oversees = who.post in OVERSEE
    async with at.reading() as tx:
        plan = await at.terms(tx)
        requests = await disclosure_line.newest(tx, of_person=whose(who), most=LINES)
        erasures = await retention.erasures(tx, most=LINES) if oversees else []
        due = await outlived(tx, plan, at.clock.now(), LINES) if oversees else None
        people = await posts.names(tx)
    return page(
        request,
        "informants/desk.html",
        plan=plan,
        requests=requests,
        erasures=erasures,
        due=due,
        people=people,
        oversees=oversees,
        now=at.clock.now(),
        forms=[
            form for form, who_may in (("disclosure", ASK_OPENING), ("erasure", ASK_ERASURE)) if who.post in who_may
        ],
        **bad.shown,
    )


@router.post("/disclosures", openapi_extra={"x-span": "disclosure-form"})
async def disclosure_form(request: Request, at: AtDoor, call: Form) -> Response:
    """Asks to open an identity; then its page."""

    async def work(typed: Mapping[str, str]) -> str:
        only(call, ASK_OPENING)
        command = await asked(at, call.command_id, DisclosureAsked.model_validate(typed))
        await at.app.handle(command, call.cause)
        return f"{DESK}/disclosures/{command.disclosure}"

    return await taken(request, "disclosure", work, lambda bad: _desk(request, at, call.who, bad), field_of)


@router.post("/erasures", openapi_extra={"x-span": "erasure-form"})
async def erasure_form(request: Request, at: AtDoor, call: Form) -> Response:
    """Asks to erase an informant; then the page of their tip."""

    async def work(typed: Mapping[str, str]) -> str:
        only(call, ASK_ERASURE)
        tip = str(typed.get("tip", ""))
        body = ErasureAsked.model_validate({name: value for name, value in typed.items() if name != "tip"})
        async with at.reading() as tx:
            await tip_line.one(tx, tip)
        await at.app.handle(RequestErasure(tip=tip, **dict(body)), call.cause)
        return f"{DESK}/tips/{tip}"

    return await taken(request, "erasure", work, lambda bad: _desk(request, at, call.who, bad), field_of)


# ------------------------------------------------------------------------------------------------ one tip's informant


@router.get("/tips/{tip}")
async def informant_page(request: Request, tip: Id, at: AtDoor, who: Reader) -> HTMLResponse:
    """What becomes of one tip's informant: held, asked to be erased, erased. Never who they are."""
    return await _informant(request, at, who, tip)


async def _informant(request: Request, at: Door, who: Actor, tip: str, bad: Refused = NOT_TRIED) -> HTMLResponse:
    async with at.reading() as tx:
        line = await tip_line.one(tx, tip)
        ended_at, busy = await retention.end_of(tx, tip)
        plan = await at.terms(tx)
        done = [s for s in await steps.of_stream(tx, f"tip-{tip}") if s["type"].startswith("intake.informant.")]
        reasons = await reasons_of(at, tx, f"tip-{tip}") if who.post in READ_REASONS else {}
        people = await posts.names(tx)
    gone, waits = line["erasure"] in ("approved", "erased"), line["erasure"] == "requested"
    offered = {
        "erasure": who.post in ASK_ERASURE and not gone and not waits and not line["held"],
        "decision": who.post in DECIDE and waits and who.person != line["erasure_by"],
        "hold": who.post in HOLD and not gone and not line["held"],
        "release": who.post in DECIDE and not gone and line["held"],
    }
    return page(
        request,
        "informants/tip.html",
        plan=plan,
        line=line,
        steps=done,
        reasons=reasons,
        people=people,
        ended_at=ended_at,
        busy=busy,
        due=None if busy else due_at(plan, ended_at),
        now=at.clock.now(),
        forms=[form for form, may in offered.items() if may],
        **bad.shown,
    )


STEPS: Mapping[str, tuple[tuple[str, ...], Callable[[str, str], Command]]] = {
    "approval": (DECIDE, lambda tip, _: ApproveErasure(tip=tip)),
    "refusal": (DECIDE, lambda tip, why: RefuseErasure(tip=tip, reason=why)),
    "hold": (HOLD, lambda tip, why: HoldInformant(tip=tip, reason=why)),
    "release": (DECIDE, lambda tip, why: ReleaseInformant(tip=tip, reason=why)),
}
FORM_OF = {"approval": "decision", "refusal": "decision"}


@router.post("/tips/{tip}/{step}", openapi_extra={"x-span": "informant-form"})
async def informant_form(request: Request, tip: Id, step: Code, at: AtDoor, call: Form) -> Response:
    """One step of STEPS."""

    async def work(typed: Mapping[str, str]) -> str:
        if step not in STEPS:
            raise NotFound(step)
        who_may, command = STEPS[step]
        only(call, who_may)
        reason = "" if step == "approval" else Why.model_validate(typed).reason
        await at.app.handle(command(tip, reason), call.cause)
        return f"{DESK}/tips/{tip}"

    tried = FORM_OF.get(step, step)
    return await taken(request, tried, work, lambda bad: _informant(request, at, call.who, tip, bad), field_of)


@router.get("/tips/{tip}/{step}")
async def back_to_page(tip: Id, step: Code) -> Response:
    """The address of a refused form, asked for again (another language, reload): the page is there."""
    return RedirectResponse(f"{DESK}/tips/{tip}", 303)


@router.get("/{kind}")
async def back_to_desk(kind: Code) -> Response:
    """Likewise, of a form of the desk."""
    return RedirectResponse(DESK, 303)
