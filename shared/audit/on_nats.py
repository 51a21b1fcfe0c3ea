"""A service's stream on NATS, against its log."""

from collections.abc import AsyncIterator

import asyncpg
import nats.js.errors
from nats.aio.client import Client
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.audit.found import Found
from shared.contracts.envelope import leaf_of
from shared.stream import stream_name

MOST_NAMED = 20
SECONDS = 3.0
"""Without a further message the stream is taken to hold no more."""

LOG = """
SELECT l.position, e.body FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $2
"""


async def faults(
    nc: Client, jurisdiction: str, service: str, pool: asyncpg.Pool, keep: int | None
) -> AsyncIterator[Found]:
    """What stands on NATS, against the log. `keep`: how many messages the stream holds, None for all."""
    js, name = nc.jetstream(timeout=10), stream_name(jurisdiction, service)
    head = await pool.fetchval("SELECT position FROM work.head")
    try:
        info = await js.stream_info(name)
    except nats.js.errors.NotFoundError:
        if head:
            yield Found(f"NATS 上没有流 {name}：已被删除", f"NATS has no stream {name}: it was deleted")
        return
    state = info.state
    first = max(1, head - keep + 1) if keep else 1
    if state.messages and state.first_seq > first:
        yield Found(
            f"流 {name} 从 {state.first_seq} 开始，应从 {first} 开始：前部被删去",
            f"the stream {name} begins at {state.first_seq}, not at {first}: its beginning was deleted",
            first,
        )
    if state.last_seq < head or not state.messages:
        yield Found(
            f"流 {name} 到 {state.last_seq}，日志到 {head}：流被删除过，转发程序尚未补齐",
            f"the stream {name} ends at {state.last_seq}, the log at {head}: it was deleted, and no relay has refilled it",
            state.last_seq + 1,
        )
    named = 0
    async for found in _messages(nc, name, state.first_seq, state.last_seq, pool):
        yield found
        named += 1
        if named == MOST_NAMED:
            return


async def _messages(nc: Client, name: str, first: int, last: int, pool: asyncpg.Pool) -> AsyncIterator[Found]:
    js = nc.jetstream(timeout=10)
    about = ConsumerConfig(ack_policy=AckPolicy.NONE, deliver_policy=DeliverPolicy.ALL, inactive_threshold=30)
    consumer = await js.add_consumer(name, about)
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=name)
    expected = first
    try:
        while expected <= last:
            try:
                batch = await subscription.fetch(500, timeout=SECONDS)
            except TimeoutError:  # the library raises its own and the built-in one
                break
            at = [message.metadata.sequence.stream for message in batch]
            log = {row["position"]: row["body"] for row in await pool.fetch(LOG, at[0] - 1, at[-1])}
            for position, message in zip(at, batch, strict=True):
                if position > expected:
                    yield Found(
                        f"流里缺第 {expected} 至 {position - 1} 号",
                        f"the stream lacks {expected} to {position - 1}",
                        expected,
                    )
                if position not in log:
                    yield Found(
                        "流里有，日志里没有：日志中删去了它",
                        "the stream has it, the log does not: it was taken out",
                        position,
                    )
                elif leaf_of(message.data) != leaf_of(log[position]):
                    yield Found(
                        "流里是另一内容：二者必有一个被改动", "the stream has other bytes: one was altered", position
                    )
                expected = position + 1
    finally:
        await subscription.unsubscribe()
    if expected <= last:
        yield Found(f"流里缺第 {expected} 至 {last} 号", f"the stream lacks {expected} to {last}", expected)
