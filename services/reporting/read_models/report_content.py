"""Everything a report has ever said: each submission, compilation and restatement with its cut, hash and plan version."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.reporting.weekly_report import ReportCompiled, ReportRestated, ReportSubmitted
from shared.read_model import ReadModel, Write
from shared.sql import Tx

CONTENT = Table(
    "report_content",
    MetaData(),
    Column("report", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("restatement_no", Integer, nullable=False),
    Column("plan_version", Text, nullable=False),
    Column("figures", JSONB, nullable=False),
    Column("cut", JSONB, nullable=False),
    Column("content_sha256", Text, nullable=False),
    Column("lines", JSONB, nullable=False),
    Column("changes", JSONB, nullable=False),
    Column("at", DateTime(timezone=True), nullable=False),
)
"""kind: submitted | compiled | restated; `restatement_no` 0 for what was submitted or compiled."""

ADD = insert(CONTENT).values({column.name: given(column.name) for column in CONTENT.columns})
KINDS: dict[type[Event], str] = {ReportSubmitted: "submitted", ReportCompiled: "compiled", ReportRestated: "restated"}


def project(e: Recorded[ReportSubmitted | ReportCompiled | ReportRestated]) -> Iterator[Write]:
    told = e.event.model_dump(mode="json")
    yield (
        ADD,
        {
            "report": e.stream_id.removeprefix("weekly_report-"),
            "version": e.version,
            "kind": KINDS[type(e.event)],
            "restatement_no": told.get("restatement_no", 0),
            "plan_version": e.plan_version or "",
            "figures": told["figures"],
            "cut": told["cut"],
            "content_sha256": told["content_sha256"],
            "lines": told.get("lines", []),
            "changes": told.get("changes", []),
            "at": e.occurred_at,
        },
    )


READ_MODEL = ReadModel("report_content", tables=(CONTENT,), events=tuple(KINDS), project=project)

OF = select(CONTENT).where(CONTENT.c.report == given("of")).order_by(CONTENT.c.version)


async def of(tx: Tx, report: str) -> list[dict[str, Any]]:
    """Oldest first; empty while the report says nothing."""
    return [dict(row) for row in await tx.all(OF, {"of": report})]
