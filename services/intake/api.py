"""The office's desk for tips: keyed in, listed, screened, verified, forwarded, closed.

Who reads: nobody bound to a village. The informant's words are shown to screeners; name and contact to nobody here.
"""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.intake import reception
from services.intake.read_models import steps, tip_line
from services.intake.tip_bodies import (
    AcceptedWithReceipt,
    Closing,
    Correction,
    Forward,
    InError,
    Live,
    Screening,
    TipKeyedIn,
    TipLine,
    TipPage,
    Verification,
)
from services.intake.tip_commands import (
    CloseTip,
    CorrectTip,
    EnterTipInError,
    ForwardTip,
    MarkLive,
    ScreenTip,
    VerifyTip,
)
from services.intake.words import words_of
from shared.contracts.event import Code, Id
from shared.decider import Actor, Command
from shared.errors import NotPermitted
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/intake/v1", tags=["tips"])

DESK = ("clerk", "office_director")
SCREENERS = (*DESK, "duty_officer")
VERIFIERS = (*DESK, "inspector", "police_officer", "land_officer", "duty_officer")
READERS = (*VERIFIERS, "group_leader", "deputy_leader", "auditor")

AtDoor = Annotated[Door, Depends(door)]
AtDesk = Annotated[Call, Depends(call(*DESK))]


async def tip_reader(who: Annotated[Actor, Depends(reader(*READERS))]) -> Actor:
    """A post that may read tips. Raises NotPermitted for whoever is bound to a village: it may be the accused one."""
    if who.village is not None:
        raise NotPermitted("tips are not shown to a village")
    return who


@router.post("/tips", status_code=201)
async def key_in_tip(
    body: TipKeyedIn, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*SCREENERS))]
) -> AcceptedWithReceipt:
    """Takes a tip that came by another way than the web form, and gives the receipt to read out."""
    answer, code = await reception.receive(at, call.cause, **dict(body))
    return AcceptedWithReceipt(**accepted(answer, response).model_dump(), receipt=code)


@router.get("/tips")
async def list_tips(
    at: AtDoor,
    who: Annotated[Actor, Depends(tip_reader)],
    state: Code | None = None,
    village: Code | None = None,
    live: bool | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[TipLine]:
    """Tips, newest first. `state` as in TipLine; `village` finds tips that name it, not those that name none."""
    after = read_cursor(cursor, datetime, str)
    async with at.reading() as tx:
        rows = await tip_line.page(tx, state=state, village=village, live=live, after=after, most=limit + 1)
    return page_of(
        rows, limit, lambda row: TipLine.model_validate(dict(row)), lambda row: (row["received_at"], row["tip"])
    )


@router.get("/tips/{tip}")
async def show_tip(tip: Id, response: Response, at: AtDoor, who: Annotated[Actor, Depends(tip_reader)]) -> TipPage:
    """One tip with its steps; the informant's words for screeners only."""
    async with at.reading() as tx:
        row = await tip_line.one(tx, tip)
        spoken = [vars(w) for w in await words_of(at, tx, tip)] if who.post in SCREENERS else None
        done = [dict(step) for step in await steps.of_stream(tx, f"tip-{tip}")]
    response.headers["ETag"] = etag(row["version"])
    return TipPage.model_validate({**row, "words": spoken, "steps": done})


async def _do(command: Command, response: Response, at: Door, call: Call) -> Accepted:
    return accepted(await at.app.handle(command, call.cause), response)


@router.post("/tips/{tip}/screening", status_code=201)
async def screen_tip(tip: Id, body: Screening, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Has it content to verify? With a summary cleaned of whatever points to the informant."""
    return await _do(ScreenTip(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/verification", status_code=201)
async def verify_tip(
    tip: Id, body: Verification, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*VERIFIERS))]
) -> Accepted:
    """What was found on the spot. A substantiated tip becomes a hazard in the service cases."""
    return await _do(VerifyTip(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/forward", status_code=201)
async def forward_tip(tip: Id, body: Forward, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Hands an out-of-area tip to another authority."""
    return await _do(ForwardTip(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/closing", status_code=201)
async def close_tip(tip: Id, body: Closing, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Closes a tip without a case; the reason is told to whoever asks by receipt."""
    return await _do(CloseTip(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/live", status_code=201)
async def mark_live(
    tip: Id, body: Live, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*SCREENERS))]
) -> Accepted:
    """It is going on now: the duty officer is called."""
    return await _do(MarkLive(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/corrections", status_code=201)
async def correct_tip(tip: Id, body: Correction, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Corrects one field with a reason; the first entry stays readable."""
    return await _do(CorrectTip(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/entered-in-error", status_code=201)
async def enter_tip_in_error(tip: Id, body: InError, response: Response, at: AtDoor, call: AtDesk) -> Accepted:
    """Marks the whole record as a mistake, with a reason."""
    return await _do(EnterTipInError(tip=tip, **dict(body)), response, at, call)
