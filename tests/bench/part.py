"""Parts of a service as a process of their own: `python -m tests.bench.part`, told by one line of JSON, ended by end of input.

At its end it answers when which position was received and followed: {"received": [[position, seconds]], "followed": …}.
"""

import asyncio
import json
import sys
import time
from typing import Any

from shared import log_feed
from shared.bell import Bell, Chime
from shared.clock import SystemClock
from shared.database import open_pool
from shared.ending import ended
from shared.follower import Projection, Walk
from shared.receiver import Receiver
from shared.relay import Relay
from shared.sequencer import Sequencer
from shared.stream import connect
from shared.telemetry import start_logging, start_tracing
from tests.bench.ground import Store, Work
from tests.support.kernel import Unsealed
from tests.support.toy import SEEN_MODEL, TYPES


class Noting(Chime):
    """A chime that also notes when it was rung, and how far the receiver had come."""

    def __init__(self) -> None:
        super().__init__()
        self.receiver: Receiver | None = None
        self.times: list[tuple[int, float]] = []

    def ring(self) -> None:
        if self.receiver is not None:
            self.times.append((self.receiver.position, time.monotonic()))
        super().ring()


class TimedProjection(Projection):
    """Notes when each of its moves was committed."""

    def __init__(self, *about: Any) -> None:
        super().__init__(*about)
        self.at = 0
        self.times: list[tuple[int, float]] = []

    async def once(self) -> int:
        moved = await super().once()
        if moved:
            self.at += moved
            self.times.append((self.at, time.monotonic()))
        return moved


async def run(work: Work) -> None:
    store, source = work.store, work.source or work.store
    pool, log_pool = await open_pool(store.app, 4), await open_pool(store.log, 2)
    nc = await connect(work.nats, "bench")
    sequenced, received, tasks = Chime(), Noting(), []
    if "sequencer" in work.parts:
        tasks.append(Sequencer(store.service, log_pool, SystemClock(), Bell(), sequenced).run())
    if "relay" in work.parts:
        tasks.append(Relay(store.service, store.jurisdiction, pool, nc, sequenced.bell()).run())
        tasks.append(log_feed.serve(nc, store.jurisdiction, store.service, pool))
    if "receiver" in work.parts:
        feed = log_feed.NatsFeed(nc, source.jurisdiction, source.service)
        receiver = Receiver(store.service, source.jurisdiction, source.service, pool, nc, feed, TYPES, received)
        received.receiver = receiver
        tasks.append(receiver.run())
    walk = Walk(store.service, source.service)
    projection = TimedProjection(store.service, "seen", walk, (SEEN_MODEL,), pool, Unsealed(), received.bell())
    if "follower" in work.parts:
        for statement in SEEN_MODEL.ddl():
            await pool.execute(statement)
        tasks.append(projection.run())
    running = [asyncio.create_task(task) for task in tasks]
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    await ended(running)
    await nc.close()
    for one in (pool, log_pool):
        one.terminate()
    print(json.dumps({"received": received.times, "followed": projection.times}))


def told() -> Work:
    told: dict[str, Any] = json.loads(sys.stdin.readline())
    source = Store(**told["source"]) if told["source"] else None
    return Work(tuple(told["parts"]), Store(**told["store"]), told["nats"], source)


if __name__ == "__main__":
    start_logging("WARNING")
    start_tracing("bench", None)
    asyncio.run(run(told()))
