"""The list of reports: one line a report, with how it stands and the cut of what it says.

state: open | due | missing | submitted | returned | accepted | compiled | filed | entered_in_error.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Select,
    Table,
    Text,
    case,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import ARRAY, JSONB, insert

from shared.contracts.envelope import Recorded
from shared.contracts.reporting import weekly_report as facts
from shared.read_model import ReadModel, Write
from shared.sql import Tx

LINE = Table(
    "report_line",
    MetaData(),
    Column("report", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("plan", Text, nullable=False),
    Column("scope", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("period_no", Integer, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("cut_off_at", DateTime(timezone=True), nullable=False),
    Column("due_at", DateTime(timezone=True), nullable=False),
    Column("missing_at", DateTime(timezone=True)),
    Column("closing", Boolean, nullable=False),
    Column("units", ARRAY(Text), nullable=False),
    Column("state", Text, nullable=False),
    Column("late", Boolean, nullable=False),
    Column("missed", Boolean, nullable=False),
    Column("submitted_at", DateTime(timezone=True)),
    Column("accepted_at", DateTime(timezone=True)),
    Column("compiled_at", DateTime(timezone=True)),
    Column("filed_at", DateTime(timezone=True)),
    Column("restatements", Integer, nullable=False),
    Column("content_version", Integer),
    Column("content_sha256", Text),
    Column("cut", JSONB(none_as_null=True)),
    Index("report_line_newest", "period_no", "unit"),
    Index("report_line_when", "starts_at", "cut_off_at"),
)
"""`content_version`: the version of the stream that made the standing content; `cut`: a list of source, lineage, position."""

L = LINE.c
OPENED = ("scope", "unit", "period_no", "starts_at", "cut_off_at", "due_at", "missing_at", "closing")
ADD = insert(LINE).values(
    {name: given(name) for name in ("report", "version", "plan", "units", *OPENED)},
)
ADD = ADD.values(state="open", late=False, missed=False, restatements=0)
CONTENT = ("content_version", "content_sha256", "cut")


def _set(*columns: str, **fixed: Any) -> Any:
    """UPDATE of these columns and the version, for the report `of`; the new values are `to_<column>`."""
    changes = {name: given(f"to_{name}", type_=L[name].type) for name in ("version", *columns)}
    return update(LINE).where(L.report == given("of")).values({**changes, **fixed})


SEEN = _set()
DUE = _set(state=case((L.state == "open", "due"), else_=L.state))
MISSED = _set(state="missing", missed=True)
SUBMITTED = _set("late", "submitted_at", *CONTENT, state="submitted")
RETURNED = _set(state="returned", **dict.fromkeys(CONTENT))
ACCEPTED = _set("accepted_at", state="accepted")
COMPILED = _set("compiled_at", *CONTENT, state="compiled")
FILED = _set("filed_at", state="filed")
RESTATED = _set("restatements", *CONTENT)
IN_ERROR = _set(state="entered_in_error", **dict.fromkeys(CONTENT))
MOVED = {name: _set(name) for name in ("due_at", "missing_at")}


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("weekly_report-")
    now = {"of": of, "to_version": e.version}
    match e.event:
        case facts.ReportOpened() as r:
            told = {name: getattr(r, name) for name in OPENED} | {"units": list(r.units)}
            plan = of.removesuffix(f"-{r.unit}-{r.period_no:02}")
            yield ADD, {"report": of, "version": e.version, "plan": plan, **told}
        case facts.ReportDue():
            yield DUE, now
        case facts.ReportMissed():
            yield MISSED, now
        case facts.ReportSubmitted(late=late) as r:
            yield SUBMITTED, {**now, **_content(e, r), "to_late": late, "to_submitted_at": e.occurred_at}
        case facts.ReportReturned():
            yield RETURNED, now
        case facts.ReportAccepted():
            yield ACCEPTED, {**now, "to_accepted_at": e.occurred_at}
        case facts.ReportCompiled() as r:
            yield COMPILED, {**now, **_content(e, r), "to_compiled_at": e.occurred_at}
        case facts.ReportFiled():
            yield FILED, {**now, "to_filed_at": e.occurred_at}
        case facts.ReportRestated(restatement_no=number) as r:
            yield RESTATED, {**now, **_content(e, r), "to_restatements": number}
        case facts.ReportCorrected(field=field, value=value) if field in MOVED:
            yield MOVED[field], {**now, f"to_{field}": value.at}
        case facts.ReportEnteredInError():
            yield IN_ERROR, now
        case _:
            yield SEEN, now


def _content(e: Recorded[Any], told: Any) -> dict[str, Any]:
    cut = [at.model_dump() for at in told.cut]
    return {"to_content_version": e.version, "to_content_sha256": told.content_sha256, "to_cut": cut}


READ_MODEL = ReadModel("report_line", tables=(LINE,), events=facts.EVENTS, project=project)

ONE = select(LINE).where(L.report == given("report"))
OF_PERIOD = select(LINE).where(
    L.plan == given("plan"), L.period_no == given("period_no"), L.unit.in_(given("units", expanding=True))
)
OF_UNIT = select(LINE).where(L.plan == given("plan"), L.unit == given("unit")).order_by(L.period_no)
ABOUT = (
    select(LINE)
    .where(
        L.starts_at <= given("moment", type_=DateTime(timezone=True)),
        L.cut_off_at > given("moment", type_=DateTime(timezone=True)),
        L.content_version.is_not(None),
    )
    .order_by(L.report)
)


Line = dict[str, Any]
"""A row of the table, by column."""


async def one(tx: Tx, report: str) -> Line | None:
    row = await tx.one(ONE, {"report": report})
    return dict(row) if row is not None else None


async def of_period(tx: Tx, plan: str, period_no: int, units: Sequence[str]) -> dict[str, Line]:
    """unit → its report's line; units whose report is not opened yet are left out."""
    rows = await tx.all(OF_PERIOD, {"plan": plan, "period_no": period_no, "units": list(units)})
    return {row["unit"]: dict(row) for row in rows}


