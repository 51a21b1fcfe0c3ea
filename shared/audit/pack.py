"""An evidence pack: records with everything that proves them whole, in one file that opens without this software.

The order itself is an event in the log of each service that gives something (kind `evidence_pack`). It states the heads of all
streams, so that the proof covers what is missing as well, and it stands in the log before a byte leaves.
"""

import asyncio
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from uuid import UUID

import asyncpg

from shared.app import App, Cause
from shared.audit.covered import covering, numbered, stated
from shared.audit.heads import heads_at
from shared.audit.pack_files import KeptFile, files_of
from shared.checkpoints import newest
from shared.contracts.envelope import Recorded, read
from shared.contracts.event import Event
from shared.contracts.parts import Heads, InPack, Opening
from shared.decider import Actor
from shared.errors import NotFound, NotReady
from shared.evidence import Evidence
from shared.files import Files
from shared.ids import fresh
from shared.opening import must_be_a_reason, near_informant, record_opening
from shared.proving import inclusion_proof
from shared.sql import Tx
from shared.transparency import heads as tree_of_heads
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from shared.transparency.policy import Policy

KIND = "evidence_pack"
MOST_RECORDS = 50
PATIENCE = 15.0
"""Seconds of real time to wait for a checkpoint: a signer makes one every ten when the log has grown."""
NUMBERING = 10.0
"""Seconds that the order's event gets for its number, whatever is left of the patience for a checkpoint."""
COURTESY = 3.0
"""Seconds to wait for the lines of witnesses that the policy can do without."""
LOOK_AGAIN = 0.2

UNNUMBERED = """
SELECT EXISTS (SELECT FROM record.event e LEFT JOIN record.log l USING (event_id)
    WHERE e.stream_id = ANY($1) AND l.event_id IS NULL)
"""
THERE = "SELECT DISTINCT stream_id FROM record.event WHERE stream_id = ANY($1)"
EVENTS = """
SELECT l.position, e.body FROM record.event e JOIN record.log l USING (event_id)
WHERE (e.stream_id = ANY($1) AND l.position <= $2) OR e.event_id = $3 ORDER BY l.position
"""


class NoNumberYet(NotReady):
    """这些记录刚有新的事件，还没有编号。请稍后再试；仍不行，请管理员查看服务是否正常。
    Events of these records have no number yet. Try again; if it stays so, see whether the service runs."""


class NoCheckpointYet(NotReady):
    """调阅已登记，但还没有覆盖它的签名检查点。请稍后再试；仍不行，请管理员查看签名程序是否在运行。
    The order is recorded, but no signed checkpoint covers it yet. Try again; if it stays so, see whether the signer runs."""


class NoQuorumYet(NotReady):
    """调阅已登记，但见证单位的签名还不够。请稍后再试；仍不行，请管理员查看见证程序是否在运行。
    The order is recorded, but too few witnesses signed what covers it. Try again; if that does not help, see whether they run."""


@dataclass(frozen=True)
class Source:
    """A service that gives evidence. `policy`: whose signatures its checkpoints are to have; None: the log's own will do."""

    app: App
    files: Files
    evidence: Evidence
    policy: Policy | None = None

    @property
    def name(self) -> str:
        return self.app.service

    @property
    def pool(self) -> asyncpg.Pool:
        return self.app.pool


@dataclass(frozen=True)
class Order:
    """Who wants it and why. `services`: whose sections the pack will have, all of them; `cause`: the request, so that its
    repetition is the same order; `id` stands for this order in each of the services."""

    who: Actor
    reason: str
    services: tuple[str, ...]
    cause: Cause | None = None
    id: UUID = field(default_factory=fresh)


@dataclass(frozen=True)
class StreamHead:
    """`version`: the last one; `index` and `path`: its place in the tree of heads."""

    stream: str
    version: int
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Placed:
    """An event with its texts opened as far as this service may, and the proof that it is in the log."""

    recorded: Recorded[Event]
    path: tuple[bytes, ...]

    @property
    def position(self) -> int:
        assert self.recorded.position is not None
        return self.recorded.position


@dataclass(frozen=True)
class Section:
    """What one service gives. `statement`: the position of the order; its event is the last of `events`."""

    service: str
    checkpoint: Note
    streams: tuple[StreamHead, ...]
    events: tuple[Placed, ...]
    statement: int
    files: tuple[KeptFile, ...]

    @property
    def point(self) -> Checkpoint:
        return Checkpoint.read(self.checkpoint.text)

    @property
    def order(self) -> Recorded[Event]:
        return next(e.recorded for e in self.events if e.position == self.statement)


