"""A service's log, page by page, straight from Postgres: by request/reply over NATS and by HTTP, to services only.

Whatever the stream lost is read here, which is why the stream may lose anything.
"""

import asyncio
import base64
import json
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from nats.aio.client import Client
from nats.aio.msg import Msg

from shared.app import LOST
from shared.errors import NotReady
from shared.stream import heed_cancellation

PAGE_BYTES = 600_000
"""Below the server's 1 MB message limit after base64."""

HEAD = "SELECT lineage, position FROM work.head"
# The lineages this log grew from, and up to which position each is one past with it. One row for every restore there ever was.
ANCESTORS = """
WITH RECURSIVE line AS (
    SELECT l.parent, l.from_position AS shared FROM record.lineage l JOIN work.head h USING (lineage)
    UNION ALL
    SELECT l.parent, least(l.from_position, line.shared) FROM line JOIN record.lineage l ON l.lineage = line.parent
)
SELECT parent, shared FROM line WHERE parent IS NOT NULL
"""
AFTER = """
SELECT l.position, e.body FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 ORDER BY l.position LIMIT $2
"""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    position: int
    lineage: UUID
    body: bytes


@dataclass(frozen=True, slots=True)
class FeedHead:
    """`ancestors`: a lineage this one grew from -> the last position they share."""

    lineage: UUID
    position: int
    ancestors: dict[UUID, int] = field(default_factory=dict)


class Feed(Protocol):
    """Somebody else's log."""

    async def head(self) -> FeedHead: ...

    async def after(self, position: int, most: int) -> list[FeedEvent]: ...


async def page(pool: asyncpg.Pool, after: int, most: int) -> dict[str, Any]:
    """{"lineage", "head", "events": [{"position", "body" (base64)}]}; at most `most` events and PAGE_BYTES.

    With `most` 0 the question is about the head alone, and "ancestors" ({lineage: last shared position}) answers it too.
    """
    rows = await pool.fetch(AFTER, after, most) if most > 0 else []
    head = await pool.fetchrow(HEAD)  # after the rows: whatever was read belongs to the lineage that is in force now
    assert head is not None
    answer: dict[str, Any] = {"lineage": str(head["lineage"]), "head": head["position"], "events": []}
    if most <= 0:
        return answer | {"ancestors": {str(row["parent"]): row["shared"] for row in await pool.fetch(ANCESTORS)}}
    size = 0
    for row in rows:
        size += len(row["body"]) * 4 // 3 + 40
        if answer["events"] and size > PAGE_BYTES:
            break
        answer["events"].append({"position": row["position"], "body": base64.b64encode(row["body"]).decode()})
    return answer


def feed_subject(jurisdiction: str, service: str) -> str:
    return f"feed.{jurisdiction}.{service}"


async def serve(nc: Client, jurisdiction: str, service: str, pool: asyncpg.Pool) -> None:
    """Answers {"after", "most"} until cancelled. Replicas share the work (queue group)."""

    async def answer(message: Msg) -> None:
        try:
            asked = json.loads(message.data)
            reply = await page(pool, int(asked["after"]), min(int(asked["most"]), 1000))
        except (KeyError, TypeError, ValueError, ArithmeticError, RecursionError) as error:
            reply = {"error": f"{type(error).__name__}: send after and most"}
        except (asyncpg.PostgresError, *LOST) as error:
            reply = {"error": type(error).__name__}
        await message.respond(json.dumps(reply).encode())

    subscription = await nc.subscribe(feed_subject(jurisdiction, service), queue=f"feed-{service}", cb=answer)
    try:
        heed_cancellation()
        await asyncio.Event().wait()
    finally:
        if not nc.is_closed and nc.is_connected:
            await subscription.unsubscribe()


@dataclass
class NatsFeed:
    """The feed of `source`, asked over NATS. Raises NotReady when the source does not answer properly."""

    nc: Client
    jurisdiction: str
    source: str

    async def _ask(self, after: int, most: int) -> dict[str, Any]:
        question = json.dumps({"after": after, "most": most}).encode()
        reply = await self.nc.request(feed_subject(self.jurisdiction, self.source), question, timeout=5)
        answer: dict[str, Any] = json.loads(reply.data)
        if "error" in answer:
            raise NotReady(f"log feed of {self.source}: {answer['error']}")
        return answer

    async def head(self) -> FeedHead:
        answer = await self._ask(0, 0)
        ancestors = {UUID(lineage): shared for lineage, shared in answer["ancestors"].items()}
        return FeedHead(UUID(answer["lineage"]), answer["head"], ancestors)

    async def after(self, position: int, most: int) -> list[FeedEvent]:
        answer = await self._ask(position, most)
        lineage = UUID(answer["lineage"])
        return [FeedEvent(e["position"], lineage, base64.b64decode(e["body"])) for e in answer["events"]]
