"""A service's HTTP side, joined to its running parts."""

import json
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import BaseModel

from shared import log_feed
from shared.audit.copies import Copies
from shared.contracts.event import SealedBy
from shared.contracts.registry import CONTRACTS
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.files import Files
from shared.identity.clients import Clients
from shared.identity.tokens import Tokens
from shared.opening import Closed, SealedForNow
from shared.service import Service
from shared.web.app import make_web_app
from shared.web.door import Door, door, reader
from shared.web.evidence import evidence_routes
from shared.web.log_api import log_routes
from shared.web.log_card import log_card_routes
from shared.web.measures import measured
from shared.web.receipting import Receipting
from shared.web.status_page import status_routes

KEEP_ALIVE = 180
"""Seconds that an idle connection stays open: longer than a proxy or a client keeps it, or a request would meet its closing."""


def web_of(service: Service) -> FastAPI:
    """The application; its door is open as long as the service is."""
    tokens = Tokens(service.settings.token_public, service.settings.token_private)
    app_door = Door(
        app=service.app,
        pool=service.pool,
        clock=service.clock,
        files=Files(service.sealer),
        book=service.book,
        tokens=tokens,
        clients=Clients(service.settings.clients),
        root_secret=service.settings.secret,
        custodian=service.custodian,
    )
    app = make_web_app(
        service.name,
        service.card.title,
        routers=[
            *service.card.routers,
            kernel_routes(service, tokens),
            event_routes(service.name, service.card.closed),
            status_routes(service, lambda: readiness(service) | unsigned(service)),
            evidence_routes(service),
            log_routes(service),
            log_card_routes(service),
        ],
        templates=service.card.templates,
        rule_status=service.card.rule_status,
        ready=lambda: readiness(service),
    )
    app.add_middleware(Receipting, receipts=service.log_signing.receipts)
    app.state.door = app_door
    app.state.copies = Copies(service)
    service.beside.append(app.state.copies.close)
    service.on_erasure.append(lambda: _let_go(app.state.copies))
    app.state.evidence = service.card.evidence
    return app


def _let_go(copies: Copies) -> None:
    """Each is dropped once nobody reads from it; whoever asks next has one made, with the keys of then."""
    for held in copies._held.values():
        held.leave.set()


def readiness(service: Service) -> dict[str, str]:
    """What keeps the service from being ready: part -> reason; empty when it is."""
    reasons = {f"projection {p.group} of {p.walk.source}": p.stopped for p in service.projections if p.stopped}
    reasons |= {f"receiver of {source}": r.stopped for source, r in service.receivers.items() if r.stopped}
    if service.sequencer.stopped:
        reasons["sequencer"] = service.sequencer.stopped
    if service.relay is not None and service.relay.differs:
        reasons["relay"] = service.relay.differs
    reasons |= service.died
    return reasons


def unsigned(service: Service) -> dict[str, str]:
    """Why the log is not signed, if the signer refuses. No reason to turn people away: it is the record that is in doubt."""
    return {"checkpoint": service.log_signing.refused} if service.log_signing.refused else {}


OFFICE = ("clerk", "office_director")
EVENT_READERS = (*OFFICE, "group_leader", "deputy_leader", "auditor")

# The lineage is the log's present one: whatever was numbered before a restore was numbered again under it.
EVENT = """
SELECT e.body, e.leaf, l.position, CASE WHEN l.position IS NOT NULL THEN h.lineage END AS lineage
FROM record.event e LEFT JOIN record.log l USING (event_id) CROSS JOIN work.head h WHERE e.event_id = $1
"""


class StoredEvent(BaseModel):
    """`event`: the stored CloudEvent, sealed texts closed. `position` and `lineage` are None until it is numbered.

    `leaf` (hex) is SHA-256 of 0x00 and the stored bytes. `withheld` names fields about a person whom only the office follows
    up; with any withheld, the leaf cannot be computed from what is shown.
    """

    event_id: UUID
    source: str
    position: int | None
    lineage: UUID | None
    leaf: str
    withheld: list[str]
    event: dict[str, Any]


def kernel_routes(service: Service, tokens: Tokens) -> APIRouter:
    """The log feed, for service identities only; the measurements."""
    router = APIRouter(prefix=f"/{service.name}")

    @router.get("/v1/log/events", tags=["kernel"])
    async def log(request: Request, after: int = 0, most: int = 500) -> dict[str, object]:
        """Events after a position, oldest first: {"lineage", "head", "events": [{"position", "body" (base64)}]}."""
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not tokens.is_service(token.strip()):
            raise NotPermitted("the log is for services")
        return await log_feed.page(service.pool, max(0, after), max(0, min(most, 1000)))

    @router.get("/metrics", include_in_schema=False)
    async def metrics() -> Response:
        return Response(await measured(service), media_type=CONTENT_TYPE_LATEST)

    return router


def event_routes(service: str, closed: Closed) -> APIRouter:
    """Single events, for whoever oversees the campaign."""
    router = APIRouter(prefix=f"/{service}")

    @router.get("/v1/events/{event_id}", tags=["kernel"])
    async def show_event(
        event_id: UUID,
        response: Response,
        at: Annotated[Door, Depends(door)],
        who: Annotated[Actor, Depends(reader(*EVENT_READERS))],
    ) -> StoredEvent:
        """One event of this service as it stands in the record, with its place in the log."""
        if who.village is not None:
            raise NotPermitted("events are not shown to a village")
        async with at.reading() as tx:
            row = await tx.one(EVENT, (event_id,))
            if row is None:
                raise NotFound(str(event_id))
            event = json.loads(row["body"])
            if await closed(tx, who, event["subject"], at.today()):
                raise SealedForNow(event["subject"])
        withheld = [] if who.post in OFFICE else personal_fields(event["type"])
        event["data"] = {name: value for name, value in event["data"].items() if name not in withheld}
        response.headers["ETag"] = f'"{row["leaf"].hex()}"'
        return StoredEvent(
            event_id=event_id,
            source=service,
            position=row["position"],
            lineage=row["lineage"],
            leaf=row["leaf"].hex(),
            withheld=withheld,
            event=event,
        )

    return router


def personal_fields(type_: str) -> list[str]:
    """Fields sealed under the key of a person outside the campaign, and the field that stands for this person.

    Who holds a post stands in the field `person` and is known to all.
    """
    contract = CONTRACTS.types.get(type_)
    if contract is None:
        return []
    personal = {
        (path.partition(".")[0], marker.by)
        for path, marker in contract.text_fields()
        if isinstance(marker, SealedBy) and marker.by not in ("stream", "person")
    }
    return sorted({name for pair in personal for name in pair if name in contract.model_fields})
