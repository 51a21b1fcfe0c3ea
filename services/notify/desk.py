"""What the API and the pages do alike: who may see which message, and a dead letter tried once more."""

from typing import Any
from uuid import UUID

import asyncpg

from services.notify.message_commands import ChannelSettled, MessageWithdrawn
from services.notify.read_models import message_line
from services.notify.writing import STREAM
from shared.contracts.envelope import Recorded
from shared.decider import Actor
from shared.delivery_rows import delivery_id_of, reopen, state_of
from shared.errors import NotFound, NotPermitted
from shared.sql import Tx
from shared.web.door import Call, Door

OFFICE = ("office_director", "clerk")
OVERSEEING = (*OFFICE, "auditor", "group_leader")
"""Posts that see everybody's messages."""


def inbox_of(who: Actor) -> str:
    """Whose inbox the reader sees: the person's they act for, else their own."""
    return who.on_behalf_of or who.person


def oversees(who: Actor) -> bool:
    return who.post in OVERSEEING and who.village is None


def overseer(who: Actor) -> Actor:
    """Raises NotPermitted for whoever sees the own inbox only."""
    if not oversees(who):
        raise NotPermitted("everybody's messages")
    return who


async def seen(tx: Tx, who: Actor, message: UUID) -> asyncpg.Record:
    """The message's line. Raises NotFound, also for somebody else's message."""
    line = await message_line.line(tx, f"{STREAM}{message}")
    if line is None or not (oversees(who) or line["recipient"] in (who.person, who.on_behalf_of)):
        raise NotFound(str(message))
    return line


async def try_again(at: Door, call: Call, message: UUID, channel: str) -> None:
    """One more attempt for what was given up; when it is open already, nothing. The attempt itself is the event.

    Asked again with the same command id, nothing either, however that attempt ended. Raises NotFound, MessageWithdrawn,
    ChannelSettled.
    """
    stream = f"{STREAM}{message}"
    delivery_id = delivery_id_of(stream, channel)

    async def work(tx: Tx) -> list[Recorded[Any]]:
        line = await seen(tx, call.who, message)
        if line["withdrawn_at"] is not None:
            raise MessageWithdrawn(message=str(message))
        if not await reopen(tx, delivery_id, call.cause.correlation_id):
            state = await state_of(tx, delivery_id)
            if state is None:
                raise NotFound(channel)
            if state == "done":
                raise ChannelSettled(channel=channel)
        return []

    await at.app.once(stream, work, call.cause)
