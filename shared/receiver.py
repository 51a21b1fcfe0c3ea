"""Brings one source's events into this service's inbox: each once, in order, none left out.

Its own mark in Postgres is the only memory. The consumer on NATS is made anew each time, starts *at* the mark, and must give
the very event the mark names first. A gap, and whatever the stream no longer holds, comes from the source's log feed.
"""

import asyncio
import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID, uuid4

import asyncpg
import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.app import LOST
from shared.bell import Chime
from shared.contracts.envelope import attributes, leaf_of, traceparent_of
from shared.errors import HistoryDiffers, MinewatchError, NotReady
from shared.log_feed import Feed, FeedEvent, FeedHead
from shared.parts import Points, no_points
from shared.stream import LINEAGE, POSITION, heed_cancellation, stream_name
from shared.telemetry import RECEIVED, STOPPED, log, span_passed, why

FOLLOWER = "receiver"
MARK = "SELECT lineage, position, leaf, digest FROM work.mark WHERE follower = 'receiver' AND source = $1"
FIRST_MARK = "INSERT INTO work.mark (follower, source) VALUES ('receiver', $1) ON CONFLICT DO NOTHING"
# Compare-and-set: a second receiver of this source moves nothing.
MOVE = """
UPDATE work.mark SET lineage = $3, position = $4, leaf = $5, digest = $6, applied = applied + $7
WHERE follower = 'receiver' AND source = $1 AND position = $2 RETURNING 1
"""
# The same event at the same position, in the lineage that grew from the one it was received under.
FOLLOW_CHILD = """
UPDATE work.mark SET lineage = $4
WHERE follower = 'receiver' AND source = $1 AND position = $2 AND lineage = $3 RETURNING 1
"""
KEEP = """
INSERT INTO record.inbox (source, lineage, position, type, body)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::bytea[])
"""

BATCH = 500


class Gap(MinewatchError):
    """The next event is not the one after the mark. `upto`: everything below it comes from the feed."""

    def __init__(self, text: str, upto: int = 0) -> None:
        super().__init__(text)
        self.upto = upto


class Fenced(MinewatchError):
    """Another receiver of this source moved the mark."""


@dataclass(frozen=True)
class Mark:
    lineage: UUID | None
    position: int
    leaf: bytes | None
    digest: bytes


def digest_after(digest: bytes, event_id: str) -> bytes:
    """The running checksum over event ids, in position order."""
    return hashlib.sha256(digest + event_id.encode()).digest()