async def saying(tx: Tx, moment: datetime, source: str, lineage: str, position: int) -> list[Line]:
    """Reports that say something of a period with `moment` in it and have not seen that position of the source."""
    rows = await tx.all(ABOUT, {"moment": moment})
    return [dict(row) for row in rows if not has_seen(row["cut"], source, lineage, position)]


def has_seen(cut: Sequence[Mapping[str, Any]], source: str, lineage: str, position: int) -> bool:
    """Whether a cut covers that position; what is of another lineage was never seen, whatever its number."""
    return any((at["source"], at["lineage"]) == (source, lineage) and at["position"] >= position for at in cut)


async def of_unit(tx: Tx, plan: str, unit: str) -> list[Line]:
    """Every report of the unit, or of the town, by period."""
    return [dict(row) for row in await tx.all(OF_UNIT, {"plan": plan, "unit": unit})]


async def page(
    tx: Tx,
    *,
    limit: int,
    after: tuple[int, str, str] | None = None,
    scope: str | None = None,
    unit: str | None = None,
    period_no: int | None = None,
    state: str | None = None,
    reader_unit: str | None = None,
) -> list[Line]:
    """Newest period first, in it by unit, up to `limit` lines behind `after` (period_no, unit, plan).

    `reader_unit`: only what that unit may see, its own reports and those the town has filed.
    """
    wanted: Select[Any] = select(LINE)
    params: dict[str, Any] = {"most": limit}
    if after is not None:
        behind = tuple_(-L.period_no, L.unit) > tuple_(
            -given("after_no", type_=Integer), given("after_unit", type_=Text)
        )
        wanted = wanted.where(behind)
        params |= {"after_no": after[0], "after_unit": after[1]}
    for name, value in (("scope", scope), ("unit", unit), ("period_no", period_no), ("state", state)):
        if value is not None:
            wanted, params[f"is_{name}"] = wanted.where(L[name] == given(f"is_{name}")), value
    if reader_unit is not None:
        wanted = wanted.where(or_(L.unit == given("own"), (L.scope == "town") & (L.state == "filed")))
        params["own"] = reader_unit
    ordered = wanted.order_by(L.period_no.desc(), L.unit, L.plan).limit(given("most", type_=Integer))
    return [dict(row) for row in await tx.all(ordered, params)]
