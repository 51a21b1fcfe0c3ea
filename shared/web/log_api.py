"""A service's log for whoever verifies it: the newest checkpoint and the tree's tiles (C2SP tlog-tiles) for everybody, the events
themselves for an auditor who said why.

Tiles hold salted hashes and say nothing but how long the log is. An auditor's copy begins with its reason, which is an event like
every other reading that matters; what that answers has to come with each request for entries, so none goes without.
"""

import json
import re
from datetime import timedelta
from typing import Annotated
from uuid import UUID

from fastapi import APIRouter, Depends, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from shared.audit.covered import stated
from shared.checkpoints import newest
from shared.cosigning import PolicyFileError, load_policy
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted, NotReady
from shared.opening import LEAST_REASON, MOST_REASON, record_opening
from shared.proving import tile
from shared.service import Service
from shared.sql import Tx
from shared.transparency import tiles, tree
from shared.transparency.policy import Policy
from shared.transparency.tiles import WIDTH
from shared.web.door import Call, Door, call, door, reader

KIND = "audit_copy"
READERS = ("auditor",)
VALID = timedelta(hours=24)
"""How long a copy that was begun may go on under its reason."""

FOR_EVER = "public, max-age=31536000, immutable"
FOR_NOW = "public, no-cache"
"""Kept, and asked about each time."""
LEVELS = frozenset(map(str, range(64)))
ADDRESS = re.compile(r"((?:x[0-9]{3}/){0,4}[0-9]{3})(?:\.p/([1-9][0-9]{0,2}))?")

COVERED = """
SELECT max(size) FROM record.checkpoint
WHERE split_part(origin, '/', 3) = (SELECT lineage::text FROM work.head)
"""
ENTRIES = """
SELECT e.body FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $1 + $2 ORDER BY l.position
"""
BEGUN = "SELECT body FROM record.event WHERE event_id = $1 AND type = $2 AND recorded_at > $3"


class CopyNotBegun(NotPermitted):
    """请先登记复制日志的理由（POST …/v1/log/copies），再把所得编号放在请求头 Opening 中；编号一天内有效，仅限本人使用。
    First give your reason (POST …/v1/log/copies), then send what it answers in the header Opening; it is yours, for a day."""


class Reason(BaseModel):
    """Why the log is copied. It is sealed for the office."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field(min_length=LEAST_REASON, max_length=MOST_REASON)


class Begun(BaseModel):
    """`opening`: the event that says who copies the log and why; to be sent with every request for entries."""

    opening: UUID


def log_routes(service: Service) -> APIRouter:
    router = APIRouter(prefix=f"/{service.name}/v1/log", tags=["log"])
    opened = f"{service.name}.opening.made.v1"

    @router.get("/checkpoint", response_class=Response)
    async def checkpoint(at: Annotated[Door, Depends(door)]) -> Response:
        """The newest checkpoint with all lines that sign it (C2SP tlog-checkpoint); where the service has a policy, the newest
        that meets it. 404 before the first, 503 while the policy cannot be read."""
        async with at.reading() as tx:
            note = await newest(tx, policy=_policy(service))
        if note is None:
            raise NotFound("no checkpoint yet")
        return Response(str(note), media_type="text/plain; charset=utf-8", headers={"Cache-Control": FOR_NOW})

    @router.post("/copies", status_code=201)
    async def begin_copy(
        body: Reason, at: Annotated[Door, Depends(door)], asked: Annotated[Call, Depends(call(*READERS))]
    ) -> Begun:
        """Begins an auditor's copy: who, why, and the heads of all streams at this moment stand in the log from now on."""
        _must_see_all(asked.who)
        async with at.reading() as tx:
            heads = await stated(tx)
        event_id = await record_opening(
            at.app, kind=KIND, about=(), reason=body.reason, actor=asked.who, heads=heads, cause=asked.cause
        )
        return Begun(opening=event_id)

    @router.get("/tile/entries/{address:path}", response_class=Response)
    async def show_entries(
        address: str,
        at: Annotated[Door, Depends(door)],
        who: Annotated[Actor, Depends(reader(*READERS))],
        opening: Annotated[UUID | None, Header(description="What POST /copies answered.")] = None,
    ) -> Response:
        """A bundle of events, exactly as stored, each after its length in two bytes."""
        _must_see_all(who)
        async with at.reading() as tx:
            row = await tx.one(BEGUN, (opening, opened, at.clock.now() - VALID)) if opening is not None else None
            begun = json.loads(row["body"]) if row is not None else None
            if begun is None or (begun["actor"], begun["data"]["kind"]) != (who.person, KIND):
                raise CopyNotBegun
            index, width = await _covered(tx, "entries", address)
            rows = await tx.all(ENTRIES, (index * WIDTH, width))
        content = tiles.bundle(row["body"] for row in rows)
        return Response(content, media_type="application/octet-stream", headers={"Cache-Control": "no-store"})

    @router.get("/tile/{level}/{address:path}", response_class=Response)
    async def show_tile(level: str, address: str, at: Annotated[Door, Depends(door)]) -> Response:
        """The hashes of a tile, 32 bytes each. Not beyond the newest checkpoint."""
        if level not in LEVELS:
            raise NotFound("no such level")
        async with at.reading() as tx:
            index, width = await _covered(tx, int(level), address)
            hashes = await tile(tx, (int(level), index, width))
        kept = FOR_EVER if width == WIDTH else FOR_NOW
        return Response(tree.pack(hashes), media_type="application/octet-stream", headers={"Cache-Control": kept})

    return router


def _policy(service: Service) -> Policy | None:
    """Raises NotReady while the file cannot be read."""
    try:
        return load_policy(service.settings.policy) if service.settings.policy is not None else None
    except PolicyFileError as error:
        raise NotReady(str(error)) from error


def _must_see_all(who: Actor) -> None:
    if who.village is not None:
        raise NotPermitted("the whole log is not shown to a village")


async def _covered(tx: Tx, level: int | str, address: str) -> tuple[int, int]:
    """(index, width) of the tile of that path. Raises NotFound for what is no path, or is not in the newest checkpoint yet."""
    found = ADDRESS.fullmatch(address)
    index = int(found[1].replace("/", "").replace("x", "")) if found else 0
    width = min(WIDTH, int(found[2] or WIDTH)) if found else 0
    size = (await tx.value(COVERED) or 0) >> (0 if level == "entries" else tree.TILE_HEIGHT * int(level))
    if tiles.path(level, index, width) != f"tile/{level}/{address}" or not 0 < width <= size - index * WIDTH:
        raise NotFound(f"no tile {level}/{address}")
    return index, width
