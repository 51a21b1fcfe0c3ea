"""Patrols by HTTP: planned, started, recorded, with the route as GPX; phones that were offline send one record later.

Whoever is bound to a village has the patrols of their own unit there. Another unit's is not there for them, planned or walked: a
check that is seen coming surprises nobody, and next to a list of all patrols a hazard would tell that it came from a tip.
"""

import asyncio
from collections.abc import Iterable
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import asyncpg
from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import JSONResponse

from services.intake.patrol import (
    CorrectPatrol,
    EnterPatrolInError,
    Found,
    PlanPatrol,
    RecordPatrol,
    StartPatrol,
)
from services.intake.patrol_bodies import (
    Correction,
    InError,
    PatrolLine,
    PatrolPage,
    PatrolPlan,
    PatrolRecord,
    PatrolStart,
    RouteKept,
)
from services.intake.read_models import patrol_finding, patrol_line, steps
from services.intake.route import MAX_BYTES, MEDIA_TYPE, RouteNotKept, RouteTooLarge, Track, geojson, track_of
from shared.contracts.event import Code
from shared.contracts.intake.patrol import Route
from shared.decider import Actor, Command
from shared.errors import NotFound, NotPermitted
from shared.ids import derived
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/intake/v1", tags=["patrols"])

PATROLLERS = ("village_head", "inspector", "police_officer", "land_officer", "clerk")
PLANNERS = (*PATROLLERS, "office_director")
READERS = (*PLANNERS, "duty_officer", "group_leader", "deputy_leader", "designated_reporter", "auditor")

AtDoor = Annotated[Door, Depends(door)]
Patroller = Annotated[Call, Depends(call(*PATROLLERS))]
Planner = Annotated[Call, Depends(call(*PLANNERS))]
Reader = Annotated[Actor, Depends(reader(*READERS))]


def own_village(who: Actor, village: str | None) -> str | None:
    """`village`, or the one the post is bound to. Raises NotPermitted for any other village."""
    if who.village is not None and village not in (None, who.village):
        raise NotPermitted("another village")
    return village or who.village


def own_unit(who: Actor, unit: str | None) -> str | None:
    """`unit`, or that of a post bound to a village. Raises NotPermitted when such a post names another one."""
    if who.village is None:
        return unit
    if unit not in (None, who.unit):
        raise NotPermitted("another unit")
    return who.unit


def must_cover(who: Actor, line: Any) -> None:
    """Raises NotFound for a patrol that is not there for this reader."""
    if who.village is not None and (line["village"], line["unit"]) != (who.village, who.unit):
        raise NotFound(line["patrol"])


def told(who: Actor, line: Any) -> dict[str, Any]:
    """A patrol's line. Why it was planned is not for a village: the office may have sent its unit after a tip."""
    return dict(line) if who.village is None else {**line, "reason": None}


def told_steps(who: Actor, done: Iterable[Any]) -> list[dict[str, Any]]:
    """Its history; no reasons for a village, whoever gave them."""
    if who.village is None:
        return [dict(step) for step in done]
    return [{**step, "facts": {k: v for k, v in step["facts"].items() if k != "reason"}} for step in done]


def for_somebody(who: Actor) -> None:
    """A clerk keys a patrol in for whoever walked it. Raises NotPermitted when the token names nobody."""
    if who.post == "clerk" and who.on_behalf_of is None:
        raise NotPermitted("a clerk records a patrol on somebody's behalf")


@router.post("/routes", status_code=201, openapi_extra={"requestBody": {"content": {MEDIA_TYPE: {}}, "required": True}})
async def keep_route(request: Request, at: AtDoor, who: Annotated[Actor, Depends(reader(*PATROLLERS))]) -> RouteKept:
    """Keeps a GPX track without author, device and names, and answers its hash; the same track has the same hash."""
    if int(request.headers.get("content-length") or 0) > MAX_BYTES:
        raise RouteTooLarge(most=MAX_BYTES)
    track = await asyncio.to_thread(track_of, await request.body())
    await _keep(at, track, f"route-{track.sha256[:32]}")
    return RouteKept.model_validate(track, from_attributes=True)


@router.post("/patrols", status_code=201)
async def plan_patrol(body: PatrolPlan, response: Response, at: AtDoor, call: Planner) -> Accepted:
    """Plans a patrol."""
    own_village(call.who, body.village)
    own_unit(call.who, body.unit)
    patrol = str(body.patrol or derived(call.command_id, "patrol"))
    command = PlanPatrol(patrol=patrol, **body.model_dump(exclude={"patrol"}))
    return accepted(await at.app.handle(command, call.cause), response)


@router.post("/patrols/{patrol}/start", status_code=201)
async def start_patrol(patrol: UUID, body: PatrolStart, response: Response, at: AtDoor, call: Patroller) -> Accepted:
    """Starts a planned patrol, or one that was not planned."""
    for_somebody(call.who)
    where = {"village": own_village(call.who, body.village), "unit": own_unit(call.who, body.unit)}
    command = StartPatrol(patrol=str(patrol), **dict(body) | where)

    async def seen() -> Command:
        await _theirs_or_new(at, call.who, command.patrol)
        return command

    return accepted(await at.app.handle_made(seen, call.cause), response)


