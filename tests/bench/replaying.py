"""(f) reading everything again: as bytes, as events, into a read model, and as the library does it."""

import contextlib
import time
from collections.abc import Awaitable, Callable
from uuid import UUID

from shared import event_store
from shared.bell import Bell
from shared.clock import SystemClock
from shared.contracts.envelope import read
from shared.database import open_pool
from shared.follower import Walk
from shared.replay import Replay
from shared.sequencer import Sequencer
from shared.sql import Tx
from tests.bench import library
from tests.bench.facts import AT, TYPE, body_of
from tests.bench.ground import Ground, Store
from tests.bench.rows import Aim, Row, row_of
from tests.support.kernel import Unsealed
from tests.support.toy import SEEN_MODEL

PAGE = 1000


async def fill(store: Store, events: int) -> None:
    """Streams of 100 events, numbered."""
    pool, log_pool = await open_pool(store.app, 2), await open_pool(store.log, 2)
    sequencer = Sequencer(store.service, log_pool, SystemClock(), Bell())
    try:
        for first in range(0, events, 500):
            rows = []
            for nth in range(first, min(first + 500, events)):
                event_id, stream, version = UUID(int=nth + 1), f"site-{nth // 100:012d}", nth % 100 + 1
                body = body_of(event_id, stream, version)
                rows.append(event_store.NewEvent(event_id, stream, version, TYPE, body, AT))
            async with pool.acquire() as connection:
                await event_store.append(Tx(connection), rows)
            await sequencer.once()
        while await sequencer.once():
            pass
    finally:
        pool.terminate()
        log_pool.terminate()


async def walked(store: Store, decode: bool) -> int:
    """Every event in order, by the statement that followers read with; how many."""
    pool, walk, at = await open_pool(store.app, 1), Walk(store.service, store.service), 0
    try:
        async with pool.acquire() as connection:
            tx = Tx(connection)
            end = await walk.end(tx)
            assert end is not None
            while rows := await walk.after(tx, at, end, PAGE):
                if decode:
                    for row in rows:
                        read(row["body"], row["position"], str(row["lineage"]))
                at = rows[-1]["position"]
        return at
    finally:
        pool.terminate()


async def replayed(store: Store) -> int:
    """Into a shadow table with one row an event; how many."""
    pool = await open_pool(store.app, 2, "shadow, work, record")
    try:
        replay = Replay(store.service, pool, Unsealed(), (), {"seen": (SEEN_MODEL,)}, ())
        await replay.fill()
        return replay.reached[store.service]
    finally:
        pool.terminate()


async def measured(ground: Ground) -> list[Row]:
    store, events = await ground.store(), ground.size.replayed
    await fill(store, events)
    rates: dict[str, list[float]] = {name: [] for name in ("bytes", "decoded", "library", "replayed")}
    with contextlib.ExitStack() as stack:
        ways: dict[str, Callable[[], Awaitable[int]]] = {
            "bytes": lambda: walked(store, False),
            "decoded": lambda: walked(store, True),
        }
        if library.INSTALLED:
            opened = stack.enter_context(library.opened(await library.a_database(ground, "bench_library_read")))
            await library.in_thread(opened.fill, events)
            ways["library"] = lambda: library.in_thread(opened.read)
        await ground.templates.run("VACUUM ANALYZE", store.database)
        for _ in range(min(3, ground.size.rounds)):
            for name, way in ways.items():
                rates[name].append(await _rate(way, events))
        rates["replayed"].append(await _rate(lambda: replayed(store), events))
    note = "" if rates["library"] else library.ABSENT
    bare, theirs = ("bytes", rates["bytes"]), ("library", rates["library"])
    decoded = rates["decoded"] if rates["library"] else []
    return [
        row_of("f", f"read {events:,} events, bytes only", rates["bytes"], "events/s"),
        row_of("f", "decoded (envelope.read)", rates["decoded"], "events/s", bare),
        row_of("f", "eventsourcing: select and to_domain_event", rates["library"], "events/s", bare, note=note),
        row_of("f", "decoded, to the library", decoded, "events/s", theirs, Aim(least=2), note=note),
        row_of(
            "f", "replayed into a read model", rates["replayed"], "events/s", ("bytes", rates["bytes"][-1:]),
            note="one INSERT an event",
        ),
    ]  # fmt: skip


async def _rate(way: Callable[[], Awaitable[int]], events: int) -> float:
    """Events a second. Raises AssertionError when not all were read."""
    began = time.perf_counter()
    assert await way() == events
    return events / (time.perf_counter() - began)
