"""A source that is restored to an older state, and a reader that received from it."""

from typing import Any
from uuid import UUID

import nats.errors
from nats.aio.client import Client

from shared.errors import NotReady
from shared.lineage import begin_new_lineage
from shared.log_feed import NatsFeed
from shared.stream import LINEAGE
from tests.support.kernel import FeedOf, Place, a_receiver, a_relay, running, until


async def lineage_of(place: Place) -> UUID:
    lineage: UUID = await place.pool.fetchval("SELECT lineage FROM work.head")
    return lineage


async def relayed(source: Place, nc: Client) -> int:
    """Everything numbered and in the stream; the head."""
    head = await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: stream_is(source, nc, head))
    return head


async def stream_is(source: Place, nc: Client, head: int) -> bool:
    """It ends at `head` with a message of the lineage in force."""
    js = nc.jetstream()
    try:
        message = await js.get_msg(source.stream, seq=head)
    except nats.errors.Error:
        return False
    return (message.headers or {}).get(LINEAGE) == str(await lineage_of(source))


async def received(reader: Place, source: Place, nc: Client, head: int) -> None:
    """Receives up to `head` and ends."""
    async with running(FeedOf(source, nc), a_receiver(reader, source, nc)):
        await until(lambda: mark_is(reader, source, head))


async def mark_is(reader: Place, source: Place, position: int) -> bool:
    row = await reader.pool.fetchrow("SELECT lineage, position FROM work.mark WHERE follower = 'receiver'")
    return row is not None and tuple(row) == (await lineage_of(source), position)


async def restored(source: Place, nc: Client, reader: Place | None = None) -> UUID:
    """The source wrote ten events, was restored to when it had six, and said so. The reader saw six, or with `reader` all ten."""
    await source.fill(6)
    await relayed(source, nc)
    kept = await source.backup()
    await source.fill(4, "forgotten")
    head = await relayed(source, nc)
    if reader is not None:
        await received(reader, source, nc, head)
    await source.restore(kept)
    return (await begin_new_lineage(source.owner_dsn)).lineage


async def head_of(source: Place, nc: Client) -> Any:
    """What the feed says of it, or None while it does not answer."""
    try:
        return await NatsFeed(nc, source.jurisdiction, source.name).head()
    except (NotReady, nats.errors.Error):
        return None
