"""Mirrors the log into the service's own stream.

It resumes from the stream's last sequence, never from its last message (which may be gone), after comparing lineage and leaf
with its own log. A stream that is ahead, or that holds another past, is never written to: somebody restored a database, and a
person must say so with a new lineage (lineage.py). The stream of an ancestor is then deleted and made anew.
"""

import asyncio
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import asyncpg
import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import RawStreamMsg, StreamInfo

from shared.app import LOST
from shared.bell import Bell
from shared.contracts.envelope import leaf_of, traceparent_of
from shared.errors import HistoryDiffers, MinewatchError
from shared.log_feed import ANCESTORS
from shared.parts import Points, no_points
from shared.stream import (
    LEAF,
    LINEAGE,
    MOST_BYTES,
    MOST_MESSAGES,
    POSITION,
    Message,
    definition,
    heed_cancellation,
    publish,
    stream_name,
    subject_of,
)
from shared.telemetry import RELAYED, STOPPED, log, span_passed, why

AFTER = """
SELECT l.position, l.leaf, e.type, e.body, (SELECT lineage FROM work.head) AS lineage
FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 ORDER BY l.position LIMIT $2
"""
HEAD = "SELECT position, lineage FROM work.head"
LEAF_AT = "SELECT leaf FROM record.log WHERE position = $1"


class TailMoved(MinewatchError):
    """The stream is not where it was left: read its tail again."""


@dataclass
class Relay:
    """`pool` connects as <svc>_app. `keep`: how many messages the stream holds, None for all. `look`: seconds between looks at
    an idle stream."""

    service: str
    jurisdiction: str
    pool: asyncpg.Pool
    nc: Client
    sequenced: Bell
    keep: int | None = None
    poll: float = 0.25
    linger: float = 0.005
    look: float = 1.0
    points: Points = field(default=no_points)
    ready: bool = False
    differs: str | None = None

    @property
    def stream(self) -> str:
        return stream_name(self.jurisdiction, self.service)

    async def tail(self, js: JetStreamContext) -> tuple[int, UUID]:
        """Where the stream ends, and of which lineage it is. Makes it when it is gone, or an ancestor's. Raises HistoryDiffers
        when it is no copy of this log."""
        try:
            info = await js.stream_info(self.stream)
        except nats.js.errors.NotFoundError:
            info = await self._make(js)
        if info.config.max_msgs != (self.keep or -1):
            info = await js.update_stream(info.config.evolve(max_msgs=self.keep or -1))
            log("relay", service=self.service).info("stream keeps", most=self.keep, first=info.state.first_seq)
        last = await self._last_message(js)
        row = await self.pool.fetchrow(HEAD)  # after the stream was looked at: another relay may go on writing
        assert row is not None
        head, lineage = row["position"], str(row["lineage"])
        theirs = (info.config.metadata or {}).get(LINEAGE) if last is None else (last.headers or {}).get(LINEAGE)
        if theirs in [str(ancestor["parent"]) for ancestor in await self.pool.fetch(ANCESTORS)]:
            await js.delete_stream(self.stream)
            raise TailMoved(f"the stream was of lineage {theirs}, an ancestor of {lineage}")
        if info.state.last_seq > head:
            raise HistoryDiffers(f"{self.service}: the stream ends at {info.state.last_seq}, the log at {head}")
        if theirs not in (None, lineage) or (theirs is None and last is not None):
            raise HistoryDiffers(f"{self.service}: the stream is of lineage {theirs}, the log of {lineage}")
        if last is not None and await self.pool.fetchval(LEAF_AT, last.seq) != leaf_of(last.data or b""):
            raise HistoryDiffers(f"{self.service}: stream and log differ at position {last.seq}")
        return info.state.last_seq, row["lineage"]

    async def _make(self, js: JetStreamContext) -> StreamInfo:
        row = await self.pool.fetchrow(HEAD)
        assert row is not None
        first = max(1, row["position"] - self.keep + 1) if self.keep else 1
        made = await js.add_stream(definition(self.service, self.jurisdiction, first, self.keep, str(row["lineage"])))
        log("relay", service=self.service).info("stream made", first=first, head=row["position"])
        return made

    async def _last_message(self, js: JetStreamContext) -> RawStreamMsg | None:
        """The newest message that still stands: the last one may have been deleted. None when none is left."""
        try:
            return await js.get_msg(self.stream, subject=f"{self.jurisdiction}.{self.service}.>")
        except nats.js.errors.NotFoundError:
            return None

    async def run(self) -> None:
        """Until cancelled. Stops publishing, loudly, while history differs."""
        said = log("relay", service=self.service)
        while True:
            heed_cancellation()
            try:
                await self._mirror()
            except HistoryDiffers as error:
                self.ready, self.differs = False, str(error)
                STOPPED.labels(self.service, "relay").set(1)
                said.error("history differs", reason=str(error))
                await asyncio.sleep(2)
            except (nats.errors.Error, MinewatchError, asyncpg.PostgresError, *LOST) as error:
                self.ready = False
                said.warning("again", error=type(error).__name__, text=why(error))
                await asyncio.sleep(0.3)

    async def _mirror(self) -> None:
        js = self.nc.jetstream(timeout=5)
        at, lineage = await self.tail(js)
        self.ready, self.differs = True, None
        STOPPED.labels(self.service, "relay").set(0)
        looked = time.monotonic()
        while True:
            heed_cancellation()
            rows = await self.pool.fetch(AFTER, at, MOST_MESSAGES)
            if not rows:
                await self.sequenced.wait(self.poll)
                if time.monotonic() - looked > self.look:  # without traffic, too, a wiped stream must be noticed
                    looked = time.monotonic()
                    await self._still_at(js, at, lineage)
                continue
            if rows[0]["lineage"] != lineage:
                raise TailMoved(f"a new lineage began: {rows[0]['lineage']}")
            if rows[0]["position"] != at + 1:
                raise HistoryDiffers(f"{self.service}: the log goes from {at} to {rows[0]['position']}")
            batch = self._batch(rows)
            await self.points("relay: before a batch")
            last = await publish(self.nc, batch, at)
            if last != at + len(batch):
                raise TailMoved(f"published {at + len(batch)}, the server says {last}")
            await self.points("relay: after a batch")
            for row in rows[: len(batch)]:
                span_passed(traceparent_of(row["body"]), "relay", service=self.service)
            RELAYED.labels(self.service).inc(len(batch))
            at, looked = last, time.monotonic()
            if len(batch) < MOST_MESSAGES // 2:
                await asyncio.sleep(self.linger)

    async def _still_at(self, js: JetStreamContext, at: int, lineage: UUID) -> None:
        try:
            state = (await js.stream_info(self.stream)).state
        except nats.js.errors.NotFoundError as error:
            raise TailMoved("the stream is gone") from error
        if state.last_seq != at:
            raise TailMoved(f"left at {at}, found at {state.last_seq}")
        if await self.pool.fetchval("SELECT lineage FROM work.head") != lineage:
            raise TailMoved("a new lineage began")

    def _batch(self, rows: Sequence[Any]) -> list[Message]:
        batch: list[Message] = []
        size = 0
        lineage = str(rows[0]["lineage"])  # one statement read them all
        for row in rows:
            size += len(row["body"]) + 400
            if batch and size > MOST_BYTES:
                break
            headers = {
                "Content-Type": "application/cloudevents+json",
                LINEAGE: lineage,
                LEAF: row["leaf"].hex(),
                POSITION: str(row["position"]),
            }
            batch.append(Message(subject_of(self.jurisdiction, row["type"]), row["body"], headers))
        return batch
