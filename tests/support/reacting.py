"""Reacting in the toy town, and counting what came of it."""

from typing import Any

from shared.bell import Bell
from shared.contracts.cases.site import SiteKeeperAssigned, SiteRegistered
from shared.contracts.envelope import read
from shared.decider import Command
from shared.follower import Walk
from shared.reaction import Reactions, Reactor, count_parked
from tests.support.kernel import OpenSite, Place, Struck
from tests.support.toy import Mirror

BEFORE, AFTER = "reaction: before the commit", "reaction: after the commit"
HAPPENED = "SELECT stream_id, version, type FROM record.event WHERE stream_id LIKE '%-copy' ORDER BY stream_id, version"


def a_reactor(place: Place, reactions: Reactions, source: str | None = None, **changes: Any) -> Reactor:
    """Over the own log, or the inbox of `source`."""
    walk = Walk(place.name, source or place.name)
    return Reactor(place.name, walk, reactions, place.app, changes.pop("bell", Bell()), **changes)


async def copies(place: Place) -> dict[str, int]:
    """Stream of a copy -> how many events it has."""
    rows = await place.pool.fetch(HAPPENED)
    return {row["stream_id"]: row["version"] for row in rows}


async def adds_up(place: Place, source: str | None = None) -> dict[str, int]:
    """applied + parked + queued = mark; the counts."""
    row = await place.pool.fetchrow(
        "SELECT position, applied FROM work.mark WHERE follower = 'reactions' AND source = $1", source or place.name
    )
    waiting = await count_parked(place.pool)
    assert row is not None and row["applied"] + waiting["parked"] + waiting["queued"] == row["position"]
    return waiting


async def walked(place: Place, reactor: Reactor) -> None:
    """Numbers what waits and reacts, until nothing new comes of it."""
    while True:
        head = await place.number()
        while await reactor.once():
            pass
        if await place.number() == head:
            return


async def receive(source: Place, reader: Place) -> None:
    """The whole log, as a receiver would bring it."""
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    for position, body in enumerate(await source.bodies(), 1):
        await reader.pool.execute(
            "INSERT INTO record.inbox VALUES ('cases', $1, $2, $3, $4) ON CONFLICT DO NOTHING",
            lineage,
            position,
            read(body).type,
            body,
        )
    await reader.pool.execute(
        "INSERT INTO work.mark (follower, source, lineage, position) VALUES ('receiver', 'cases', $1, $2)"
        " ON CONFLICT (follower, source) DO UPDATE SET position = excluded.position",
        lineage,
        len(await source.bodies()),
    )


def two_reactions(mirror: Mirror, refuses: set[str]) -> Reactions:
    """`copy` and after it `second`, which opens `<site>-copy-2`."""

    @mirror.reactions.on(SiteRegistered, SiteKeeperAssigned)
    async def second(e: Any, _: Any) -> list[Command]:
        if e.stream_id.endswith("-copy") or "copy-2" in e.stream_id:
            return []
        if e.stream_id in refuses:
            raise Struck
        if isinstance(e.event, SiteRegistered):
            return [OpenSite(site=f"{e.stream_id.removeprefix('site-')}-copy-2", no=-1000 - e.event.site_no)]
        return []

    mirror.refuses.add("site-a-copy-2")
    return mirror.reactions