@dataclass
class Receiver:
    """`wanted`: the event types this service has a use for; the others only move the mark.

    In seconds: `idle`, how long one fetch waits; `ask_every`, between questions to the source where its log ends;
    `stand_by`, how long it leaves the field to another receiver of this source, or to a person when history differs.
    """

    service: str
    jurisdiction: str
    source: str
    pool: asyncpg.Pool
    nc: Client
    feed: Feed
    wanted: frozenset[str]
    received: Chime
    idle: float = 1.5
    ask_every: float = 3.0
    stand_by: float = 4.0
    points: Points = field(default=no_points)
    head: int = 0
    stopped: str | None = None
    position: int = 0

    @property
    def stream(self) -> str:
        return stream_name(self.jurisdiction, self.source)

    async def run(self) -> None:
        """Until cancelled. HistoryDiffers stops it until a person has looked; it keeps saying so."""
        said = log("receiver", service=self.service, source=self.source)
        need = 0
        while True:
            heed_cancellation()
            try:
                await self._receive(need)
            except Gap as gap:
                need = max(need, gap.upto)
                said.info("gap", text=str(gap))
            except Fenced:
                said.info("another receiver is at work")
                await asyncio.sleep(self.stand_by)
            except HistoryDiffers as error:
                self.stopped = str(error)
                STOPPED.labels(self.service, f"receiver:{self.source}").set(1)
                said.error("history differs", reason=str(error))
                await asyncio.sleep(self.stand_by)
            except (nats.errors.Error, MinewatchError, asyncpg.PostgresError, *LOST) as error:
                said.info("again", error=type(error).__name__, text=why(error))
                await asyncio.sleep(0.25)

    async def _receive(self, need: int) -> None:
        await self.pool.execute(FIRST_MARK, self.source)
        js = self.nc.jetstream(timeout=5)
        mark = await self._check_source(await self._mark())
        first = max((await js.stream_info(self.stream)).state.first_seq, need)
        if max(mark.position, 1) < first:  # the stream no longer holds the event at the mark, or the one after nothing
            mark = await self._from_feed(mark, first - 1)
        overlap = mark.position >= max(first, 1)
        consumer = await js.add_consumer(
            self.stream,
            ConsumerConfig(
                name=f"{self.service}-{uuid4().hex[:8]}",
                ack_policy=AckPolicy.NONE,
                deliver_policy=DeliverPolicy.BY_START_SEQUENCE,
                opt_start_seq=mark.position + 1 - overlap,
                inactive_threshold=30,
                mem_storage=True,
                num_replicas=1,
            ),
        )
        self.stopped = None
        STOPPED.labels(self.service, f"receiver:{self.source}").set(0)
        await self._follow(js, consumer.name, mark, overlap)

    async def _follow(self, js: JetStreamContext, consumer: str, mark: Mark, overlap: bool) -> None:
        subscription = await js.pull_subscribe_bind(consumer=consumer, stream=self.stream)
        asked, known = time.monotonic(), self.head
        try:
            while True:
                heed_cancellation()
                events = await self._fetch(js, subscription, consumer, mark)
                if overlap and events:
                    self._same(events[0], mark)
                    events, overlap = events[1:], False
                if events:
                    mark = await self._commit(mark, events, "stream")
                if time.monotonic() - asked > self.ask_every:
                    if mark.position < known:  # the source had more than this when it was last asked: its tail was lost
                        mark = await self._from_feed(mark, known)
                    if (await self._check_source(mark)).lineage != mark.lineage:
                        raise Gap("the source began a new lineage")
                    asked, known = time.monotonic(), self.head
        finally:
            if not self.nc.is_closed and self.nc.is_connected:
                await subscription.unsubscribe()

    async def _fetch(
        self, js: JetStreamContext, subscription: JetStreamContext.PullSubscription, consumer: str, mark: Mark
    ) -> list[FeedEvent]:
        """What has come, or nothing after `idle` seconds. Raises NotFoundError when the consumer is gone with its stream."""
        try:
            # Without a heartbeat: where messages lie ready nats-py asks without a limit of time, and NATS refuses both together.
            messages = await subscription.fetch(BATCH, timeout=self.idle)
        except TimeoutError:
            await js.consumer_info(self.stream, consumer)
            first = (await js.stream_info(self.stream)).state.first_seq
            if mark.position + 1 < first:
                raise Gap("the stream begins above the mark", first) from None
            return []
        return [self._event(message) for message in messages]

    def _event(self, message: Msg) -> FeedEvent:
        headers, position = message.headers or {}, message.metadata.sequence.stream
        try:
            lineage = UUID(headers[LINEAGE])
        except (KeyError, ValueError):
            raise HistoryDiffers(f"{self.source}: message {position} was not written by its relay") from None
        if headers.get(POSITION) != str(position):
            raise HistoryDiffers(f"{self.source}: message {position} says it is event {headers.get(POSITION)}")
        return FeedEvent(position, lineage, message.data)

    def _same(self, event: FeedEvent, mark: Mark) -> None:
        if event.position != mark.position:
            raise Gap(f"wanted {mark.position} once more, got {event.position}", event.position)
        if leaf_of(event.body) != mark.leaf or event.lineage != mark.lineage:
            raise HistoryDiffers(f"{self.source} at {mark.position}: not the event that was received")

    async def _mark(self) -> Mark:
        row = await self.pool.fetchrow(MARK, self.source)
        assert row is not None
        self.position = row["position"]
        return Mark(row["lineage"], row["position"], row["leaf"], row["digest"])

    async def _check_source(self, mark: Mark) -> Mark:
        """Asks the source itself. Raises HistoryDiffers when it is of another lineage, or its log ends below the mark.

        A source that is down answers nothing; its stream is then read all the same, and each message proves itself.
        """
        try:
            source = await self.feed.head()
        except (nats.errors.Error, NotReady):
            return mark
        self.head = source.position
        if mark.lineage is not None and source.lineage != mark.lineage:
            mark = await self._follow_child(mark, mark.lineage, source)
        if source.position < mark.position:
            raise HistoryDiffers(f"{self.source} ends at {source.position}, received was {mark.position}")
        return mark

    async def _follow_child(self, mark: Mark, known: UUID, source: FeedHead) -> Mark:
        """The source was restored and says so. Its new lineage is followed when everything received is part of its past."""
        shared = source.ancestors.get(known)
        if shared is None:
            raise HistoryDiffers(f"{self.source} is of lineage {source.lineage}, known is {known}")
        if mark.position > shared:
            raise HistoryDiffers(
                f"{self.source} was restored and goes on from {shared}, received was {mark.position}: "
                f"minewatch accept-lineage {self.service} {self.source}"
            )
        followed = Mark(source.lineage, mark.position, mark.leaf, mark.digest)
        await self._from_feed(followed, mark.position)
        if not await self.pool.fetchval(FOLLOW_CHILD, self.source, mark.position, known, source.lineage):
            raise Fenced
        log("receiver", service=self.service, source=self.source).warning("new lineage", shared=shared)
        return followed

    async def _from_feed(self, mark: Mark, upto: int) -> Mark:
        """Receives up to `upto` at least; in any case the event at the mark is looked at."""
        while True:
            page = await self.feed.after(max(0, mark.position - 1), BATCH)
            if mark.position > 0:
                if not page or page[0].position != mark.position:
                    raise HistoryDiffers(f"{self.source} has no event at {mark.position}")
                self._same(page[0], mark)
                page = page[1:]
            if mark.position >= upto:
                return mark
            if not page:
                raise HistoryDiffers(f"the stream of {self.source} goes beyond {upto}, its log ends at {mark.position}")
            mark = await self._commit(mark, page, "feed")

    async def _commit(self, mark: Mark, events: Sequence[FeedEvent], way: str) -> Mark:
        """One transaction: inbox rows and the mark. Lower positions were seen; a higher one is a gap."""
        events = [e for e in events if e.position > mark.position]
        if not events:
            return mark
        lineage, digest = mark.lineage or events[0].lineage, mark.digest
        kept: list[tuple[int, str | None, bytes]] = []
        for nth, event in enumerate(events, mark.position + 1):
            if event.position != nth:
                raise Gap(f"after {nth - 1} came {event.position}", event.position)
            if event.lineage != lineage:
                raise HistoryDiffers(f"{self.source} {event.position} is of lineage {event.lineage}, not {lineage}")
            event_id, kind = attributes(event.body, "id", "type")
            digest = digest_after(digest, event_id or "")
            if kind is None or kind in self.wanted:
                kept.append((event.position, kind, event.body))
        moved = Mark(lineage, events[-1].position, leaf_of(events[-1].body), digest)
        await self.points("receiver: before the commit")
        await self._store(mark, moved, kept)
        await self.points("receiver: after the commit")
        self.position = moved.position
        self.head = max(self.head, moved.position)
        RECEIVED.labels(self.service, self.source, way).inc(len(events))
        self.received.ring()
        for event in events:
            span_passed(traceparent_of(event.body), "receive", service=self.service, source=self.source)
        return moved

    async def _store(self, mark: Mark, moved: Mark, kept: Sequence[tuple[int, str | None, bytes]]) -> None:
        columns = [[row[n] for row in kept] for n in range(3)]
        walked = moved.position - mark.position
        async with self.pool.acquire() as connection, connection.transaction():
            if not await connection.fetchval(
                MOVE, self.source, mark.position, moved.lineage, moved.position, moved.leaf, moved.digest, walked
            ):
                raise Fenced
            await connection.execute(KEEP, self.source, moved.lineage, *columns)
