"""One line a patrol. state: planned | started | recorded | void.

A plan with any reason but `routine` is sealed until the patrol begins, is void, or its day is over: for everybody but those who
planned it, and those who walk for its unit. Each line says whether it is sealed for whoever looks.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import asyncpg
from sqlalchemy import (
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    and_,
    bindparam,
    func,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from services.intake.patrol import ROUTINE
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.intake import patrol
from shared.contracts.intake.patrol import (
    PatrolCorrected,
    PatrolEnteredInError,
    PatrolPlanned,
    PatrolRecorded,
    PatrolStarted,
)
from shared.errors import NotFound
from shared.read_model import MetaData, ReadModel, Words, Write
from shared.sql import Tx

LINE = Table(
    "patrol_line",
    MetaData(),
    Column("patrol", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("village", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("patrol_class", Text),
    Column("planned_on", Date),
    Column("reason", Text),
    Column("planners", ARRAY(Text)),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
    Column("members", ARRAY(Text)),
    Column("route_sha256", Text),
    Column("points", Integer),
    Column("metres", Integer),
    Column("findings", Integer),
    Column("live", Boolean, nullable=False),
    Column("no_finding", Boolean),
    Column("handling", Text),
    Column("handling_note", Words),
    Column("offline", Boolean),
    Column("recorded_at", DateTime(timezone=True)),
    Column("at", DateTime(timezone=True), nullable=False),
    Index("patrol_line_newest", "at", "patrol"),
)
"""`at` orders the list: when it last happened outside (planned, started, ended). `planners`: who planned it, and for whom."""

CORRECTABLE = ("village", "unit", "patrol_class", "started_at", "ended_at", "handling", "handling_note")
_OF = LINE.c.patrol == bindparam("of_patrol")

PUT = insert(LINE)
PUT = PUT.on_conflict_do_update(
    index_elements=["patrol"],
    set_={
        name: PUT.excluded[name]
        for name in LINE.columns.keys()  # noqa: SIM118
        if name not in ("patrol", "planned_on", "reason", "planners")
    },
)
START = insert(LINE)
START = START.on_conflict_do_update(
    index_elements=["patrol"],
    set_={name: START.excluded[name] for name in ("version", "state", "village", "unit", "started_at", "at")},
)
CORRECT = {
    name: update(LINE).where(_OF).values({"version": bindparam("at_version"), name: bindparam(f"new_{name}")})
    for name in CORRECTABLE
}
CORRECT_NOTHING = update(LINE).where(_OF).values(version=bindparam("at_version"))
VOID = update(LINE).where(_OF).values(version=bindparam("at_version"), state="void")


@dataclass(frozen=True)
class Eyes:
    """Who looks, and on which day. `unit`: whose plans they know, empty for a post that knows of none."""

    person: str
    unit: str
    today: date


_KNOWS = or_(
    bindparam("person", type_=Text) == LINE.c.planners.any_(), LINE.c.unit == bindparam("walks_for", type_=Text)
)
SEALED = and_(
    LINE.c.state == "planned",
    func.coalesce(LINE.c.reason, "") != ROUTINE,
    func.coalesce(LINE.c.planned_on >= bindparam("today", type_=Date), True),
    not_(func.coalesce(_KNOWS, False)),
)
_SEEN = select(LINE, SEALED.label("sealed"))

ONE = _SEEN.where(LINE.c.patrol == bindparam("patrol"))
# Newest first; a filter that is NULL lets everything through; `after` is the last line of the page before. A question for a
# place or a unit is not answered with what is sealed: it would tell where.
PAGE = (
    _SEEN.where(
        *(
            or_(bindparam(name, type_=Text).is_(None), LINE.c[name] == bindparam(name, type_=Text))
            for name in ("state", "village", "unit")
        ),
        or_(
            and_(bindparam("village", type_=Text).is_(None), bindparam("unit", type_=Text).is_(None)),
            not_(SEALED),
        ),
        or_(
            bindparam("after_at", type_=DateTime(timezone=True)).is_(None),
            tuple_(LINE.c.at, LINE.c.patrol)
            < tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_patrol", type_=Text)),
        ),
    )
    .order_by(LINE.c.at.desc(), LINE.c.patrol.desc())
    .limit(bindparam("most", type_=Integer))
)


def project(e: Recorded[Any]) -> Iterator[Write]:
    key = {"of_patrol": e.stream_id.removeprefix("patrol-"), "at_version": e.version}
    match e.event:
        case PatrolPlanned() as p:
            planned = {"state": "planned", "planned_on": p.planned_on, "reason": p.reason, "at": e.occurred_at}
            planned["planners"] = [person for person in (e.actor, (e.on_behalf_of or "").partition(";")[0]) if person]
            yield PUT, _line(e) | {"patrol_class": p.patrol_class, **planned}
        case PatrolStarted():
            yield START, _line(e) | {"state": "started", "started_at": e.occurred_at, "at": e.occurred_at}
        case PatrolRecorded() as p:
            yield PUT, _line(e) | _record(p) | {"state": "recorded", "recorded_at": e.recorded_at, "at": p.ended_at}
        case PatrolCorrected() as p if p.field in CORRECT:
            value = p.value.at or p.value.code or text_of(p.value.text)
            yield CORRECT[p.field], {**key, f"new_{p.field}": value}
        case PatrolCorrected():
            yield CORRECT_NOTHING, key
        case PatrolEnteredInError():
            yield VOID, key


def _line(e: Recorded[Any]) -> dict[str, Any]:
    nothing = dict.fromkeys(column.name for column in LINE.columns)
    own = {"patrol": e.stream_id.removeprefix("patrol-"), "version": e.version, "live": False}
    return nothing | own | {"village": e.event.village, "unit": e.event.unit}


def _record(p: PatrolRecorded) -> dict[str, Any]:
    return {
        "patrol_class": p.patrol_class,
        "started_at": p.started_at,
        "ended_at": p.ended_at,
        "members": list(p.members),
        "route_sha256": p.route.sha256,
        "points": p.route.points,
        "metres": p.route.metres,
        "findings": len(p.findings),
        "live": any(f.live for f in p.findings),
        "no_finding": p.no_finding,
        "handling": p.handling,
        "handling_note": text_of(p.handling_note),
        "offline": p.offline,
    }


def _looking(eyes: Eyes) -> dict[str, Any]:
    return {"person": eyes.person, "walks_for": eyes.unit, "today": eyes.today}


async def page(
    tx: Tx,
    eyes: Eyes,
    *,
    state: str | None,
    village: str | None,
    unit: str | None,
    after: tuple[datetime, str] | None,
    most: int,
) -> list[asyncpg.Record]:
    """At most `most` lines, newest first, beginning behind `after` (at, patrol)."""
    after_at, after_patrol = after or (None, None)
    filters = {"state": state, "village": village, "unit": unit}
    after_line = {"after_at": after_at, "after_patrol": after_patrol}
    return await tx.all(PAGE, {**filters, **after_line, **_looking(eyes), "most": most})


async def one(tx: Tx, eyes: Eyes, patrol_id: str) -> asyncpg.Record:
    """Raises NotFound."""
    row = await find(tx, eyes, patrol_id)
    if row is None:
        raise NotFound(patrol_id)
    return row


async def find(tx: Tx, eyes: Eyes, patrol_id: str) -> asyncpg.Record | None:
    return await tx.one(ONE, {"patrol": patrol_id, **_looking(eyes)})


READ_MODEL = ReadModel("patrol_line", tables=(LINE,), events=patrol.EVENTS, project=project)
