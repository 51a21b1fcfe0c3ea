"""Three tables that are rebuilt, and what they must hold, found by other means."""

import json
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, bindparam
from sqlalchemy.dialects.postgresql import insert

from shared.bell import Bell
from shared.contracts.cases.site import EVENTS, SiteRegistered
from shared.contracts.envelope import Recorded, attribute
from shared.follower import Projection, Walk
from shared.read_model import ReadModel, Write
from shared.replay import Replay
from tests.support.kernel import Place
from tests.support.toy import LINES, SEEN_MODEL

TYPE = Table(
    "toy_type",
    MetaData(),
    Column("type", Text, primary_key=True),
    Column("events", BigInteger),
    Column("last", BigInteger),
)
_ONE = insert(TYPE).values(type=bindparam("type"), events=1, last=bindparam("last"))
_ONE = _ONE.on_conflict_do_update(
    index_elements=["type"], set_={"events": TYPE.c.events + 1, "last": _ONE.excluded.last}
)


def project_type(e: Recorded[Any]) -> list[Write]:
    return [(_ONE, {"type": e.type, "last": e.position})]


BY_TYPE = ReadModel("toy_type", (TYPE,), EVENTS, project_type)
GROUPS = {"seen": [SEEN_MODEL], "types": [BY_TYPE]}


def a_replay(place: Place, pool: asyncpg.Pool, **changes: Any) -> Replay:
    about: dict[str, Any] = {"inline": [LINES], "groups": GROUPS, "sources": ["intake"]} | changes
    return Replay(place.name, pool, place.app.sealer, **about)


def projections(place: Place, poll: float = 0.02) -> list[Projection]:
    walk, pool, sealer = Walk("cases", "cases"), place.pool, place.app.sealer
    return [Projection("cases", g, walk, models, pool, sealer, Bell(), poll=poll) for g, models in GROUPS.items()]


async def caught_up(place: Place) -> None:
    """Everything numbered and projected."""
    await place.number()
    for projection in projections(place):
        while await projection.once():
            pass


async def content(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    sql = {"toy_line": "site", "toy_seen": "position", "toy_type": "type"}
    return {
        table: [tuple(row) for row in await place.pool.fetch(f"SELECT * FROM view.{table} ORDER BY {by}")]
        for table, by in sql.items()
    }


async def recomputed(place: Place) -> dict[str, list[tuple[Any, ...]]]:
    """What the tables must hold, from the log and by other means."""
    lines: dict[str, list[Any]] = {}
    types: dict[str, list[int]] = {}
    seen = []
    for position, (body, event_id) in enumerate(zip(await place.bodies(), await place.events(), strict=True), 1):
        subject, kind = attribute(body, "subject") or "", attribute(body, "type") or ""
        seen.append((position, "cases", str(event_id), kind))
        types.setdefault(kind, [0, 0])[:] = [types.get(kind, [0])[0] + 1, position]
        if kind == SiteRegistered.type:
            data = json.loads(body)["data"]
            lines[subject] = [data["site_no"], data["name"], 0]
        elif kind == "cases.site.keeper_assigned.v1":
            lines[subject][2] += 1
    return {
        "toy_line": sorted((site, *row) for site, row in lines.items()),
        "toy_seen": seen,
        "toy_type": sorted((kind, *counted) for kind, counted in types.items()),
    }


async def marks(place: Place) -> list[tuple[Any, ...]]:
    sql = "SELECT follower, source, position, applied FROM work.mark WHERE follower <> 'receiver' ORDER BY 1, 2"
    return [tuple(row) for row in await place.pool.fetch(sql)]


async def damage(place: Place) -> None:
    for statement in ("UPDATE toy_line SET name = '?'", "DELETE FROM toy_seen", "UPDATE toy_type SET events = 0"):
        await place.pool.execute(statement)
