"""Patrols by HTTP: planned, started, recorded, with the route as GPX; phones that were offline send one record later."""

import asyncio
from datetime import datetime
from typing import Annotated
from uuid import UUID

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
    OpeningAsked,
    PatrolLine,
    PatrolPage,
    PatrolPlan,
    PatrolRecord,
    PatrolStart,
    PlanOpened,
    RouteKept,
)
from services.intake.patrol_desk import (
    PATROLLERS,
    PLANNERS,
    READERS,
    eyes,
    must_act_on,
    opened,
    own_unit,
    own_village,
    shown,
    told,
    visible,
)
from services.intake.read_models import patrol_line
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

AtDoor = Annotated[Door, Depends(door)]
Patroller = Annotated[Call, Depends(call(*PATROLLERS))]
Planner = Annotated[Call, Depends(call(*PLANNERS))]
Reader = Annotated[Actor, Depends(reader(*READERS))]


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
    await _keep(at, track)
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
            route=await _route(at, body),
        )

    return accepted(await at.app.handle_made(seen, call.cause), response)


async def _route(at: Door, body: PatrolRecord) -> Route | None:
    """The route the record names, kept when it came inside. Raises what track_of and _keep raise, and RouteNotKept."""
    if body.gpx is not None:
        track = await asyncio.to_thread(track_of, body.gpx.encode())
        await _keep(at, track)
    elif body.route_sha256 is not None:
        track = await asyncio.to_thread(track_of, await _kept(at, body.route_sha256))
    else:
        return None
    return Route(sha256=track.sha256, points=track.points, metres=track.metres)


async def _keep(at: Door, track: Track) -> None:
    """Under a key of its own: it may be the track of several patrols, and is evidence that outlives the words of any. Before 0.2
    a track that came inside a record was sealed with the patrol's key. Raises FileKeyDestroyed."""
    async with at.writing() as tx:
        await at.files.put(tx, track.content, MEDIA_TYPE, f"route-{track.sha256[:32]}")


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
        async with at.reading() as tx:
            row = await patrol_line.one(tx, eyes(call.who, at.today()), command.patrol)
            await must_act_on(at, tx, call.who, row)
        return command

    return accepted(await at.app.handle_made(seen, call.cause), response)


async def _theirs_or_new(at: Door, who: Actor, patrol: str) -> None:
    """Raises what must_act_on raises for a patrol that is there."""
    async with at.reading() as tx:
        row = await patrol_line.find(tx, eyes(who, at.today()), patrol)
        if row is not None:
            await must_act_on(at, tx, who, row)


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
    """Patrols, newest first; a post bound to a village has its unit's alone. Raises NotPermitted when it asks for another's.

    Of a sealed plan there is one line without anything in it, and none for a question that names a village or a unit.
    """
    after = read_cursor(cursor, datetime, str)
    filters = {"state": state, "village": own_village(who, village), "unit": own_unit(who, unit)}
    async with at.reading() as tx:
        rows = await patrol_line.page(tx, eyes(who, at.today()), **filters, after=after, most=limit + 1)
    return page_of(
        rows, limit, lambda row: PatrolLine.model_validate(told(who, row)), lambda row: (row["at"], row["patrol"])
    )


@router.get("/patrols/{patrol}")
async def show_patrol(patrol: UUID, response: Response, at: AtDoor, who: Reader) -> PatrolPage:
    """One patrol with its findings and steps; of a sealed plan nothing but that there is one."""
    async with at.reading() as tx:
        found = await shown(at, tx, who, str(patrol))
    response.headers["ETag"] = etag(found["version"])
    return PatrolPage.model_validate(found)


@router.post("/patrols/{patrol}/opening")
async def open_plan(
    patrol: UUID, body: OpeningAsked, at: AtDoor, call: Annotated[Call, Depends(call(*READERS))]
) -> PlanOpened:
    """Reads a sealed plan: who, and why, is an event before it is shown. What is not sealed is shown, and nothing recorded."""
    event_id, plan = await opened(at, call, str(patrol), body.reason)
    return PlanOpened(opening=event_id, plan=PatrolPage.model_validate(plan))


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
    async with at.reading() as tx:
        row = await visible(at, tx, who, patrol)
    if row["route_sha256"] is None:
        raise NotFound(patrol)
    return await _kept(at, row["route_sha256"])