@router.post("/patrols/{patrol}/record", status_code=201)
async def record_patrol(patrol: UUID, body: PatrolRecord, response: Response, at: AtDoor, call: Patroller) -> Accepted:
    """Records a patrol under the id the phone chose, however late; it happened when it ended."""
    for_somebody(call.who)
    where = {"village": own_village(call.who, body.village), "unit": own_unit(call.who, body.unit)}
    facts = {name: value for name, value in body if name not in ("route_sha256", "gpx", "findings")} | where

    async def seen() -> Command:
        await _theirs_or_new(at, call.who, str(patrol))
        return RecordPatrol(
            **facts,
            patrol=str(patrol),
            occurred_at=body.ended_at,
            findings=tuple(Found(**dict(f)) for f in body.findings),
            route=await _route(at, body, f"patrol-{patrol}"),
        )

    return accepted(await at.app.handle_made(seen, call.cause), response)


async def _route(at: Door, body: PatrolRecord, stream_id: str) -> Route | None:
    """The route the record names, kept when it came inside. Raises what track_of raises, and RouteNotKept."""
    if body.gpx is not None:
        track = await asyncio.to_thread(track_of, body.gpx.encode())
        await _keep(at, track, stream_id)
    elif body.route_sha256 is not None:
        track = await asyncio.to_thread(track_of, await _kept(at, body.route_sha256))
    else:
        return None
    return Route(sha256=track.sha256, points=track.points, metres=track.metres)


async def _keep(at: Door, track: Track, stream_id: str) -> None:
    async with at.writing() as tx:
        await at.files.put(tx, track.content, MEDIA_TYPE, stream_id)


async def _kept(at: Door, sha256: str) -> bytes:
    try:
        async with at.reading() as tx:
            return (await at.files.get(tx, sha256))[1]
    except NotFound as error:
        raise RouteNotKept(sha256=sha256) from error


@router.post("/patrols/{patrol}/corrections", status_code=201)
async def correct_patrol(patrol: UUID, body: Correction, response: Response, at: AtDoor, call: Planner) -> Accepted:
    """Corrects one field of the record with a reason; `finding.2.violation` names a field of finding 2."""
    if body.field == "village":
        own_village(call.who, body.value.code)
    if body.field == "unit":
        own_unit(call.who, body.value.code)
    return await _do(CorrectPatrol(patrol=str(patrol), **dict(body)), response, at, call)


@router.post("/patrols/{patrol}/entered-in-error", status_code=201)
async def enter_patrol_in_error(patrol: UUID, body: InError, response: Response, at: AtDoor, call: Planner) -> Accepted:
    """Marks the whole record as a mistake, with a reason."""
    return await _do(EnterPatrolInError(patrol=str(patrol), **dict(body)), response, at, call)


async def _do(command: CorrectPatrol | EnterPatrolInError, response: Response, at: Door, call: Call) -> Accepted:
    async def seen() -> Command:
        await _visible(at, call.who, command.patrol)
        return command

    return accepted(await at.app.handle_made(seen, call.cause), response)


async def _visible(at: Door, who: Actor, patrol: str) -> asyncpg.Record:
    """The patrol's line. Raises NotFound, also for a patrol that is not there for this reader."""
    async with at.reading() as tx:
        row = await patrol_line.one(tx, patrol)
    must_cover(who, row)
    return row


async def _theirs_or_new(at: Door, who: Actor, patrol: str) -> None:
    """Raises NotFound for a patrol that is there, and not for this reader."""
    async with at.reading() as tx:
        row = await patrol_line.find(tx, patrol)
    if row is not None:
        must_cover(who, row)


@router.get("/patrols")
async def list_patrols(
    at: AtDoor,
    who: Reader,
    state: Code | None = None,
    village: Code | None = None,
    unit: Code | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[PatrolLine]:
    """Patrols, newest first; a post bound to a village has its unit's alone. Raises NotPermitted when it asks for another's."""
    after = read_cursor(cursor, datetime, str)
    filters = {"state": state, "village": own_village(who, village), "unit": own_unit(who, unit)}
    async with at.reading() as tx:
        rows = await patrol_line.page(tx, **filters, after=after, most=limit + 1)
    return page_of(
        rows, limit, lambda row: PatrolLine.model_validate(told(who, row)), lambda row: (row["at"], row["patrol"])
    )


@router.get("/patrols/{patrol}")
async def show_patrol(patrol: UUID, response: Response, at: AtDoor, who: Reader) -> PatrolPage:
    """One patrol with its findings and steps."""
    row = await _visible(at, who, str(patrol))
    async with at.reading() as tx:
        rows = await patrol_finding.of_patrol(tx, str(patrol))
        done = told_steps(who, await steps.of_stream(tx, f"patrol-{patrol}"))
    found = [{name: value for name, value in line.items() if name != "patrol"} for line in rows]
    response.headers["ETag"] = etag(row["version"])
    return PatrolPage.model_validate({**told(who, row), "found": found, "steps": done})


@router.get("/patrols/{patrol}/route.gpx")
async def show_route(patrol: UUID, at: AtDoor, who: Reader) -> Response:
    """The route as GPX 1.1."""
    return Response(await _route_of(at, who, str(patrol)), media_type=MEDIA_TYPE)


@router.get("/patrols/{patrol}/route.geojson")
async def show_route_as_geojson(patrol: UUID, at: AtDoor, who: Reader) -> Response:
    """The route as GeoJSON (RFC 7946), WGS-84."""
    content = await _route_of(at, who, str(patrol))
    return JSONResponse(await asyncio.to_thread(geojson, content), media_type="application/geo+json")


async def _route_of(at: Door, who: Actor, patrol: str) -> bytes:
    row = await _visible(at, who, patrol)
    if row["route_sha256"] is None:
        raise NotFound(patrol)
    return await _kept(at, row["route_sha256"])
