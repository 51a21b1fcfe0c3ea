"""One service as it runs: its card says what it is, this says how its parts are joined."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import asyncpg
import nats.errors
from fastapi import APIRouter
from nats.aio.client import Client

from shared import log_feed
from shared.app import App
from shared.bell import Chime
from shared.clock import Clock
from shared.contracts.registry import CONTRACTS
from shared.database import open_pool
from shared.decider import Decider
from shared.deliveries import BACK_OFF, Deliveries
from shared.ending import ended
from shared.errors import NotReady
from shared.evidence import Evidence
from shared.follower import Projection, Walk
from shared.half_restored import refuse_half
from shared.identity import forgetting
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import wrapper_of
from shared.log_signing import LogSigning
from shared.opening import Closed, nothing_closed
from shared.outside import Outside
from shared.parts import Points, no_points
from shared.plan.book import PlanBook
from shared.reaction import Reactions, Reactor
from shared.read_model import ReadModel, outgrown, tables_of
from shared.rebuilding import Rebuilding
from shared.receiver import Receiver
from shared.relay import Relay
from shared.replay import FILL_SHADOW, ONE_REBUILD, Progress, Replay, clear_shadow
from shared.retention import Retention, Tidying
from shared.sealer import ServiceSealer
from shared.sequencer import Sequencer
from shared.settings import PARTS, Settings
from shared.sql import Tx
from shared.standing import Standing, standing
from shared.stream import connect
from shared.telemetry import STOPPED, log, why
from shared.timers import Clockwork, Timers

EXCHANGING = (1.0, 2.0, 5.0, 10.0, *[30.0] * 20)
"""Seconds between the tries of a rebuild to put its tables in place while somebody reads for long."""
APART, TOGETHER = 0.02, 0.25
"""Seconds between the sequencer's looks: where appends come from another process, and where each of them rings its bell."""

LAST_CALLS = 8.0
"""Seconds that a call to the outside gets to end when the service stops; what is cut off is tried again after its lease."""


@dataclass(frozen=True)
class ServiceCard:
    """What a service is made of. `projections`: group name -> read models; a group stops alone when it fails.

    `custodians`: the deadlines that are kept only where the custodian's keys are; such work waits until a process has them.
    `outside`: makes the ways to the outside, None for a service that sends nothing; `evidence`: what can be taken out as such;
    `closed`: records of which no event is shown for now.
    """

    name: str
    title: str
    deciders: Sequence[Decider[Any]]
    inline: Sequence[ReadModel]
    projections: Mapping[str, Sequence[ReadModel]]
    reactions: Reactions
    timers: Timers
    routers: Sequence[APIRouter] = ()
    templates: Path | None = None
    rule_status: Mapping[str, int] = field(default_factory=dict)
    outside: Callable[[Settings, PlanBook], Outside] | None = None
    custodians: Callable[[KeyStore], Timers] | None = None
    evidence: Evidence = field(default_factory=lambda: Evidence({}))
    closed: Closed = nothing_closed

    def consumes(self) -> dict[str, frozenset[str]]:
        """source -> the types this service has a use for, its own left out."""
        types = set(self.reactions.types())
        types |= {e.type for group in self.projections.values() for model in group for e in model.events}
        sources = sorted({t.split(".", 1)[0] for t in types} - {self.name})
        return {source: frozenset(t for t in types if t.startswith(f"{source}.")) for source in sources}

    def models(self) -> list[ReadModel]:
        return [*self.inline, *(model for group in self.projections.values() for model in group)]


