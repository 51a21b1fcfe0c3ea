"""What happened to one hazard, in order: one row an event, with its texts as far as this service may open them."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from pydantic import BaseModel
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases import hazard as facts
from shared.contracts.envelope import Recorded
from shared.contracts.event import Sealed
from shared.read_model import ReadModel, WordsWithin, Write
from shared.sql import Tx

METADATA = MetaData()
TIMELINE = Table(
    "hazard_timeline",
    METADATA,
    Column("hazard", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("event_id", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("in_role", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("facts", WordsWithin, nullable=False),
)
ADD = insert(TIMELINE).values({column.name: given(column.name) for column in TIMELINE.columns})


def project(e: Recorded[Any]) -> Iterator[Write]:
    envelope = ("version", "type", "occurred_at", "recorded_at", "actor", "in_role", "on_behalf_of")
    told = {name: getattr(e, name) for name in envelope}
    hazard = e.stream_id.removeprefix("hazard-")
    yield ADD, {**told, "hazard": hazard, "event_id": str(e.event_id), "facts": readable(e.event)}


def readable(part: BaseModel) -> dict[str, Any]:
    """What the event says, as JSON; a text that is sealed for this service is None."""
    return {name: _readable(part, name) for name in type(part).model_fields}


def _readable(part: BaseModel, name: str) -> Any:
    value = getattr(part, name)
    if isinstance(value, Sealed):
        return None
    if isinstance(value, BaseModel):
        return readable(value)
    return part.model_dump(mode="json", include={name})[name]


READ_MODEL = ReadModel("hazard_timeline", tables=(TIMELINE,), events=facts.EVENTS, project=project)

OF = select(TIMELINE).where(TIMELINE.c.hazard == given("of")).order_by(TIMELINE.c.version)


async def of(tx: Tx, hazard: str) -> Sequence[asyncpg.Record]:
    """Oldest first; empty when there is no such hazard."""
    return await tx.all(OF, {"of": hazard})
