"""Every attempt to reach somebody by a channel, or that there was none; and what came of it. Written with the message."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.notify.message import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    ChannelUnavailable,
    DeadLettered,
)
from shared.read_model import ReadModel, Write
from shared.sql import Tx

ATTEMPT = Table(
    "message_attempt",
    MetaData(),
    Column("stream", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("attempt", Integer, primary_key=True),
    Column("started_at", DateTime(timezone=True), nullable=False),
    Column("ended_at", DateTime(timezone=True)),
    Column("outcome", Text, nullable=False),
    Column("error", Text),
    Column("next_at", DateTime(timezone=True)),
)

START = (
    insert(ATTEMPT)
    .values(
        stream=bindparam("stream"),
        channel=bindparam("channel"),
        attempt=bindparam("attempt"),
        started_at=bindparam("at"),
        outcome=bindparam("outcome"),
        error=bindparam("error"),
    )
    .on_conflict_do_nothing()
)
_ONE = (
    ATTEMPT.c.stream == bindparam("of"),
    ATTEMPT.c.channel == bindparam("by_channel"),
    ATTEMPT.c.attempt == bindparam("nth"),
)
END = (
    update(ATTEMPT)
    .where(*_ONE)
    .values(
        ended_at=bindparam("at"), outcome=bindparam("outcome"), error=bindparam("error"), next_at=bindparam("next_at")
    )
)
GIVE_UP = update(ATTEMPT).where(*_ONE).values(outcome="dead")


def project(e: Recorded[Any]) -> Iterator[Write]:
    event = e.event
    match event:
        case AttemptStarted() | ChannelUnavailable():
            lacking = event.reason if isinstance(event, ChannelUnavailable) else None
            yield (
                START,
                {
                    "stream": e.stream_id,
                    "channel": event.channel,
                    "attempt": event.attempt,
                    "at": e.occurred_at,
                    "outcome": "started" if lacking is None else "unavailable",
                    "error": lacking,
                },
            )
        case AttemptSucceeded() | AttemptFailed():
            failed = isinstance(event, AttemptFailed)
            yield (
                END,
                {
                    "of": e.stream_id,
                    "by_channel": event.channel,
                    "nth": event.attempt,
                    "at": e.occurred_at,
                    "outcome": "failed" if failed else "delivered",
                    "error": event.error if isinstance(event, AttemptFailed) else None,
                    "next_at": event.next_at if isinstance(event, AttemptFailed) else None,
                },
            )
        case DeadLettered():
            yield GIVE_UP, {"of": e.stream_id, "by_channel": event.channel, "nth": event.attempts}


READ_MODEL = ReadModel(
    "message_attempt",
    tables=(ATTEMPT,),
    events=(AttemptStarted, AttemptSucceeded, AttemptFailed, ChannelUnavailable, DeadLettered),
    project=project,
)

OF_MESSAGE = (
    select(ATTEMPT).where(ATTEMPT.c.stream == bindparam("of")).order_by(ATTEMPT.c.started_at, ATTEMPT.c.channel)
)


async def attempts(tx: Tx, stream: str) -> list[asyncpg.Record]:
    """Oldest first."""
    return await tx.all(OF_MESSAGE, {"of": stream})
