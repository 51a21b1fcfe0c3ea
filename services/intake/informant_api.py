"""Informants' identities: opened by three persons, erased by two. Never shown to a village, nor to anybody by a list.

Opening: one asks, a leader decides, the custodian opens. Erasing: one asks, a leader decides, the service erases.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.intake.disclosing import open_identity
from services.intake.disclosure import RefuseDisclosure
from services.intake.informant import (
    ApproveErasure,
    HoldInformant,
    RefuseErasure,
    ReleaseInformant,
    RequestErasure,
)
from services.intake.informant_bodies import (
    DisclosureAsked,
    DisclosureLine,
    DisclosurePage,
    ErasureAsked,
    ErasureLine,
    Opened,
    RetentionDue,
    RetentionList,
    Why,
)
from services.intake.informant_desk import (
    ASK_ERASURE,
    ASK_OPENING,
    DECIDE,
    HOLD,
    OVERSEE,
    READ,
    approval_of,
    asked,
    closing_of,
    not_of_a_village,
    outlived,
    shown,
    whose,
)
from services.intake.read_models import disclosure_line, retention, steps
from shared.contracts.event import Id
from shared.decider import Actor, Command
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.preconditions import etag

router = APIRouter(prefix="/intake/v1", tags=["informants"])

AtDoor = Annotated[Door, Depends(door)]
Anybody = Annotated[Call, Depends(call(tries=True))]
AsksOpening = Annotated[Call, Depends(call(*ASK_OPENING))]
AsksErasure = Annotated[Call, Depends(call(*ASK_ERASURE))]
Decides = Annotated[Call, Depends(call(*DECIDE))]
Holds = Annotated[Call, Depends(call(*HOLD))]
Most = Annotated[int, Query(ge=1, le=200)]


async def overseer(who: Annotated[Actor, Depends(reader(*OVERSEE))]) -> Actor:
    """A post that sees every request and erasure. Raises NotPermitted for whoever is bound to a village."""
    not_of_a_village(who)
    return who


async def any_reader(who: Annotated[Actor, Depends(reader(*READ))]) -> Actor:
    """A post that sees requests, its own at least. Raises NotPermitted for whoever is bound to a village."""
    not_of_a_village(who)
    return who


Reader = Annotated[Actor, Depends(any_reader)]
Overseer = Annotated[Actor, Depends(overseer)]


async def _do(command: Command, response: Response, at: Door, call: Call) -> Accepted:
    not_of_a_village(call.who)
    return accepted(await at.app.handle(command, call.cause), response)


# ------------------------------------------------------------------------------------------------ opening


@router.post("/disclosures", status_code=201)
async def ask_for_disclosure(body: DisclosureAsked, response: Response, at: AtDoor, call: AsksOpening) -> Accepted:
    """Asks to open who sent a tip, with grounds."""
    return await _do(await asked(at, call.command_id, body), response, at, call)


@router.get("/disclosures")
async def list_disclosures(at: AtDoor, who: Reader, limit: Most = 50) -> list[DisclosureLine]:
    """The newest requests; for those who do not oversee them, their own."""
    async with at.reading() as tx:
        rows = await disclosure_line.newest(tx, of_person=whose(who), most=limit)
    return [DisclosureLine.model_validate(dict(row)) for row in rows]


@router.get("/disclosures/{disclosure}")
async def show_disclosure(disclosure: Id, response: Response, at: AtDoor, who: Reader) -> DisclosurePage:
    """One request with its grounds and every try to open it."""
    async with at.reading() as tx:
        told = await shown(at, tx, who, disclosure)
        done = [dict(step) for step in await steps.of_stream(tx, f"disclosure-{disclosure}")]
    response.headers["ETag"] = etag(told["version"])
    return DisclosurePage.model_validate({**told, "steps": done})


@router.post("/disclosures/{disclosure}/approval", status_code=201)
async def approve_disclosure(disclosure: Id, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person approves; the approval holds for the plan's term."""
    return await _do(await approval_of(at, disclosure), response, at, call)


@router.post("/disclosures/{disclosure}/refusal", status_code=201)
async def refuse_disclosure(disclosure: Id, body: Why, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person refuses, with a reason."""
    return await _do(RefuseDisclosure(disclosure=disclosure, reason=body.reason), response, at, call)


@router.post("/disclosures/{disclosure}/closure", status_code=201)
async def close_disclosure(disclosure: Id, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """Closes a request that was still undecided when the identity was erased; as a rule the erasure has done so itself."""
    return await _do(await closing_of(at, disclosure), response, at, call)


@router.post("/disclosures/{disclosure}/opening")
async def open_disclosure(disclosure: Id, at: AtDoor, call: Anybody) -> Opened:
    """The custodian sees name and contact, this once. Whoever else tries is refused, and the try is on record."""
    found = await open_identity(at, disclosure, call)
    return Opened(name=found.name, contact=found.contact)


# ------------------------------------------------------------------------------------------------ erasing


@router.post("/tips/{tip}/erasure", status_code=201)
async def ask_for_erasure(tip: Id, body: ErasureAsked, response: Response, at: AtDoor, call: AsksErasure) -> Accepted:
    """Asks to erase an informant's identity and words, with grounds."""
    return await _do(RequestErasure(tip=tip, **dict(body)), response, at, call)


@router.post("/tips/{tip}/erasure/approval", status_code=201)
async def approve_erasure(tip: Id, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person approves. It cannot be taken back: the keys are destroyed next."""
    return await _do(ApproveErasure(tip=tip), response, at, call)


@router.post("/tips/{tip}/erasure/refusal", status_code=201)
async def refuse_erasure(tip: Id, body: Why, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """A second person refuses, with a reason."""
    return await _do(RefuseErasure(tip=tip, reason=body.reason), response, at, call)


@router.post("/tips/{tip}/hold", status_code=201)
async def hold_informant(tip: Id, body: Why, response: Response, at: AtDoor, call: Holds) -> Accepted:
    """Keeps an informant's data back from erasure, for a proceeding."""
    return await _do(HoldInformant(tip=tip, reason=body.reason), response, at, call)


@router.post("/tips/{tip}/release", status_code=201)
async def release_informant(tip: Id, body: Why, response: Response, at: AtDoor, call: Decides) -> Accepted:
    """Ends a hold."""
    return await _do(ReleaseInformant(tip=tip, reason=body.reason), response, at, call)


@router.get("/erasures")
async def list_erasures(at: AtDoor, who: Overseer, limit: Most = 50) -> list[ErasureLine]:
    """Tips whose informant's erasure was asked for, the newest step first."""
    async with at.reading() as tx:
        rows = await retention.erasures(tx, most=limit)
    return [ErasureLine.model_validate(dict(row)) for row in rows]


@router.get("/retention")
async def retention_due(at: AtDoor, who: Overseer, limit: Most = 50) -> RetentionList:
    """Whose data has outlived the plan's term. It proposes; nothing is erased by itself."""
    async with at.reading() as tx:
        due = await outlived(tx, await at.terms(tx), at.clock.now(), limit)
    items = [RetentionDue.model_validate(dict(item)) for item in due.items]
    return RetentionList(rule=due.rule.zh if due.rule else None, items=items, more=due.more)
