"""Without a login: the channels, a tip, the state of a tip by its receipt, and more words for it.

A receipt travels in the body only: addresses end up in logs.
"""

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.intake import reception
from services.intake.tip_commands import SupplementTip
from shared.contracts.event import Code
from shared.errors import NoPlanInForce
from shared.web.door import Call, Door, caller, door, open_call
from shared.web.preconditions import etag
from shared.web.sent import SentPlace

router = APIRouter(prefix="/intake/v1/public", tags=["public"])

AtDoor = Annotated[Door, Depends(door)]
Words = Annotated[str, Field(max_length=4000, description="What was seen or heard; need not say by whom.")]
Receipt = Annotated[str, Field(max_length=60, description="Sixteen digits; spaces and dashes do not matter.")]


class PublicTip(BaseModel):
    """A tip by the web form. Anonymous unless said otherwise."""

    model_config = ConfigDict(extra="forbid")

    words: Words
    village: Code | None = None
    place: SentPlace | None = None
    live: Annotated[bool, Field(description="It is going on right now.")] = False
    anonymous: bool = True
    name: Annotated[str, Field(max_length=100)] | None = None
    contact: Annotated[str, Field(max_length=200)] | None = None


class ReceiptGiven(BaseModel):
    """`receipt` is shown once more only when the very same request is repeated."""

    receipt: str
    advice: str = "请抄下回执号并收好。凭它可以查询进展、补充线索；丢失后无法找回。"
    advice_en: str = (
        "Write this code down and keep it. It shows how far your tip is and lets you add to it. "
        "Nobody can find it again for you."
    )


class ReceiptAsked(BaseModel):
    model_config = ConfigDict(extra="forbid")

    receipt: Receipt


class Supplement(ReceiptAsked):
    words: Words


class TipStatus(BaseModel):
    """state: received | being_checked | handled | forwarded | closed; `detail` says which kind; `reason` when closed."""

    state: str
    detail: str
    message: str
    message_en: str
    forwarded_to: str | None
    reason: str | None
    received_on: date
    may_supplement: bool


class Channel(BaseModel):
    """A published way to send a tip; `since` is the day it was published."""

    code: str
    name: str
    address: str
    since: date | None


@router.get("/channels")
async def channels(at: AtDoor) -> list[Channel]:
    """The channels the plan in force publishes."""
    async with at.reading() as tx:
        plan = await at.terms(tx)
    if plan is None:
        raise NoPlanInForce()
    return [Channel.model_validate(c, from_attributes=True) for c in plan.channels]


@router.post("/tips", status_code=201, openapi_extra={"x-span": "tip-post"})
async def send_tip(
    body: PublicTip, response: Response, at: AtDoor, call: Annotated[Call, Depends(open_call)]
) -> ReceiptGiven:
    """Takes a tip and gives its receipt; the same Idempotency-Key and body give the same receipt again."""
    answer, code = await reception.receive(at, call.cause, channel="web", **dict(body))
    response.headers["ETag"] = etag(answer.version)
    return ReceiptGiven(receipt=code)


@router.post("/tips/status")
async def tip_status(body: ReceiptAsked, request: Request, at: AtDoor) -> TipStatus:
    """How far the tip of this receipt is. Repeats nothing of its content."""
    status = await reception.status_of(at, body.receipt, caller(request))
    facts = {name: value for name, value in vars(status).items() if name in TipStatus.model_fields}
    return TipStatus(message=status.zh, message_en=status.en, **facts)


@router.post("/tips/supplements", status_code=201)
async def supplement_tip(
    body: Supplement, request: Request, response: Response, at: AtDoor, call: Annotated[Call, Depends(open_call)]
) -> ReceiptAsked:
    """Adds words to the tip of this receipt."""
    status = await reception.status_of(at, body.receipt, caller(request))
    answer = await at.app.handle(SupplementTip(tip=status.tip, words=body.words), call.cause)
    response.headers["ETag"] = etag(answer.version)
    return ReceiptAsked(receipt=body.receipt)
