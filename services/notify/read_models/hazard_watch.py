"""What notify knows of each hazard: number, village, leader in charge, who is responsible until when, whether it is still to be
done."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Boolean, Column, DateTime, Integer, MetaData, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases.hazard import (
    HazardBecameOverdue,
    HazardClosedOut,
    HazardCompleted,
    HazardCorrected,
    HazardEnteredInError,
    HazardExtended,
    HazardLeaderAssigned,
    HazardListed,
    HazardRejected,
    HazardThreeFixOrdered,
)
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

WATCH = Table(
    "hazard_watch",
    MetaData(),
    Column("hazard", Text, primary_key=True),
    Column("hazard_no", Integer),
    Column("village", Text),
    Column("leader", Text),
    Column("responsible", Text),
    Column("unit", Text),
    Column("deadline_at", DateTime(timezone=True)),
    Column("overdue", Boolean, nullable=False, server_default="false"),
    Column("to_do", Boolean, nullable=False, server_default="false"),
)


def _put(*columns: str) -> Any:
    """Sets `columns` of one hazard, whose row may not be there yet."""
    wanted = insert(WATCH).values({name: bindparam(name) for name in ("hazard", *columns)})
    return wanted.on_conflict_do_update(
        index_elements=["hazard"], set_={name: wanted.excluded[name] for name in columns}
    )


LIST = _put("hazard_no", "village")
LEAD = _put("leader")
ORDER = _put("responsible", "unit", "deadline_at", "overdue", "to_do")
EXTEND = _put("deadline_at", "overdue")
OVERDUE = _put("overdue")
TO_DO = _put("to_do")
CORRECT = {"village": _put("village"), "responsible": _put("responsible"), "responsible_unit": _put("unit")}


def project(e: Recorded[Any]) -> Iterator[Write]:
    hazard = {"hazard": e.stream_id}
    match e.event:
        case HazardListed(hazard_no=number, village=village):
            yield LIST, {**hazard, "hazard_no": number, "village": village}
        case HazardLeaderAssigned(leader=leader):
            yield LEAD, {**hazard, "leader": leader}
        case HazardThreeFixOrdered(responsible=person, responsible_unit=unit, deadline_at=deadline):
            order = {"responsible": person, "unit": unit, "deadline_at": deadline, "overdue": False, "to_do": True}
            yield ORDER, {**hazard, **order}
        case HazardExtended(deadline_at=deadline):
            yield EXTEND, {**hazard, "deadline_at": deadline, "overdue": False}
        case HazardBecameOverdue():
            yield OVERDUE, {**hazard, "overdue": True}
        case HazardRejected():
            yield TO_DO, {**hazard, "to_do": True}
        case HazardCompleted() | HazardClosedOut() | HazardEnteredInError():
            yield TO_DO, {**hazard, "to_do": False}
        case HazardCorrected(field=name, value=value) if name in CORRECT:
            column = "unit" if name == "responsible_unit" else name
            yield CORRECT[name], {**hazard, column: value.code or value.ref}


READ_MODEL = ReadModel(
    "hazard_watch",
    tables=(WATCH,),
    events=(
        HazardListed,
        HazardLeaderAssigned,
        HazardThreeFixOrdered,
        HazardExtended,
        HazardBecameOverdue,
        HazardRejected,
        HazardCompleted,
        HazardClosedOut,
        HazardEnteredInError,
        HazardCorrected,
    ),
    project=project,
)

ONE = select(WATCH).where(WATCH.c.hazard == bindparam("of"))


async def watched(tx: Tx, hazard: str) -> asyncpg.Record | None:
    """The hazard's line, None before anything of it has come."""
    return await tx.one(ONE, {"of": hazard})
