"""One row for every time an event counts: for which figure, whose, and from which position of its source's log on.

A correction ends a row (`until_position`) and begins another (`from_position`); so a figure at a cut is a plain selection:
from_position ≤ cut and not ended by the cut. Rows depend on their own source only, never on how sources interleave.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    func,
    insert,
    or_,
    select,
    update,
)
from sqlalchemy import bindparam as given

from services.reporting.read_models.counting import CORRECTIONS, ERRORS, EVENTS, counts_of, moved_by, takes_away
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

SOURCES = ("cases", "intake")

METADATA = MetaData()
FACT = Table(
    "fact",
    METADATA,
    Column("source", Text, primary_key=True),
    Column("position", BigInteger, primary_key=True),
    Column("figure", Text, primary_key=True),
    Column("part", Integer, primary_key=True),
    Column("from_position", BigInteger, primary_key=True),
    Column("until_position", BigInteger),
    Column("lineage", Text, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("stream", Text, nullable=False),
    Column("number", Integer),
    Column("village", Text),
    Column("unit", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("in_role", Text, nullable=False),
    Column("on_behalf_of", Text),
    Index("fact_when", "occurred_at"),
    Index("fact_of_stream", "source", "stream"),
    Index("fact_begun", "source", "from_position"),
    Index("fact_ended", "source", "until_position"),
)
"""`lineage` is in the key for what a restored source forgot: it stands here until the table is built anew.

`position`: of the counted event; `number`: of the hazard or site in its register; `unit`: who did it, where that is said."""

F = FACT.c
COLUMNS = [column.name for column in FACT.columns]
STANDING = F.until_position.is_(None)
OF_STREAM = and_(F.source == given("of_source"), F.stream == given("of_stream"), STANDING)


def _told_first(column: Any) -> Any:
    """What the record's first standing count says; a hazard's later events name neither village nor number."""
    first = FACT.alias("first")
    same = and_(first.c.source == given("source"), first.c.stream == given("stream"), first.c.until_position.is_(None))
    told = select(first.c[column.name]).where(same).order_by(first.c.position, first.c.from_position.desc()).limit(1)
    return func.coalesce(given(column.name, type_=column.type), told.scalar_subquery())


ADD = insert(FACT).values(
    {c: given(c) for c in COLUMNS if c not in ("until_position", "village", "number")}
    | {"village": _told_first(F.village), "number": _told_first(F.number)}
)


def _copy(column: str, some: bool) -> Any:
    """The record's standing rows once more, valid from `at` on, with another value in `column`."""
    changed = {"from_position": given("at", type_=BigInteger), column: given("to", type_=F[column].type)}
    rows = select(*(changed.get(c, F[c]) for c in COLUMNS)).where(OF_STREAM, F.from_position < given("at"))
    return insert(FACT).from_select(COLUMNS, rows.where(F.figure.in_(given("of", expanding=True))) if some else rows)


def _end(some: bool) -> Any:
    """The rows that stood before `at` stand no longer."""
    ended = update(FACT).where(OF_STREAM, F.from_position < given("at")).values(until_position=given("at"))
    return ended.where(F.figure.in_(given("of", expanding=True))) if some else ended


COPY = {(column, some): _copy(column, some) for column in ("village", "unit", "occurred_at") for some in (False, True)}
END = {some: _end(some) for some in (False, True)}


def project(e: Recorded[Any]) -> Iterator[Write]:
    of: dict[str, Any] = {"of_source": e.source, "of_stream": e.stream_id, "at": e.position}
    if takes_away(e):
        yield END[False], of
    elif moved := moved_by(e):
        some = moved.figures is not None
        if moved.figures is not None:
            of["of"] = sorted(moved.figures)
        yield COPY[moved.column, some], {**of, "to": moved.value}
        yield END[some], of
    else:
        for count in counts_of(e):
            yield ADD, _row(e) | {"figure": count.figure, "part": count.part, "occurred_at": count.occurred_at}


def _row(e: Recorded[Any]) -> dict[str, Any]:
    told = {name: getattr(e, name) for name in ("source", "position", "type", "recorded_at", "actor", "in_role")}
    behalf = (e.on_behalf_of or "").partition(";")[0] or None
    is_tip = e.stream_id.startswith("tip-")
    return told | {
        "from_position": e.position,
        "lineage": e.lineage or "",
        "event_id": str(e.event_id),
        "stream": e.stream_id,
        "number": getattr(e.event, "hazard_no", getattr(e.event, "site_no", None)),
        "village": None if is_tip else getattr(e.event, "village", None),
        "unit": getattr(e.event, "unit", None),
        "on_behalf_of": behalf,
    }


READ_MODEL = ReadModel("fact", tables=(FACT,), events=(*EVENTS, *CORRECTIONS, *ERRORS), project=project)


def _known_at_cut() -> Any:
    """Rows that stand at a cut given as cut_<source>; 0 where nothing of the source had been seen."""
    return or_(
        *(
            and_(
                F.source == source,
                F.from_position <= given(f"cut_{source}", type_=BigInteger),
                or_(STANDING, F.until_position > given(f"cut_{source}", type_=BigInteger)),
            )
            for source in SOURCES
        )
    )


IN_ORDER = (F.source, F.position, F.part, F.figure)
AT_CUT = (
    select(FACT)
    .where(F.occurred_at >= given("starts_at"), F.occurred_at < given("ends_at"), _known_at_cut())
    .order_by(*IN_ORDER)
)
# What an event began or ended; for a correction both, so that both weeks and both villages hear of it.
TOUCHED = (
    select(F.occurred_at)
    .where(
        F.source == given("of_source"),
        or_(
            F.from_position == given("at", type_=BigInteger),
            F.until_position == given("at", type_=BigInteger),
        ),
    )
    .distinct()
)


async def at_cut(tx: Tx, starts_at: datetime, ends_at: datetime, cut: Mapping[str, int]) -> Sequence[asyncpg.Record]:
    """Every count that happened in the span and was known at the cut (source → position), in the order of the logs."""
    seen = {f"cut_{source}": cut.get(source, 0) for source in SOURCES}
    return await tx.all(AT_CUT, {"starts_at": starts_at, "ends_at": ends_at, **seen})


async def touched_by(tx: Tx, source: str, position: int) -> list[datetime]:
    """When the counts happened that the event at `position` began, ended or moved."""
    return [row["occurred_at"] for row in await tx.all(TOUCHED, {"of_source": source, "at": position})]
