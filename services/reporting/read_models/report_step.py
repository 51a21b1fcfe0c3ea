"""What happened to a report, step by step, with reasons and notes as far as this service may open them."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.reporting import weekly_report as facts
from shared.read_model import ReadModel, Words, Write
from shared.sql import Tx

STEP = Table(
    "report_step",
    MetaData(),
    Column("report", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("in_role", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("text", Words),
    Column("late", Boolean),
    Column("field", Text),
)
"""`text`: the note of a submission, or why it was returned, corrected or marked as an error."""

ADD = insert(STEP).values({column.name: given(column.name) for column in STEP.columns})


def project(e: Recorded[Any]) -> Iterator[Write]:
    envelope = ("version", "type", "occurred_at", "recorded_at", "actor", "in_role")
    yield (
        ADD,
        {name: getattr(e, name) for name in envelope}
        | {
            "report": e.stream_id.removeprefix("weekly_report-"),
            "event_id": str(e.event_id),
            "on_behalf_of": (e.on_behalf_of or "").partition(";")[0] or None,
            "text": text_of(getattr(e.event, "note", getattr(e.event, "reason", None))),
            "late": getattr(e.event, "late", None),
            "field": getattr(e.event, "field", None),
        },
    )


READ_MODEL = ReadModel("report_step", tables=(STEP,), events=facts.EVENTS, project=project)

OF = select(STEP).where(STEP.c.report == given("of")).order_by(STEP.c.version)


async def of(tx: Tx, report: str) -> list[dict[str, Any]]:
    """Oldest first; empty when there is no such report."""
    return [dict(row) for row in await tx.all(OF, {"of": report})]
