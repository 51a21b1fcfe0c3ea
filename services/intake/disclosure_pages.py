"""One request to open an informant's identity, as a page.

What is opened stands in the answer to the form and nowhere else: no address leads back to it.
"""

from collections.abc import Mapping
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from services.intake.disclosing import Identity, open_identity
from services.intake.disclosure import CUSTODIAN, RefuseDisclosure
from services.intake.informant_bodies import Why
from services.intake.informant_desk import DECIDE, GONE, approval_of, closing_of, erasure_of, shown
from services.intake.informant_forms import DESK, Form, Reader, field_of, only
from services.intake.read_models import steps
from shared.contracts.event import Code, Id
from shared.decider import Actor, Command
from shared.errors import NotFound, NotPermitted, Refusal
from shared.identity import posts
from shared.web.door import Door, door
from shared.web.forms import NOT_TRIED, Refused, refused, taken
from shared.web.rendering import page

router = APIRouter(prefix=f"{DESK}/disclosures", include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]


@router.get("/{disclosure}")
async def disclosure_page(request: Request, disclosure: Id, at: AtDoor, who: Reader) -> HTMLResponse:
    """One request, its grounds, every try, and what this reader may do about it."""
    return await _disclosure(request, at, who, disclosure)


async def _disclosure(
    request: Request,
    at: Door,
    who: Actor,
    disclosure: str,
    bad: Refused = NOT_TRIED,
    identity: Identity | None = None,
) -> HTMLResponse:
    async with at.reading() as tx:
        line, plan = await shown(at, tx, who, disclosure), await at.terms(tx)
        erasure = await erasure_of(tx, disclosure)
        done = await steps.of_stream(tx, f"disclosure-{disclosure}")
        people = await posts.names(tx)
    return page(
        request,
        "informants/disclosure.html",
        plan=plan,
        line=line,
        steps=done,
        people=people,
        identity=identity,
        over=line["open_until"] is not None and line["open_until"] <= at.clock.now(),
        erasure=erasure if erasure in GONE else None,
        may_decide=who.post in DECIDE and line["state"] == "requested" and who.person != line["requested_by"],
        may_open=who.post == CUSTODIAN and line["state"] == "approved",
        **bad.shown,
    )


@router.post("/{disclosure}/opening", openapi_extra={"x-span": "opening-form"})
async def opening_form(request: Request, disclosure: Id, at: AtDoor, call: Form) -> Response:
    """Shows name and contact in this very answer, once."""
    try:
        identity = await open_identity(at, disclosure, call)
    except (Refusal, NotPermitted) as error:
        return await _disclosure(request, at, call.who, disclosure, refused(request, error, "opening", "main"))
    return await _disclosure(request, at, call.who, disclosure, identity=identity)


@router.post("/{disclosure}/{step}", openapi_extra={"x-span": "disclosure-decision-form"})
async def disclosure_decision_form(request: Request, disclosure: Id, step: Code, at: AtDoor, call: Form) -> Response:
    """approval, refusal or closure."""

    async def work(typed: Mapping[str, str]) -> str:
        only(call, DECIDE)
        decision: Command
        match step:
            case "approval":
                decision = await approval_of(at, disclosure)
            case "refusal":
                decision = RefuseDisclosure(disclosure=disclosure, reason=Why.model_validate(typed).reason)
            case "closure":
                decision = await closing_of(at, disclosure)
            case _:
                raise NotFound(step)
        await at.app.handle(decision, call.cause)
        return f"{DESK}/disclosures/{disclosure}"

    return await taken(request, step, work, lambda bad: _disclosure(request, at, call.who, disclosure, bad), field_of)


@router.get("/{disclosure}/{step}")
async def back_to_page(disclosure: Id, step: Code) -> Response:
    """The address of a refused form, asked for again (another language, reload): the page is there."""
    return RedirectResponse(f"{DESK}/disclosures/{disclosure}", 303)
