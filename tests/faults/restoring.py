"""A database put back to an older state, and what a person then has to say: of the source, that it begins a new lineage; of each
reader that received more than the source still knows, that this no longer counts; to the witness, what the log is called now."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import asyncpg

from shared.log_feed import ANCESTORS
from shared.settings import SERVICES
from tests.faults import signing
from tests.faults.injuries import NotDone
from tests.faults.schedule import Step
from tests.faults.settling import AWAY
from tests.faults.town import CARDS, Restore, Town

PATIENCE = 120.0
"""Seconds in which one more reader has accepted, or is rebuilt, while other faults go on."""

IDS = "SELECT event_id FROM record.event"
HEAD = "SELECT lineage, position FROM work.head"
MARK = "SELECT lineage, position FROM work.mark WHERE follower = 'receiver' AND source = $1"
CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1"


async def restore(town: Town, step: Step) -> None:
    """Copies the database, lets the service go on for a while, puts the copy in its place, and says so everywhere."""
    service = step.target
    async with town.at(town.postgres):
        stale = await _copy(town, service)
    await asyncio.sleep(float(step.parameter))
    async with town.at(town.postgres):
        done = await _put_back(town, service)
    if stale:
        town.stale.add(service)
    async with town.deciding:
        await _introduce(town)
        await _accept_everywhere(town)
    done.accepted = datetime.now(UTC)


async def rebuild_stale(town: Town) -> None:
    """Rebuilds the read models of every service that accepted a restore and was interrupted before its own rebuild was done."""
    until, said, last = 0.0, "", set[str]()
    async with town.deciding:
        while town.stale:
            if town.stale != last:
                until, last = asyncio.get_running_loop().time() + PATIENCE, set(town.stale)
            if asyncio.get_running_loop().time() > until:
                raise NotDone(f"not rebuilt: {sorted(town.stale)}, last: {said[-300:]}")
            for reader in sorted(town.stale):
                code, said = await town.supervisor.once(f"{reader}.rebuild", ["rebuild", reader])
                if code == 0:
                    town.stale.discard(reader)
            await asyncio.sleep(0.3)


async def _copy(town: Town, service: str) -> bool:
    """Whether the copy holds read models that had yet to be rebuilt."""
    async with town.database("postgres") as server:
        await server.execute(f'ALTER DATABASE "{service}" CONNECTION LIMIT 0')
        try:
            await server.execute(CUT, service)
            await server.execute(f'CREATE DATABASE "{service}_kept" TEMPLATE "{service}" OWNER "{service}_owner"')
        finally:
            await server.execute(f'ALTER DATABASE "{service}" CONNECTION LIMIT -1')
    return service in town.stale


async def _put_back(town: Town, service: str) -> Restore:
    began = datetime.now(UTC)
    # All that are wanted, also who just died: started on the old state, a relay would find that histories differ.
    await town.supervisor.hold([name for name in town.supervisor.wanted if name.startswith(f"{service}.")])
    async with town.database(service) as live, town.database(f"{service}_kept") as kept:
        had = {row[0] for row in await live.fetch(IDS)}
        has = {row[0] for row in await kept.fetch(IDS)}
        head = await kept.fetchrow(HEAD)
    assert head is not None
    async with town.database("postgres") as server:
        await server.execute(f'DROP DATABASE "{service}" WITH (FORCE)')
        await server.execute(f'ALTER DATABASE "{service}_kept" RENAME TO "{service}"')
    code, said = await town.supervisor.once(f"{service}.restore", ["restore", service, "--new-lineage"])
    if code != 0:
        raise NotDone(f"minewatch restore {service}: {said}")
    async with town.database(service) as live:
        lineage = await live.fetchval("SELECT lineage FROM work.head")
    done = Restore(service, head["position"], head["lineage"], lineage, frozenset(had - has), began)
    town.restores.append(done)
    await town.supervisor.want([name for name in town.processes if name.startswith(f"{service}.")])
    return done


@dataclass(frozen=True)
class Pair:
    """A service that receives from another."""

    reader: str
    source: str


async def _introduce(town: Town) -> None:
    """The signer knows a restored log by the name that says what it grew from; the witness must be told the name."""
    while True:
        try:
            return await signing.introduce(town)
        except AWAY:
            await asyncio.sleep(0.5)


async def _accept_everywhere(town: Town) -> None:
    """Also by the restored service itself: it may have gone back before it accepted somebody else's restore."""
    until, said, last = 0.0, "", list[Pair]()
    while True:
        try:
            waiting = await _waiting(town)
        except AWAY:
            await asyncio.sleep(0.5)
            continue
        if not waiting:
            return
        if waiting != last:
            until, last = asyncio.get_running_loop().time() + PATIENCE, waiting
        if asyncio.get_running_loop().time() > until:
            raise NotDone(f"not accepted: {waiting}, last: {said[-300:]}")
        for pair in waiting:
            town.stale.add(pair.reader)
            words = ["accept-lineage", pair.reader, pair.source]
            code, said = await town.supervisor.once(f"{pair.reader}.accept", words)
            if code == 0:
                town.stale.discard(pair.reader)
        await asyncio.sleep(0.3)


async def _waiting(town: Town) -> list[Pair]:
    """Who received more than its source still knows."""
    heads: dict[str, tuple[UUID, dict[UUID, int]]] = {}
    for name in SERVICES:
        async with town.database(name) as connection:
            lineage = await connection.fetchval("SELECT lineage FROM work.head")
            heads[name] = lineage, {row["parent"]: row["shared"] for row in await connection.fetch(ANCESTORS)}
    pairs: list[Pair] = []
    for name in SERVICES:
        async with town.database(name) as connection:
            for source in CARDS[name].consumes():
                if _differs(await connection.fetchrow(MARK, source), *heads[source]):
                    pairs.append(Pair(name, source))
    return pairs


def _differs(mark: asyncpg.Record | None, lineage: UUID, ancestors: dict[UUID, int]) -> bool:
    if mark is None or mark["lineage"] in (None, lineage):
        return False
    shared = ancestors.get(mark["lineage"])
    return shared is None or bool(mark["position"] > shared)