@dataclass
class Service:
    """A running service. `only` leaves parts out, so that each can be killed alone. `back_off`: real time between attempts."""

    card: ServiceCard
    settings: Settings
    clock: Clock
    only: frozenset[str] = frozenset(PARTS)
    points: Points = field(default=no_points)
    back_off: Sequence[timedelta] = BACK_OFF

    def __post_init__(self) -> None:
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = asyncio.Event()
        self.appended, self.sequenced = Chime(), Chime()
        self.received: dict[str, Chime] = {source: Chime() for source in self.card.consumes()}
        self.receivers: dict[str, Receiver] = {}
        self.projections: list[Projection] = []
        self.reactors: list[Reactor] = []
        self.relay: Relay | None = None
        self.outgrown: frozenset[str] = frozenset()
        self.died: dict[str, str] = {}
        self.outside: Outside | None = None
        self.custodian: KeyStore | None = None
        self.custodians_timers = Timers()
        self.deliveries: Deliveries | None = None
        self.on_erasure: list[Callable[[], None]] = []  # drops what this process keeps of a record's words
        self.beside: list[Callable[[], Awaitable[None]]] = []  # what was opened on it and ends with it

    @property
    def name(self) -> str:
        return self.card.name

    async def open(self) -> None:
        """Connects, and makes read model tables that are not there yet; those of an earlier version wait for `rebuild`.

        Raises NotReady where a restore has not come to its end, WrongMasterKey where the newest keys were wrapped otherwise."""
        s = self.settings
        self.pool = await open_pool(s.app_dsn, s.pool)
        self.log_pool = await open_pool(s.log_dsn, 2)
        self.keys_pool = await open_pool(s.keys_dsn, 2, "public")
        self.nc: Client = await connect(s.nats_url, f"minewatch-{self.name}")
        wrapper = wrapper_of(s.master_key, s.key_service)
        self.beside.append(wrapper.close)
        keys = KeyStore(self.keys_pool, wrapper, self.name, frozenset({"all", "office"}))
        await keys.see_that_it_opens()
        self.sealer = ServiceSealer(keys)
        self.custodians_pool: asyncpg.Pool | None = None
        if s.keys_custodian_dsn is not None and self.card.custodians is not None:
            self.custodians_pool = await open_pool(s.keys_custodian_dsn, 2, "public")
            read = frozenset({"all", "custodian"})
            self.custodian = KeyStore(self.custodians_pool, wrapper, self.name, read, remembered=0)
            self.custodians_timers = self.card.custodians(self.custodian)
        await forgetting.listen(self.nc, s.jurisdiction, keys, self.on_erasure)
        self.book = PlanBook(s.plans)
        self.app = App(
            service=self.name,
            jurisdiction=s.jurisdiction,
            pool=self.pool,
            deciders=self.card.deciders,
            inline=self.card.inline,
            sealer=self.sealer,
            clock=self.clock,
            terms=self.book.terms,
        )
        async with self.pool.acquire() as connection, connection.transaction():
            await refuse_half(connection, self.name)
            await connection.execute("SELECT pg_advisory_xact_lock(hashtext('minewatch views'))")
            await clear_shadow(Tx(connection))
            self.outgrown = await outgrown(Tx(connection), self.card.models())
            for model in self.card.models():
                if self.outgrown.isdisjoint(tables_of([model])):
                    for statement in model.ddl():
                        await connection.execute(statement)
        self._join()

    def _join(self) -> None:
        """Builds every part; `start` runs those that are wanted."""
        s, name = self.settings, self.name
        poll = TOGETHER if self.only >= set(PARTS) else APART
        self.sequencer = Sequencer(
            name, self.log_pool, self.clock, self.app.appended, self.sequenced, poll=poll, points=self.points
        )
        self.relay = Relay(
            name, s.jurisdiction, self.pool, self.nc, self.sequenced.bell(), keep=s.keep, points=self.points
        )
        consumed = self.card.consumes()
        for source, wanted in consumed.items():
            feed = log_feed.NatsFeed(self.nc, s.jurisdiction, source)
            self.receivers[source] = Receiver(
                name,
                s.jurisdiction,
                source,
                self.pool,
                self.nc,
                feed,
                wanted,
                self.received[source],
                points=self.points,
            )
        for source in (name, *consumed):
            self._follow(source, self.sequenced if source == name else self.received[source])
        self.rebuilding = Rebuilding(name, self.pool, self.sealer.keys.forget, self.rebuild)
        self.timer_bell = Chime()
        timers = Timers({**self.card.timers.handlers, **self.custodians_timers.handlers})
        self.clockwork = Clockwork(name, timers, self.app, self.timer_bell.bell(), points=self.points)
        if self.card.outside is not None:
            from shared.wake_ups import WakeUps  # FastStream: only a service that sends waits for it

            self.outside = self.card.outside(s, self.book)
            caller = WakeUps(s.nats_url, s.jurisdiction, name)
            self.deliveries = Deliveries(name, self.pool, self.app, self.outside, caller, self.back_off)
            self.deliveries.points, self.deliveries.wake = self.points, self.sequenced.bell()
        self.log_signing = LogSigning(s, self.pool, self.points)

    def _follow(self, source: str, chime: Chime) -> None:
        """The projections of one source, and its reactions, whose bell the projections ring: a reaction may wait for them."""
        walk, bell = Walk(self.name, source), chime.bell()
        for group, models in self.card.projections.items():
            if any(e.type.startswith(f"{source}.") for m in models for e in m.events):
                projection = Projection(self.name, group, walk, models, self.pool, self.sealer, chime.bell(), bell)
                projection.points = self.points
                self.projections.append(projection)
        if any(t.startswith(f"{source}.") for t in self.card.reactions.types()):
            self.reactors.append(Reactor(self.name, walk, self.card.reactions, self.app, bell, points=self.points))

    def start(self) -> None:
        """Runs the wanted parts in the background. Raises NotReady while a read model is an earlier version's."""
        if self.outgrown:
            tables = ", ".join(sorted(self.outgrown))
            raise NotReady(f"{tables}: made by an earlier version; run minewatch rebuild {self.name}")
        wanted: list[tuple[str, Any]] = [("sequencer", self.sequencer.run())] if "sequencer" in self.only else []
        if "relay" in self.only and self.relay is not None:
            wanted += [("relay", self.relay.run())]
            wanted += [("feed", log_feed.serve(self.nc, self.settings.jurisdiction, self.name, self.pool))]
        if "receiver" in self.only:
            wanted += [(f"receiver {source}", r.run()) for source, r in self.receivers.items()]
        if "follower" in self.only:
            wanted += [(f"projection {p.group} {p.walk.source}", p.run()) for p in self.projections]
            wanted += [(f"reactions {r.walk.source}", r.run()) for r in self.reactors]
            wanted += [("rebuilding", self.rebuilding.run())]
        if "timers" in self.only:
            wanted += [("timers", self.clockwork.run())]
            tidying = Tidying(self.name, self.pool, Retention.from_environment(), keys=self.custodian)
            wanted += [("tidying", tidying.run())]
            wanted += [("clearing", tidying.clears())] if self.custodian is not None else []
        if "jobs" in self.only and self.deliveries is not None:
            wanted += [("jobs", self.deliveries.run(self._stopping))]
        if "checkpoint" in self.only:
            wanted += self.log_signing.parts()
        for part, work in wanted:
            self._tasks.append(asyncio.create_task(self._watched(part, work), name=f"{self.name} {part}"))

    async def rebuild(self, progress: Progress = lambda *_: None) -> None:
        """Builds all read models anew beside the live ones and swaps them in, whether the service runs or stands still.

        Raises NotReady while another rebuild of it is under way: two would fill the same shadow.
        """
        # Of its own: where nothing else runs, nobody else gives a number to what the last version left without one.
        sequencer = Sequencer(self.name, self.log_pool, self.clock, self.app.appended, self.sequenced)
        numbering = asyncio.create_task(sequencer.run())
        pool = await open_pool(self.settings.app_dsn, 3, "shadow, work, record")
        card = self.card
        try:
            async with pool.acquire() as alone:
                if not await alone.fetchval(ONE_REBUILD):
                    raise NotReady(f"another rebuild of {self.name} is under way")
                await alone.execute(FILL_SHADOW)
                replay = Replay(self.name, pool, self.sealer, card.inline, card.projections, list(card.consumes()))
                await replay.fill(progress)
                for pause in EXCHANGING:
                    try:
                        await replay.swap()
                        break
                    except NotReady as reason:  # hours of filling are not thrown away for somebody who reads
                        log("rebuild", service=self.name).info("not exchanged yet", reason=str(reason), after=pause)
                    await asyncio.sleep(pause)
                    await replay.go_on(progress)
                else:
                    await replay.swap()
        finally:
            await ended([numbering])
            await pool.close()
            async with self.pool.acquire() as connection, connection.transaction():
                await clear_shadow(Tx(connection))
        self.outgrown = frozenset()

    async def _watched(self, part: str, work: Any) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception as error:
            STOPPED.labels(self.name, part).set(1)
            self.died[part] = type(error).__name__
            log(part, service=self.name).error("part died", error=type(error).__name__, text=why(error))

    async def standing(self) -> Standing:
        """One look at everything: what waits for a number, for a follower, for its time, or for an answer from outside.

        A delivery in back-off counts as well: real time has to pass before it is done or dead.
        """
        followers = [(p.follower, p.walk.source) for p in self.projections if p.stopped is None]
        followers += [("reactions", r.walk.source) for r in self.reactors]
        timers, sends = self.clockwork.timers.handlers, self.deliveries is not None
        return await standing(self.pool, self.name, followers, timers, sends, self.clock.now())

    async def quiet(self) -> bool:
        """Nothing waits for a number, every mark is at its source's head as seen here, no deadline is due, no delivery open."""
        return (await self.standing()).quiet

    async def marks_and_head(self) -> tuple[int, dict[str, int]]:
        """(own head, source -> received up to)."""
        now = await self.standing()
        return now.head, now.received

    async def close(self) -> None:
        """Stops every part, lets calls to the outside and transactions under way end, and closes connections."""
        self._stopping.set()
        if jobs := [task for task in self._tasks if task.get_name().endswith(" jobs")]:
            await asyncio.wait(jobs, timeout=LAST_CALLS)
        await ended(self._tasks)
        self._tasks.clear()
        for close in self.beside:
            await close()
        if self.outside is not None:
            await self.outside.close()
        await self.log_signing.close()
        if not self.nc.is_closed:
            with contextlib.suppress(nats.errors.Error, OSError):  # the server may be gone, or go in this moment
                await self.nc.close()
        for pool in (self.pool, self.log_pool, self.keys_pool, self.custodians_pool):
            if pool is None:
                continue
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(pool.close(), 5)


def check_contracts(card: ServiceCard) -> None:
    """Raises ValueError when a decider publishes what the registry does not know, or another service's facts."""
    known = CONTRACTS.types
    for decider in card.deciders:
        for event in decider.events:
            if known.get(event.type) is not event or not event.type.startswith(f"{card.name}."):
                raise ValueError(f"{card.name} may not publish {event.type}")
