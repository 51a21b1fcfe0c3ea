"""Evidence packs by HTTP and as a form, and who was given what: the same in every service."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.responses import HTMLResponse, StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from shared import opening
from shared.audit.pack import MOST_RECORDS, Order, section
from shared.audit.pack_zip import MEDIA_TYPE
from shared.audit.packing import laid_out, source_of
from shared.contracts.event import Id
from shared.decider import Actor
from shared.errors import MinewatchError, NotFound, NotPermitted, NotReady
from shared.evidence import ORDERING
from shared.identity import posts
from shared.service import Service
from shared.settings import SERVICES
from shared.sql import Tx
from shared.web.door import AUDITOR, Call, call, form_call, page_reader, reader
from shared.web.language import says
from shared.web.paging import Page, cursor_of, page_of, read_cursor
from shared.web.problems import status_of, words_of
from shared.web.rendering import page

LINES = 30
LEADERS = ("group_leader", "deputy_leader")
"""Read every reason; the auditor reads who was given what, and no reason that may name an informant."""
OVERSEEING = (AUDITOR, *LEADERS)

Ordering = Annotated[Call, Depends(call(*ORDERING))]
OrderingByForm = Annotated[Call, Depends(form_call(*ORDERING))]


class PackOrder(BaseModel):
    """`about`: the records, by their streams ("hazard-…"); `reason`: why, for whoever oversees the readings."""

    model_config = ConfigDict(extra="forbid")

    about: Annotated[tuple[Id, ...], Field(min_length=1, max_length=MOST_RECORDS)]
    reason: Annotated[str, Field(min_length=opening.LEAST_REASON, max_length=opening.MOST_REASON)]


class OpeningLine(BaseModel):
    """Who was given what, when, and why. `about`: streams, empty for the whole log; `size`: how many events the log had then, if
    that was stated; `as_of`: the moment that was looked at, where that is not the opening's own. `reason`: for the auditor a
    fixed phrase where it may name an informant; None once its key is destroyed."""

    event_id: UUID
    kind: str
    about: list[str]
    reason: str | None
    size: int | None
    as_of: datetime | None
    actor: str
    in_role: str
    on_behalf_of: str | None
    made_at: datetime


def evidence_routes(service: Service) -> APIRouter:
    router = APIRouter(prefix=f"/{service.name}")

    @router.get("/v1/openings", tags=["audit"])
    async def list_openings(
        who: Annotated[Actor, Depends(reader(*OVERSEEING))],
        cursor: str | None = None,
        limit: Annotated[int, Query(ge=1, le=200)] = 50,
    ) -> Page[OpeningLine]:
        """Readings that are events: who was given what of this service, newest first."""
        before = read_cursor(cursor, datetime, str)
        rows = await _openings(service, who, limit + 1, before)
        return page_of(rows, limit, OpeningLine.model_validate, lambda row: (row["made_at"], row["stream"]))

    @router.get("/openings", include_in_schema=False)
    async def openings_page(
        request: Request, who: Annotated[Actor, Depends(page_reader(*OVERSEEING))], cursor: str = ""
    ) -> HTMLResponse:
        """The same for reading."""
        rows = await _openings(service, who, LINES + 1, read_cursor(cursor, datetime, str))
        async with service.pool.acquire() as connection:
            people = await posts.names(Tx(connection))
        last = rows[LINES - 1] if len(rows) > LINES else None
        return page(
            request,
            "evidence/openings.html",
            lines=rows[:LINES],
            people=people,
            services=SERVICES,
            next=f"?cursor={cursor_of(last['made_at'], last['stream'])}" if last else None,
            first="?" if cursor else None,
        )

    @router.post(
        "/v1/evidence-packs",
        tags=["audit"],
        response_class=StreamingResponse,
        responses={200: {"content": {MEDIA_TYPE: {}}, "description": "The pack."}},
    )
    async def order_pack(body: PackOrder, call: Ordering) -> Response:
        """A zip with the records' events, proofs, files and a readable timeline. The order is an event before anything leaves."""
        return await _pack(service, body.about, Order(call.who, body.reason, (service.name,), call.cause))

    @router.post("/evidence-packs", include_in_schema=False)
    async def order_pack_by_form(request: Request, call: OrderingByForm) -> Response:
        """The same from a page; a refusal comes with the form, as it was filled in."""
        form = await request.form()
        stream, reason = str(form.get("about") or ""), str(form.get("reason") or "")
        try:
            return await _pack(service, (stream,), Order(call.who, reason, (service.name,), call.cause))
        except (NotFound, NotPermitted):
            raise
        except MinewatchError as error:
            async with service.pool.acquire() as connection:
                plan = await service.book.in_force(Tx(connection))
            return page(
                request,
                "evidence/order.html",
                plan=plan,
                status_code=status_of(request, error),
                stream=stream,
                typed=reason,
                again=str(form.get("command_id") or "") if isinstance(error, NotReady) else "",
                complaint=says(*words_of(error)),
            )

    return router


async def _pack(service: Service, about: Sequence[str], order: Order) -> Response:
    source = source_of(service)
    for stream in about:
        source.evidence.must_allow(order.who, stream)
    found = await section(source, about, order)
    pack = await laid_out([found], [service])
    return StreamingResponse(
        pack.chunks(),
        media_type=MEDIA_TYPE,
        headers={"Content-Disposition": f'attachment; filename="{pack.file_name}"'},
    )


async def _openings(
    service: Service, who: Actor, most: int, before: tuple[datetime, str] | None
) -> list[dict[str, Any]]:
    if who.village is not None:
        raise NotPermitted("readings are not shown to a village")
    async with service.pool.acquire() as connection:
        tx = Tx(connection)
        lines = await opening.page(tx, most, before)
        return await opening.with_reasons(service.sealer, tx, lines, words=who.post in LEADERS)
