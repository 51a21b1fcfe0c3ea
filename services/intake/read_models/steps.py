"""What happened to a tip or a patrol, step by step, for its page. Codes, numbers, times and cleaned texts; never words
of an informant."""

import functools
from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Integer, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event, Sealed, SealedBy
from shared.contracts.intake import disclosure, informant, patrol, tip, words
from shared.read_model import MetaData, ReadModel, WordsWithin, Write
from shared.sql import Tx

HIDDEN = frozenset({"words", "name", "contact", "informant", "subject", "grounds", "receipt_digest"})
"""Fields that lead to an informant."""


@functools.cache
def hidden_in(event: type[Event]) -> frozenset[str]:
    """The fields of this fact that lead to an informant, and every text sealed with the informant's own key. What is written
    about words that name somebody may name them too; whose words they are is a record's id, and may be told."""
    theirs = frozenset(
        path
        for path, marker in event.text_fields()
        if isinstance(marker, SealedBy) and (marker.by == "informant" or event in words.EVENTS)
    )
    return theirs if event in words.EVENTS else HIDDEN | theirs


STEP = Table(
    "step",
    MetaData(),
    Column("stream", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("type", Text, nullable=False),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("actor", Text, nullable=False),
    Column("in_role", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("facts", WordsWithin, nullable=False),
)

ADD = insert(STEP)
OF_STREAM = select(STEP).where(STEP.c.stream == bindparam("of_stream")).order_by(STEP.c.version)


def project(e: Recorded[Any]) -> Iterator[Write]:
    kind: type[Event] = type(e.event)
    yield (
        ADD,
        {
            "stream": e.stream_id,
            "version": e.version,
            "type": e.type,
            "occurred_at": e.occurred_at,
            "recorded_at": e.recorded_at,
            "actor": e.actor,
            "in_role": e.in_role,
            "on_behalf_of": e.on_behalf_of,
            "facts": _shown(e.event.model_dump(mode="json", exclude_none=True, exclude=set(hidden_in(kind)))),
        },
    )


def _shown(value: Any) -> Any:
    """The facts without what is still sealed."""
    if isinstance(value, dict):
        kept = {k: v for k, v in value.items() if not _is_sealed(v)}
        return {k: _shown(v) for k, v in kept.items()}
    if isinstance(value, list):
        return [_shown(v) for v in value]
    return value


def _is_sealed(value: Any) -> bool:
    return isinstance(value, dict) and set(value) == set(Sealed.model_fields)


async def of_stream(tx: Tx, stream_id: str) -> list[asyncpg.Record]:
    """Oldest first; empty when there is no such stream."""
    return await tx.all(OF_STREAM, {"of_stream": stream_id})


EVENTS = tip.EVENTS + informant.EVENTS + disclosure.EVENTS + words.EVENTS + patrol.EVENTS
READ_MODEL = ReadModel("step", tables=(STEP,), events=EVENTS, project=project)
