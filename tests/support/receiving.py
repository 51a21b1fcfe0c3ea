"""From one place to another: what was relayed, and what must have been received then."""

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.contracts.envelope import attribute, leaf_of
from tests.support.kernel import FeedOf, Place, a_relay, a_sequencer, running, until


async def relayed(source: Place, nc: Client) -> int:
    """Everything numbered and in the stream; the head."""
    head = await source.number()
    async with running(a_relay(source, nc)):
        await until(lambda: stream_ends_at(source, nc, head))
    return head


async def stream_ends_at(source: Place, nc: Client, head: int) -> bool:
    try:
        return bool((await nc.jetstream().stream_info(source.stream)).state.last_seq == head)
    except NotFoundError:
        return False


async def received(reader: Place, source: Place) -> None:
    """Waits for the mark to reach the source's head; then the inbox is the source's log, and mark and checksum are its own."""
    head = await source.number()
    await until(lambda: mark_is(reader, source, head))
    bodies = await source.bodies()
    assert await reader.inbox(source.name) == list(enumerate(bodies, 1))
    digest = hashlib.sha256(b"").digest()
    for body in bodies:
        digest = hashlib.sha256(digest + (attribute(body, "id") or "").encode()).digest()
    mark = await reader.pool.fetchrow("SELECT * FROM work.mark WHERE follower = 'receiver'")
    assert mark is not None
    assert (mark["leaf"], mark["digest"], mark["applied"]) == (leaf_of(bodies[-1]), digest, head)
    assert mark["lineage"] == await source.pool.fetchval("SELECT lineage FROM work.head")


async def mark_is(reader: Place, source: Place, position: int) -> bool:
    return await reader.mark("receiver", source.name) == position


@asynccontextmanager
async def serving(source: Place, nc: Client, **relay: Any) -> AsyncIterator[None]:
    """The source's sequencer, relay and feed."""
    async with running(a_sequencer(source), a_relay(source, nc, **relay), FeedOf(source, nc)):
        yield