async def belonging(
    sources: Mapping[str, Source], service: str, about: Sequence[str], who: Actor
) -> dict[str, list[str]]:
    """service -> streams: the records themselves, and what belongs to them in each of `sources` that `who` may have.

    Raises NotFound or NotPermitted for a record of `about`.
    """
    for stream in about:
        sources[service].evidence.must_allow(who, stream)
    async with sources[service].pool.acquire() as connection:
        origin = await sources[service].evidence.rests_on(Tx(connection), about)
    wanted = list(dict.fromkeys([*about, *origin]))
    found: dict[str, list[str]] = {service: list(dict.fromkeys(about))}
    for name, source in sources.items():
        async with source.pool.acquire() as connection:
            tx = Tx(connection)
            there = [row[0] for row in await tx.all(THERE, (wanted,))] if name != service else []
            there += await source.evidence.about(tx, wanted)
        allowed = [stream for stream in sorted(there) if source.evidence.allows(who, stream)]
        if allowed:
            found[name] = list(dict.fromkeys([*found.get(name, ()), *allowed]))
    return found


def orders(found: Mapping[str, Sequence[str]], who: Actor, reason: str) -> dict[str, Order]:
    """One order for all that `belonging` found: the order of each service. Where the reason may name an informant, only those
    orders say it whose keys go with the informant; the others say where it stands. Raises OpeningNeedsReason."""
    must_be_a_reason(reason)
    order = Order(who, reason, tuple(found))
    near = [name for name, streams in found.items() if near_informant(streams)]
    told = f"理由见 {', '.join(near)} 的调阅记录 the reason stands in the order there"
    return {name: order if name in near or not near else replace(order, reason=told) for name in found}


async def section(source: Source, streams: Sequence[str], order: Order, patience: float = PATIENCE) -> Section:
    """Records the order, waits for a checkpoint that covers it, and proves everything on that.

    Raises OpeningNeedsReason, NotFound for a stream without events, NoNumberYet, NoCheckpointYet, NoQuorumYet.
    """
    until = time.monotonic() + patience
    event_id = await _ordered(source, tuple(dict.fromkeys(streams)), order, until)
    position = await numbered(source.pool, event_id, NUMBERING)
    note = await _covering(source, position, until)
    size = Checkpoint.read(note.text).size
    async with (
        source.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        tx = Tx(connection)
        statement = read((await tx.all(EVENTS, ([], 0, event_id)))[0]["body"]).event
        assert isinstance(statement, Opening) and statement.heads is not None
        proven = await _heads(tx, statement.heads, statement.about)
        rows = await tx.all(EVENTS, (list(statement.about), statement.heads.size, event_id))
        recorded = await source.app.sealer.open([read(row["body"], row["position"]) for row in rows])
        events = [Placed(one, tuple(await inclusion_proof(tx, one.position or 0, size))) for one in recorded]
        files = await files_of(source.files, tx, (e.event for e in recorded))
    return Section(source.name, note, tuple(proven), tuple(events), position, tuple(files))


async def _ordered(source: Source, streams: Sequence[str], order: Order, until: float) -> UUID:
    """Records the order, with the heads of everything that was numbered before it; the event's id."""
    while await source.pool.fetchval(UNNUMBERED, list(streams)):  # what the orderer has seen belongs into the pack
        if time.monotonic() >= until:
            raise NoNumberYet
        await asyncio.sleep(LOOK_AGAIN)
    async with (
        source.pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        tx = Tx(connection)
        heads = await stated(tx)
        there = {row[0] for row in await tx.all(THERE, (list(streams),))}
    if missing := set(streams) - there:
        raise NotFound(", ".join(sorted(missing)))
    assert source.name in order.services
    return await record_opening(
        source.app,
        kind=KIND,
        about=streams,
        reason=order.reason,
        actor=order.who,
        heads=heads,
        pack=InPack(order=str(order.id), services=order.services),
        cause=replace(order.cause, expected_version=None) if order.cause else None,
    )


async def _covering(source: Source, position: int, until: float) -> Note:
    note = await covering(source.pool, position, source.policy, until - time.monotonic())
    if note is not None and Checkpoint.read(note.text).size >= position:
        return await _with_witnesses(source, note, min(until, time.monotonic() + COURTESY))
    async with source.pool.acquire() as connection:
        bare = await newest(Tx(connection))
    signed = bare is not None and Checkpoint.read(bare.text).size >= position
    raise NoQuorumYet if signed else NoCheckpointYet


async def _with_witnesses(source: Source, note: Note, until: float) -> Note:
    """The same checkpoint with the lines of the witnesses that the policy names and does not insist on, if they come soon."""
    named = {key.name for key in source.policy.witnesses.values()} if source.policy is not None else set()
    while named - {line.name for line in note.lines} and time.monotonic() < until:
        await asyncio.sleep(LOOK_AGAIN)
        async with source.pool.acquire() as connection:
            now = await newest(Tx(connection), policy=source.policy)
        note = now if now is not None else note
    return note


async def _heads(tx: Tx, stated: Heads, streams: Sequence[str]) -> list[StreamHead]:
    heads = await heads_at(tx, stated.size)
    version = {head.stream: head.version for head in heads}
    proven = []
    for stream in streams:
        index, path = tree_of_heads.proof(heads, stream)
        proven.append(StreamHead(stream, version[stream], index, tuple(path)))
    return proven
