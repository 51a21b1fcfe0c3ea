"""How this service stands, as a page for the office and the auditor and as JSON: what `minewatch status` says, from inside."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import nats.errors
from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from shared import findings, parked
from shared.decider import Actor
from shared.findings import Status
from shared.parked import Parked
from shared.service import Service
from shared.settings import SERVICES
from shared.status import (
    MINEWATCH,
    followers_of,
    heads_of,
    look,
    nats_version,
    newest_step,
    sources_of,
    stream_of,
)
from shared.trail import NOT_WITNESSED_EN, NOT_WITNESSED_ZH, trail_of
from shared.ways_out import hints_of
from shared.web.door import page_reader, reader
from shared.web.rendering import page

READERS = ("clerk", "office_director", "auditor")
LINES = 50


@dataclass(frozen=True)
class Shown(Status):
    """And the first of the events that wait for a person, and the last that a person dismissed."""

    waiting: tuple[Parked, ...] = ()
    dismissed: tuple[Parked, ...] = ()


def status_routes(service: Service, stopped: Callable[[], dict[str, str]]) -> APIRouter:
    """`stopped`: part -> why it does not run, as this process knows."""
    router = APIRouter(prefix=f"/{service.name}")

    @router.get("/status", include_in_schema=False)
    async def status_page(request: Request, _: Annotated[Actor, Depends(page_reader(*READERS))]) -> HTMLResponse:
        stand = await standing_of(service, stopped())
        alone = {"zh": NOT_WITNESSED_ZH, "en": NOT_WITNESSED_EN}
        return page(request, "status.html", stand=stand, services=SERVICES, alone=alone)

    @router.get("/v1/status", tags=["kernel"])
    async def status(_: Annotated[Actor, Depends(reader(*READERS))]) -> Shown:
        """Versions, head, marks and lags, what is parked, deliveries, timers, the stream, and what needs a person."""
        return await standing_of(service, stopped())

    return router


async def standing_of(service: Service, stopped: dict[str, str]) -> Shown:
    """One look from inside. It cannot tell a follower that is slow from one that stands still: `minewatch status` looks twice."""
    now, nc, jurisdiction = service.clock.now(), service.nc, service.settings.jurisdiction
    found = [*findings.of_parts(stopped)]
    stream, version = None, None
    async with service.pool.acquire() as connection:
        seen = await look(connection, service.name, now)
        found += findings.of_database(seen, now)
        hints = await hints_of(connection, service.settings, now)
        trail = await trail_of(connection, service.settings, now)
        found += findings.of_trail(trail)
        try:
            if not nc.is_connected:
                raise nats.errors.ConnectionClosedError
            stream, version = await stream_of(nc, jurisdiction, seen, connection), nats_version(nc)
            found += findings.of_stream(seen, stream, False)
        except nats.errors.Error:
            found.append(findings.nats_away())
    heads = await heads_of(nc, jurisdiction, sources_of(seen)) if nc.is_connected else {}
    found += findings.of_sources(seen, heads)
    return Shown(
        service=service.name,
        minewatch=MINEWATCH,
        newest_step=newest_step(),
        nats=version,
        database=seen,
        stream=stream,
        trail=trail,
        followers=tuple(followers_of(seen, heads)),
        findings=tuple(found),
        hints=hints,
        waiting=tuple(await parked.waiting(service.pool, LINES)),
        dismissed=tuple(await parked.dismissed(service.pool, LINES)),
    )
