"""A log and its stream: waiting for one to be the copy of the other."""

from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.contracts.envelope import attribute, leaf_of
from shared.stream import LEAF, LINEAGE, POSITION
from tests.support.kernel import Place, until


async def state(place: Place, nc: Client) -> Any:
    return (await nc.jetstream().stream_info(place.stream)).state


async def last_of(place: Place, nc: Client) -> int:
    """The stream's last sequence, 0 when there is no stream."""
    try:
        return int((await state(place, nc)).last_seq)
    except (NotFoundError, nats.errors.Error):
        return 0


async def mirrored(place: Place, nc: Client, first: int = 1, holes: tuple[int, ...] = ()) -> None:
    """Waits for the stream to reach the head; then each message from `first` on is the event at its sequence, and no other."""
    head = await place.number()
    await until(lambda: ends_at(place, nc, head))
    bodies = await place.bodies()
    js = nc.jetstream()
    lineage = str(await place.pool.fetchval("SELECT lineage FROM work.head"))
    now = await state(place, nc)
    assert (now.first_seq, now.last_seq, now.messages) == (first, head, head - first + 1 - len(holes))
    for position in range(first, head + 1):
        if position in holes:
            continue
        message = await js.get_msg(place.stream, seq=position)
        assert message.data == bodies[position - 1]
        headers = message.headers or {}
        assert (headers[LINEAGE], headers[POSITION]) == (lineage, str(position))
        assert headers[LEAF] == leaf_of(bodies[position - 1]).hex()
        assert message.subject == f"{place.jurisdiction}.{attribute(message.data or b'', 'type')}"


async def ends_at(place: Place, nc: Client, head: int) -> bool:
    return await last_of(place, nc) == head
