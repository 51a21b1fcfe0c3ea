"""What notify knows of each report: whose it is, when it is due, and whether it has come."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.reporting.weekly_report import (
    ReportCompiled,
    ReportEnteredInError,
    ReportOpened,
    ReportReturned,
    ReportSubmitted,
)
from shared.read_model import ReadModel, Write
from shared.sql import Tx

WATCH = Table(
    "report_watch",
    MetaData(),
    Column("report", Text, primary_key=True),
    Column("scope", Text),
    Column("unit", Text),
    Column("period_no", Integer),
    Column("due_at", DateTime(timezone=True)),
    Column("wanted", Boolean, nullable=False, server_default="true"),
)


def _put(*columns: str) -> Any:
    wanted = insert(WATCH).values({name: bindparam(name) for name in ("report", *columns)})
    return wanted.on_conflict_do_update(
        index_elements=["report"], set_={name: wanted.excluded[name] for name in columns}
    )


OPEN = _put("scope", "unit", "period_no", "due_at", "wanted")
WANT = _put("wanted")


def project(e: Recorded[Any]) -> Iterator[Write]:
    report = {"report": e.stream_id}
    match e.event:
        case ReportOpened(scope=scope, unit=unit, period_no=number, due_at=due_at):
            yield OPEN, {**report, "scope": scope, "unit": unit, "period_no": number, "due_at": due_at, "wanted": True}
        case ReportSubmitted() | ReportCompiled() | ReportEnteredInError():
            yield WANT, {**report, "wanted": False}
        case ReportReturned():
            yield WANT, {**report, "wanted": True}


READ_MODEL = ReadModel(
    "report_watch",
    tables=(WATCH,),
    events=(ReportOpened, ReportSubmitted, ReportCompiled, ReportReturned, ReportEnteredInError),
    project=project,
)

ONE = select(WATCH).where(WATCH.c.report == bindparam("of"))


async def watched(tx: Tx, report: str) -> asyncpg.Record | None:
    """The report's line, None before anything of it has come."""
    return await tx.one(ONE, {"of": report})
