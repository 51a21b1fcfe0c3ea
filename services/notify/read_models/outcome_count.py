"""How many attempts ended how, by channel; a board for the office."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.notify.message import (
    AttemptFailed,
    AttemptStarted,
    AttemptSucceeded,
    ChannelUnavailable,
    DeadLettered,
    MessageAcknowledged,
    MessageEscalated,
    MessageIssued,
)
from shared.read_model import ReadModel, Write
from shared.sql import Tx

COUNT = Table(
    "outcome_count",
    MetaData(),
    Column("channel", Text, primary_key=True),
    Column("outcome", Text, primary_key=True),
    Column("number", BigInteger, nullable=False),
)

_PUT = insert(COUNT).values(channel=bindparam("channel"), outcome=bindparam("outcome"), number=1)
ADD = _PUT.on_conflict_do_update(index_elements=["channel", "outcome"], set_={"number": COUNT.c.number + 1})

OUTCOMES: dict[type[Event], str] = {
    MessageIssued: "issued",
    MessageAcknowledged: "acknowledged",
    MessageEscalated: "escalated",
    AttemptStarted: "started",
    AttemptSucceeded: "delivered",
    AttemptFailed: "failed",
    ChannelUnavailable: "unavailable",
    DeadLettered: "dead",
}


def project(e: Recorded[Any]) -> Iterator[Write]:
    """What happens to the message whatever the channel stands under in_app."""
    yield ADD, {"channel": getattr(e.event, "channel", "in_app"), "outcome": OUTCOMES[type(e.event)]}


READ_MODEL = ReadModel("outcome_count", tables=(COUNT,), events=tuple(OUTCOMES), project=project)

EVERY = select(COUNT).order_by(COUNT.c.channel, COUNT.c.outcome)


async def counts(tx: Tx) -> dict[str, dict[str, int]]:
    """channel -> outcome -> number."""
    found: dict[str, dict[str, int]] = {}
    for row in await tx.all(EVERY):
        found.setdefault(row["channel"], {})[row["outcome"]] = row["number"]
    return found
