"""Hazards by HTTP: the list, one hazard with its timeline, and every step from the three-fix to the close-out.

Hazards are listed by what intake reports, never by hand. Who sees what is said in sight.py; `If-Match` is honoured everywhere.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.cases import hazard_commands as ask
from services.cases.desk import about_hazard, names_of
from services.cases.hazard_bodies import (
    Acceptance,
    Because,
    Completion,
    Correction,
    ExtensionApproval,
    ExtensionRequest,
    HazardLine,
    HazardPage,
    LeaderInCharge,
    State,
    ThreeFix,
    Timeline,
)
from services.cases.read_models import hazard_file
from services.cases.sight import sight_of
from services.cases.who_may import ACCEPTING, DOERS, LEADING, MENDING, OFFICE, ORDERING, READERS
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/cases/v1/hazards", tags=["hazards"])

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(reader(*READERS))]
Doer = Annotated[Call, Depends(call(*DOERS))]
Ordering = Annotated[Call, Depends(call(*ORDERING))]
Leading = Annotated[Call, Depends(call(*LEADING))]
Accepting = Annotated[Call, Depends(call(*ACCEPTING))]


@router.get("")
async def list_hazards(
    at: AtDoor,
    who: Reader,
    state: State | None = None,
    village: Code | None = None,
    category: Code | None = None,
    overdue: bool | None = None,
    leader: Id | None = None,
    unled: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[HazardLine]:
    """Hazards, newest number first; whoever is bound to a village sees that village's and their own.

    `leader`: of which this person is in charge; `unled`: of which no leader is.
    """
    before = read_cursor(cursor, int)
    async with at.reading() as tx:
        rows = await hazard_file.lines(
            tx,
            sight_of(who),
            limit=limit + 1,
            before=before[0] if before else None,
            state=state,
            village=village,
            category=category,
            overdue=overdue,
            leader=leader,
            unled=unled,
        )
    return page_of(rows, limit, HazardLine.model_validate, lambda row: (row["hazard_no"],))


@router.get("/{hazard}")
async def show_hazard(hazard: Id, response: Response, at: AtDoor, who: Reader) -> HazardPage:
    """One hazard with everything that was said about it, and the tips and findings it rests on."""
    async with at.reading() as tx:
        told = await hazard_file.whole(tx, sight_of(who), hazard)
        people = await names_of(tx, hazard_file.people_in(told, []))
    response.headers["ETag"] = etag(told["version"])
    return HazardPage.model_validate({**told, "people": people})


@router.get("/{hazard}/timeline")
async def show_timeline(hazard: Id, at: AtDoor, who: Reader) -> Timeline:
    """What happened to the hazard, oldest first."""
    async with at.reading() as tx:
        steps = await hazard_file.steps(tx, sight_of(who), hazard)
        people = await names_of(tx, hazard_file.people_in({}, steps))
    return Timeline.model_validate({"items": steps, "people": people})


async def _do(command: ask.OfHazard, response: Response, at: Door, call: Call) -> Accepted:
    return accepted(await about_hazard(at, call, command), response)


@router.post("/{hazard}/leader", status_code=201)
async def assign_leader(hazard: Id, body: LeaderInCharge, response: Response, at: AtDoor, call: Leading) -> Accepted:
    """Names the leader in charge, or another one, with a reason."""
    return await _do(ask.AssignLeader(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/three-fix", status_code=201)
async def order_three_fix(hazard: Id, body: ThreeFix, response: Response, at: AtDoor, call: Ordering) -> Accepted:
    """Orders measure, person and deadline; without one of the three it is refused."""
    return await _do(ask.OrderThreeFix(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/extension-requests", status_code=201)
async def request_extension(hazard: Id, body: ExtensionRequest, response: Response, at: AtDoor, call: Doer) -> Accepted:
    """Asks for a later deadline: the person responsible, the village's head, or somebody on their behalf."""
    return await _do(ask.RequestExtension(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/extension-approval", status_code=201)
async def approve_extension(
    hazard: Id, body: ExtensionApproval, response: Response, at: AtDoor, call: Leading
) -> Accepted:
    """Grants a later deadline, as requested or another; never by whoever asked."""
    return await _do(ask.ApproveExtension(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/extension-refusal", status_code=201)
async def refuse_extension(hazard: Id, body: Because, response: Response, at: AtDoor, call: Leading) -> Accepted:
    """Refuses a later deadline, with a reason."""
    return await _do(ask.RefuseExtension(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/completion", status_code=201)
async def complete_hazard(hazard: Id, body: Completion, response: Response, at: AtDoor, call: Doer) -> Accepted:
    """Reports that the measure is done: the person responsible, the village's head, or somebody on their behalf."""
    return await _do(ask.Complete(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/acceptance", status_code=201)
async def accept_hazard(hazard: Id, body: Acceptance, response: Response, at: AtDoor, call: Accepting) -> Accepted:
    """Somebody else than whoever did the work has looked, and agrees: the hazard is closed out."""
    return await _do(ask.Accept(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/rejection", status_code=201)
async def reject_hazard(hazard: Id, body: Because, response: Response, at: AtDoor, call: Accepting) -> Accepted:
    """Somebody else has looked, and does not agree: the three-fix goes on."""
    return await _do(ask.Reject(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/corrections", status_code=201)
async def correct_hazard(
    hazard: Id, body: Correction, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*MENDING))]
) -> Accepted:
    """Corrects one field with a reason; the first entry stays readable in the timeline."""
    return await _do(ask.Correct(hazard=hazard, **dict(body)), response, at, call)


@router.post("/{hazard}/entered-in-error", status_code=201)
async def enter_hazard_in_error(
    hazard: Id, body: Because, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*OFFICE))]
) -> Accepted:
    """Marks the whole record as a mistake, with a reason; its number is not used again."""
    return await _do(ask.EnterInError(hazard=hazard, **dict(body)), response, at, call)
