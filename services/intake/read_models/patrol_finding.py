"""What patrols found, one row a finding, as corrected."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Column, Integer, Table, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.intake.patrol import Finding, PatrolCorrected, PatrolRecorded
from shared.read_model import MetaData, ReadModel, Words, Write
from shared.sql import Tx

FINDING = Table(
    "patrol_finding",
    MetaData(),
    Column("patrol", Text, primary_key=True),
    Column("no", Integer, primary_key=True),
    Column("site", Text),
    Column("category", Text, nullable=False),
    Column("place", JSONB(none_as_null=True)),
    Column("violation", Text, nullable=False),
    Column("mineral", Text),
    Column("modus", Text),
    Column("pretext", Text),
    Column("live", Boolean, nullable=False),
    Column("summary", Words),
)

ADD = insert(FINDING)
_OF = (FINDING.c.patrol == bindparam("of_patrol"), FINDING.c.no == bindparam("of_no"))
CORRECT = {
    name: update(FINDING).where(*_OF).values({name: bindparam(f"new_{name}")})
    for name in ("category", "place", "violation", "mineral", "modus", "pretext", "summary")
}
OF_PATROL = select(FINDING).where(FINDING.c.patrol == bindparam("of_patrol")).order_by(FINDING.c.no)


def project(e: Recorded[Any]) -> Iterator[Write]:
    patrol = e.stream_id.removeprefix("patrol-")
    match e.event:
        case PatrolRecorded() as p:
            for finding in p.findings:
                yield ADD, _row(patrol, finding)
        case PatrolCorrected(field=field, value=value) if field.startswith("finding."):
            _, no, name = field.split(".", 2)
            new = value.place.model_dump(exclude_none=True) if value.place else value.code or text_of(value.text)
            yield CORRECT[name], {"of_patrol": patrol, "of_no": int(no), f"new_{name}": new}


def _row(patrol: str, finding: Finding) -> dict[str, Any]:
    row = dict(finding) | {"patrol": patrol, "summary": text_of(finding.summary)}
    return row | {"place": finding.place.model_dump(exclude_none=True) if finding.place else None}


async def of_patrol(tx: Tx, patrol_id: str) -> list[asyncpg.Record]:
    return await tx.all(OF_PATROL, {"of_patrol": patrol_id})


READ_MODEL = ReadModel("patrol_finding", tables=(FINDING,), events=(PatrolRecorded, PatrolCorrected), project=project)
