"""The campaign by HTTP: which plan is in force and where its phases stand; who holds which post, appointed and ended."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Response

from services.cases.adoption import OF_THE_OFFICE
from services.cases.campaign import Appoint, EndAppointment
from services.cases.campaign_bodies import (
    Appointed,
    Appointment,
    AppointmentEnd,
    Appointments,
    AppointmentShown,
    CampaignShown,
    PhaseShown,
)
from services.cases.read_models import appointment, campaign_state
from services.cases.rules import must_know
from services.cases.who_may import APPOINTING, READERS
from shared.contracts.event import Id
from shared.decider import Actor
from shared.errors import NoPlanInForce, NotFound
from shared.ids import derived
from shared.plan.terms import PlanTerms
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.preconditions import etag

router = APIRouter(prefix="/cases/v1", tags=["campaign"])

OVERSEEING = ("clerk", "office_director", "deputy_leader", "group_leader", "inspector", "duty_officer", "auditor")
CALLING = frozenset({"clerk", "office_director", "duty_officer"})
"""Posts that reach people, and so read their addresses."""

AtDoor = Annotated[Door, Depends(door)]
Director = Annotated[Call, Depends(call(*APPOINTING))]


@router.get("/campaign")
async def show_campaign(
    response: Response, at: AtDoor, who: Annotated[Actor, Depends(reader(*READERS, "custodian"))]
) -> CampaignShown:
    """The plan in force and its phases."""
    async with at.reading() as tx:
        found = await campaign_state.current(tx)
    if found is None:
        raise NotFound("no plan has been adopted")
    row, rows = found
    phases = [PhaseShown.model_validate(dict(phase)) for phase in rows]
    response.headers["ETag"] = etag(row["stream_version"])
    return CampaignShown.model_validate({**row, "phase": _running(phases, at.clock.now()), "phases": phases})


def _running(phases: list[PhaseShown], now: datetime) -> str | None:
    return next((p.phase for p in phases if p.starts_at <= now < p.ends_at), None)


@router.get("/appointments")
async def list_appointments(at: AtDoor, who: Annotated[Actor, Depends(reader(*OVERSEEING))]) -> Appointments:
    """Who holds which post today or from a later day on; addresses for those who call people."""
    async with at.reading() as tx:
        rows = [dict(row) for row in await appointment.now_or_later(tx, at.today())]
    if who.post not in CALLING:
        rows = [row | {"email": None, "phone": None} for row in rows]
    return Appointments(items=[AppointmentShown.model_validate(row) for row in rows])


async def _plan(at: Door) -> PlanTerms:
    async with at.reading() as tx:
        plan = await at.terms(tx)
    if plan is None:
        raise NoPlanInForce
    return plan


@router.post("/appointments", status_code=201)
async def appoint(body: Appointment, response: Response, at: AtDoor, call: Director) -> Appointed:
    """Gives a person a post; the assignment's id is made here, and a new plan version leaves the appointment alone."""
    plan = await _plan(at)
    must_know(plan, post=body.post, unit=body.unit, village=body.village)
    assignment = f"{OF_THE_OFFICE}{derived(call.command_id, 'assignment')}"
    facts = dict(body) | {"from_on": body.from_on or at.today()}
    answer = await at.app.handle(Appoint(plan=plan.code, assignment=assignment, **facts), call.cause)
    return Appointed(**accepted(answer, response).model_dump(), assignment=assignment)


@router.post("/appointments/{assignment}/end", status_code=201)
async def end_appointment(
    assignment: Id, body: AppointmentEnd, response: Response, at: AtDoor, call: Director
) -> Accepted:
    """Ends an appointment after the day `on`."""
    plan = await _plan(at)
    wish = EndAppointment(plan=plan.code, assignment=assignment, on=body.on or at.today(), reason=body.reason)
    return accepted(await at.app.handle(wish, call.cause), response)
