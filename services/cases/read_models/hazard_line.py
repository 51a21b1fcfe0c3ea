"""The hazard list: one line a hazard, nothing but codes, numbers, times and places. Which are open, late, of a village?"""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    or_,
    select,
    update,
)
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from services.cases.sight import Sight
from shared.contracts.cases import hazard as facts
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

METADATA = MetaData()
LINE = Table(
    "hazard_line",
    METADATA,
    Column("hazard", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("hazard_no", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("overdue", Boolean, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("site", Text),
    Column("category", Text, nullable=False),
    Column("village", Text, nullable=False),
    Column("violation", Text, nullable=False),
    Column("mineral", Text),
    Column("modus", Text),
    Column("pretext", Text),
    Column("lat_e7", BigInteger),
    Column("lon_e7", BigInteger),
    Column("accuracy_m", Integer),
    Column("discovered_at", DateTime(timezone=True), nullable=False),
    Column("listed_at", DateTime(timezone=True), nullable=False),
    Column("leader", Text),
    Column("measure", Text),
    Column("responsible", Text),
    Column("responsible_unit", Text),
    Column("deadline_at", DateTime(timezone=True)),
    Column("closed_at", DateTime(timezone=True)),
    Column("recurrence_of", Text),
    Column("recurred_as", Text),
    Index("hazard_line_no", "hazard_no"),
    Index("hazard_line_site", "site"),
    Index("hazard_line_village", "village", "category"),
)
LISTED = (
    "hazard", "hazard_no", "live", "site", "category", "village", "violation", "mineral", "modus", "pretext",
    "lat_e7", "lon_e7", "accuracy_m", "discovered_at", "listed_at", "recurrence_of",
)  # fmt: skip
ADD = insert(LINE).values(version=1, state="listed", overdue=False, **{name: given(name) for name in LISTED})


def _set(*columns: str) -> Any:
    """UPDATE of these columns and the version, for the hazard `of`; the new values are `to_<column>`."""
    changes: dict[str, Any] = {name: given(f"to_{name}") for name in ("version", *columns)}
    return update(LINE).where(LINE.c.hazard == given("of")).values(changes)


SEEN = _set()
LIVE = update(LINE).where(LINE.c.hazard == given("of"), given("found_live", type_=Boolean)).values(live=True)
LED = _set("leader")
ORDERED = _set("state", "measure", "responsible", "responsible_unit", "deadline_at")
EXTENDED = _set("deadline_at", "overdue")
OVERDUE = _set("overdue")
STATE = _set("state")
CLOSED = _set("state", "overdue", "closed_at")
RECURRED = _set("recurred_as")
PLACE = _set("lat_e7", "lon_e7", "accuracy_m")
CORRECTED = {
    name: _set(name)
    for name in (
        "site", "category", "village", "violation", "mineral", "modus", "pretext",
        "discovered_at", "measure", "responsible", "responsible_unit",
    )
}  # fmt: skip


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("hazard-")
    now = {"of": of, "to_version": e.version}
    match e.event:
        case facts.HazardListed() as h:
            told = {name: getattr(h, name) for name in LISTED if hasattr(h, name)}
            yield ADD, {"hazard": of, "listed_at": e.occurred_at, **_place(h, ""), **told}
        case facts.HazardFindingAttached(live=live):
            yield SEEN, now
            yield LIVE, {"of": of, "found_live": live}
        case facts.HazardLeaderAssigned(leader=leader):
            yield LED, {**now, "to_leader": leader}
        case facts.HazardThreeFixOrdered() as h:
            order = {f"to_{c}": getattr(h, c) for c in ("measure", "responsible", "responsible_unit", "deadline_at")}
            yield ORDERED, {**now, "to_state": "three_fix_ordered", **order}
        case facts.HazardExtended(deadline_at=deadline_at):
            yield EXTENDED, {**now, "to_deadline_at": deadline_at, "to_overdue": False}
        case facts.HazardBecameOverdue():
            yield OVERDUE, {**now, "to_overdue": True}
        case facts.HazardCompleted():
            yield STATE, {**now, "to_state": "completed"}
        case facts.HazardRejected():
            yield STATE, {**now, "to_state": "three_fix_ordered"}
        case facts.HazardClosedOut():
            yield CLOSED, {**now, "to_state": "closed_out", "to_overdue": False, "to_closed_at": e.occurred_at}
        case facts.HazardRecurred(hazard=hazard):
            yield RECURRED, {**now, "to_recurred_as": hazard}
        case facts.HazardEnteredInError():
            yield STATE, {**now, "to_state": "entered_in_error"}
        case facts.HazardCorrected() as h:
            yield from _correct(h, now)
        case _:
            yield SEEN, now


def _correct(h: facts.HazardCorrected, now: dict[str, Any]) -> Iterator[Write]:
    if h.field == "place":
        yield PLACE, {**now, **_place(h.value, "to_")}
    elif h.field in CORRECTED:
        value = h.value.code or h.value.ref or h.value.at
        yield CORRECTED[h.field], {**now, f"to_{h.field}": value}
    else:
        yield SEEN, now


def _place(holder: Any, prefix: str) -> dict[str, int | None]:
    names = ("lat_e7", "lon_e7", "accuracy_m")
    return {f"{prefix}{name}": getattr(holder.place, name, None) for name in names}


READ_MODEL = ReadModel("hazard_line", tables=(LINE,), events=facts.EVENTS, project=project)

SHUT = ("closed_out", "entered_in_error")
ONE = select(LINE).where(LINE.c.hazard == given("hazard"))
LEADERS = select(LINE.c.leader).where(LINE.c.leader.is_not(None), LINE.c.state.not_in(SHUT)).distinct()


async def one(tx: Tx, hazard: str) -> asyncpg.Record | None:
    return await tx.one(ONE, {"hazard": hazard})


async def leaders(tx: Tx) -> set[str]:
    """Who is in charge of a hazard that is open."""
    return {row["leader"] for row in await tx.all(LEADERS)}


def place_of(row: asyncpg.Record) -> dict[str, int | None] | None:
    """Where it is, when that is known."""
    return None if row["lat_e7"] is None else {name: row[name] for name in ("lat_e7", "lon_e7", "accuracy_m")}


def _covered(sight: Sight, wanted: Select[Any], params: dict[str, Any]) -> Select[Any]:
    """Sight.covers, said to the database."""
    if sight.open:
        return wanted
    params |= {"reader": sight.person, "bound_to": sight.village, "reader_unit": sight.unit}
    bound = LINE.c.village == given("bound_to", type_=Text)
    own = LINE.c.responsible_unit == given("reader_unit", type_=Text)
    return wanted.where(or_(LINE.c.responsible == given("reader"), own if sight.village is None else bound))


async def page(
    tx: Tx,
    sight: Sight,
    *,
    limit: int,
    before: int | None = None,
    state: str | None = None,
    village: str | None = None,
    category: str | None = None,
    overdue: bool | None = None,
    leader: str | None = None,
    unled: bool = False,
) -> Sequence[asyncpg.Record]:
    """Newest number first, up to `limit` lines with numbers below `before`. state: a stage, or "open" for all not shut."""
    wanted: Select[Any] = select(LINE)
    params: dict[str, Any] = {}
    wanted = _covered(sight, wanted, params)
    if before is not None:
        wanted, params["before"] = wanted.where(LINE.c.hazard_no < given("before")), before
    for name, value in (("village", village), ("category", category), ("overdue", overdue), ("leader", leader)):
        if value is not None:
            wanted, params[f"is_{name}"] = wanted.where(LINE.c[name] == given(f"is_{name}")), value
    if unled:
        wanted = wanted.where(LINE.c.leader.is_(None))
    if state == "open":
        wanted = wanted.where(LINE.c.state.not_in(SHUT))
    elif state is not None:
        wanted, params["is_state"] = wanted.where(LINE.c.state == given("is_state")), state
    ordered = wanted.order_by(LINE.c.hazard_no.desc()).limit(given("most", type_=Integer))
    return await tx.all(ordered, {**params, "most": limit})
