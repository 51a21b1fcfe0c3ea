"""The site register with both keepers of each site, and the gaps: sites that lack one."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Boolean, Column, Integer, MetaData, Select, Table, Text, or_, select, update
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases import site as facts
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.parts import Place
from shared.read_model import ReadModel, Words, Write
from shared.sql import Tx

METADATA = MetaData()
LINE = Table(
    "site_line",
    METADATA,
    Column("site", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("site_no", Integer, nullable=False, index=True),
    Column("category", Text, nullable=False),
    Column("village", Text, nullable=False),
    Column("name", Words),
    Column("lat_e7", BigInteger),
    Column("lon_e7", BigInteger),
    Column("accuracy_m", Integer),
    Column("key", Boolean, nullable=False),
    Column("in_error", Boolean, nullable=False),
    Column("territorial_unit", Text),
    Column("territorial_person", Text),
    Column("departmental_unit", Text),
    Column("departmental_person", Text),
)
FIRST = ("site", "site_no", "category", "village", "name", "lat_e7", "lon_e7", "accuracy_m", "key")
ADD = insert(LINE).values(version=1, in_error=False, **{name: given(name) for name in FIRST})


def _set(*columns: str) -> Any:
    """UPDATE of these columns and the version, for the site `of`; the new values are `to_<column>`."""
    changes: dict[str, Any] = {name: given(f"to_{name}") for name in ("version", *columns)}
    return update(LINE).where(LINE.c.site == given("of")).values(changes)


KEEPER = {kind: _set(f"{kind}_unit", f"{kind}_person") for kind in ("territorial", "departmental")}
IN_ERROR = _set("in_error")
PLACE = _set("lat_e7", "lon_e7", "accuracy_m")
CORRECTED = {name: _set(name) for name in ("category", "village", "name", "key")}


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("site-")
    now = {"of": of, "to_version": e.version}
    match e.event:
        case facts.SiteRegistered() as s:
            told = {name: getattr(s, name) for name in ("site_no", "category", "village", "key")}
            yield ADD, {"site": of, "name": text_of(s.name), **told, **_place(s, "")}
        case facts.SiteKeeperAssigned(kind=kind, unit=unit, person=person):
            yield KEEPER[kind], {**now, f"to_{kind}_unit": unit, f"to_{kind}_person": person}
        case facts.SiteEnteredInError():
            yield IN_ERROR, {**now, "to_in_error": True}
        case facts.SiteCorrected(field="place") as s:
            yield PLACE, {**now, **_place(s.value, "to_")}
        case facts.SiteCorrected(field="key", value=value):
            yield CORRECTED["key"], {**now, "to_key": bool(value.number)}
        case facts.SiteCorrected(field=field, value=value):
            yield CORRECTED[field], {**now, f"to_{field}": value.code or text_of(value.text)}


def _place(holder: Any, prefix: str) -> dict[str, int | None]:
    names = ("lat_e7", "lon_e7", "accuracy_m")
    return {f"{prefix}{name}": getattr(holder.place, name, None) for name in names}


READ_MODEL = ReadModel("site_line", tables=(LINE,), events=facts.EVENTS, project=project)

ONE = select(LINE).where(LINE.c.site == given("site"))
GAP = or_(LINE.c.territorial_unit.is_(None), LINE.c.departmental_unit.is_(None))


def place_of(row: asyncpg.Record) -> Place | None:
    """Where the site lies, when that is known."""
    if row["lat_e7"] is None:
        return None
    return Place(lat_e7=row["lat_e7"], lon_e7=row["lon_e7"], accuracy_m=row["accuracy_m"])


async def one(tx: Tx, site: str) -> asyncpg.Record | None:
    return await tx.one(ONE, {"site": site})


async def page(
    tx: Tx,
    *,
    limit: int,
    after: int = 0,
    village: str | None = None,
    category: str | None = None,
    gaps: bool = False,
) -> Sequence[asyncpg.Record]:
    """By number, up to `limit` sites with numbers above `after`; `gaps`: only those without both keepers."""
    wanted: Select[Any] = select(LINE).where(LINE.c.site_no > given("after"), LINE.c.in_error.is_(False))
    params: dict[str, Any] = {"after": after, "most": limit}
    for name, value in (("village", village), ("category", category)):
        if value is not None:
            wanted, params[f"is_{name}"] = wanted.where(LINE.c[name] == given(f"is_{name}")), value
    if gaps:
        wanted = wanted.where(GAP)
    return await tx.all(wanted.order_by(LINE.c.site_no).limit(given("most", type_=Integer)), params)
