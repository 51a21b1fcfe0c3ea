"""To the outside: mail, chat robot, webhook. A row in work.delivery is the truth; NATS carries only a wake-up with its id.

The row is written with the event that asks for it. An attempt is a fact before the call (`started`, committed) and its outcome a
fact after it, so a crash between the two shows as a started attempt without outcome, and is tried again after its lease.
By a channel that the town has not set up nothing is attempted: that is the fact, and the delivery is done. It is not sent late
when the channel comes; a person may have it tried then.
Outside, that is at least once; every attempt of a delivery carries the same id, by which the other side may tell.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Protocol, TypeVar
from uuid import UUID

import asyncpg

from shared.app import AGAIN, APPENDING, LOST, TAKE_APPENDING, TRIES, App, Cause
from shared.bell import Bell
from shared.decider import Actor, Command
from shared.delivery_rows import ANY_OPEN, CLAIM, DUE, SETTLE, UNAVAILABLE
from shared.ending import ended
from shared.errors import Refusal, VersionConflict
from shared.ids import derived
from shared.outside import Delivery, Outside, SendFailed
from shared.parts import Points, no_points
from shared.sql import Tx
from shared.telemetry import DELIVERIES, log, span_of, why

T = TypeVar("T")

BACK_OFF = tuple(timedelta(seconds=s) for s in (30, 120, 600, 3600, 14_400))
"""Real time between attempts; after the last one fails, the delivery is dead."""


@dataclass(frozen=True)
class Wake:
    """A call for delivery `delivery_id`, after `attempts` attempts."""

    delivery_id: UUID
    attempts: int


class Caller(Protocol):
    """Wakes whoever may do the work, in this process or another; see wake_ups.py."""

    async def call(self, wakes: Iterable[Wake]) -> set[Wake]:
        """Those that were called for; the others are done here."""
        ...

    async def run(self, take: Callable[[UUID], Awaitable[None]]) -> None:
        """Until cancelled: gives `take` every call heard."""
        ...


@dataclass
class Deliveries:
    """Sends what is due. `wake` may be rung after a commit; without it the poll finds the row.

    caller None: this process does all of it. lease: how long an attempt may take before others think it lost; call_limit
    (seconds) is shorter. grace: seconds after which a wake-up that nobody heeded is held for lost, and the sweep does the work.
    """

    service: str
    pool: asyncpg.Pool
    app: App
    outside: Outside
    caller: Caller | None = None
    back_off: Sequence[timedelta] = BACK_OFF
    lease: timedelta = timedelta(seconds=60)
    call_limit: float = 20.0
    grace: float = 1.0
    poll: float = 0.2
    workers: int = 4
    points: Points = field(default=no_points)
    wake: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        if self.call_limit >= self.lease.total_seconds():
            raise ValueError("a call must end before its lease does")
        self._todo: asyncio.Queue[UUID | None] = asyncio.Queue(maxsize=100)
        self._in_hand: set[UUID] = set()
        self._called: dict[Wake, float] = {}
        self._log = log("deliveries", service=self.service)

    async def idle(self) -> bool:
        """Whether no delivery is open: all are done or dead."""
        return not await self.pool.fetchval(ANY_OPEN)

    async def run(self, stop: asyncio.Event | None = None) -> None:
        """Until `stop` is set, then finishes the attempts that are under way; or until cancelled."""
        stopping = stop or asyncio.Event()
        workers = [asyncio.create_task(self._work()) for _ in range(self.workers)]
        listening = asyncio.create_task(self.caller.run(self._take)) if self.caller else None
        try:
            while not stopping.is_set():
                try:
                    await self.sweep()
                except Exception as error:  # the database is away, or busy: the rows wait
                    self._log.warning("again", error=type(error).__name__, text=why(error))
                    await asyncio.sleep(0.3)
                await self.wake.wait(self.poll)
            if listening is not None:
                listening.cancel()
            self._forget_what_waits()
            for _ in workers:
                await self._todo.put(None)
            await asyncio.gather(*workers)
        finally:
            await ended([*workers, listening] if listening else workers)
            self._forget_what_waits()

    async def sweep(self) -> None:
        """Calls for whatever is due; does itself what nobody came for."""
        due = {Wake(row[0], row[1]): None for row in await self.pool.fetch(DUE, 200)}
        self._called = {wake: at for wake, at in self._called.items() if wake in due}
        fresh = [wake for wake in due if wake not in self._called]
        heard: set[Wake] = set()
        if fresh:
            await self.points("delivery: before the wake-up")
            heard = await self.caller.call(fresh) if self.caller else heard
        now = time.monotonic()
        self._called.update(dict.fromkeys(fresh, now))
        for wake in due:
            if wake not in heard and (wake in fresh or now - self._called[wake] > self.grace):
                await self._take(wake.delivery_id)

    async def _take(self, delivery_id: UUID) -> None:
        """Puts it before the workers. When they have too much to do it is left to a later sweep, or to another process."""
        if delivery_id not in self._in_hand and not self._todo.full():
            self._in_hand.add(delivery_id)
            self._todo.put_nowait(delivery_id)

    def _forget_what_waits(self) -> None:
        while not self._todo.empty():
            self._todo.get_nowait()
        self._in_hand.clear()

    async def _work(self) -> None:
        while (delivery_id := await self._todo.get()) is not None:
            try:
                await self.attempt(delivery_id)
            except (Refusal, VersionConflict, *LOST) as error:
                self._log.warning("left to the next sweep", delivery=str(delivery_id), error=type(error).__name__)
            except Exception as error:
                self._log.error("left to the lease", delivery=str(delivery_id), error=type(error).__name__)
            finally:
                self._in_hand.discard(delivery_id)

    async def attempt(self, delivery_id: UUID) -> bool:
        """One attempt, when it is due and nobody else is at it; whether it was made."""
        claimed = await self._claim(delivery_id)
        if claimed is None:
            return False
        with span_of(claimed.traceparent, "delivery", service=self.service, channel=claimed.channel):
            error = await self._call(claimed)
            await self._settle(claimed, error)
        return True

    async def _claim(self, delivery_id: UUID) -> Delivery | None:
        """Takes the row and says so in its stream, in one transaction. What is refused there or lacks a channel is not sent."""
        lacked: str | None = None

        async def take(tx: Tx) -> Delivery | None:
            nonlocal lacked
            row = await tx.one(CLAIM, (delivery_id, self.lease))
            if row is None:
                return None
            mine = Delivery(
                delivery_id, row["stream_id"], row["channel"], row["attempts"], row["traceparent"], row["correlation"]
            )
            lacks = self.outside.lacking.get(mine.channel)
            lacked = mine.channel if lacks is not None else None
            try:
                with span_of(mine.traceparent, "claim", service=self.service, channel=mine.channel):
                    async with tx.connection.transaction():
                        if lacks is None:
                            await self._record(tx, mine, "started", self.outside.started(mine))
                            return mine
                        await self._record(tx, mine, "unavailable", self.outside.unavailable(mine, lacks))
                        why_not = UNAVAILABLE
            except Refusal as refusal:
                why_not, lacked = refusal.rule, None
            await tx.run(SETTLE, (delivery_id, mine.attempt, "done", why_not, timedelta()))
            return None

        claimed = await self._committed(take)
        if lacked is not None:
            DELIVERIES.labels(self.service, lacked, UNAVAILABLE).inc()
        return claimed

    async def _call(self, mine: Delivery) -> SendFailed | None:
        """The call itself, with no transaction open. None when the other side took it. Raises what LOST holds."""
        try:
            async with asyncio.timeout(self.call_limit):
                sender = self.outside.senders.get(mine.channel)
                if sender is None:
                    return SendFailed("no_such_channel", permanent=True)
                async with self.pool.acquire() as connection:
                    letter = await self.outside.write(Tx(connection), mine)
                await self.points("delivery: before the call")
                await sender.send(mine, letter)
                await self.points("delivery: after the call")
        except SendFailed as failed:
            return failed
        except TimeoutError:
            return SendFailed("timeout")
        except LOST:
            raise
        except Exception as error:  # ours to mend; counted as a failure, or it would come back for ever
            self._log.error("no letter", delivery=str(mine.delivery_id), error=type(error).__name__, text=why(error))
            return SendFailed("internal")
        return None

    async def _settle(self, mine: Delivery, error: SendFailed | None) -> None:
        """The outcome and what follows from it, unless a later attempt has begun meanwhile."""
        wait = None if error is None or error.permanent else self._pause(mine.attempt)
        state = "done" if error is None else "open" if wait is not None else "dead"
        row = (mine.delivery_id, mine.attempt, state, error.code if error else None, _spread(wait))

        async def settle(tx: Tx) -> bool:
            if not await tx.run(SETTLE, row):
                return False
            try:
                async with tx.connection.transaction():
                    await self._record_outcome(tx, mine, error, wait)
            except Refusal as refusal:  # the stream was closed during the call; the next claim finds that out too
                self._log.warning("outcome refused", delivery=str(mine.delivery_id), rule=refusal.rule)
            return True

        if await self._committed(settle):
            outcome = "delivered" if error is None else "failed" if wait is not None else "dead"
            DELIVERIES.labels(self.service, mine.channel, outcome).inc()

    async def _record_outcome(self, tx: Tx, mine: Delivery, error: SendFailed | None, wait: timedelta | None) -> None:
        if error is None:
            await self._record(tx, mine, "outcome", self.outside.succeeded(mine))
            return
        seconds = wait.total_seconds() if wait is not None else None
        await self._record(tx, mine, "outcome", self.outside.failed(mine, error.code, seconds))
        if wait is None:
            await self._record(tx, mine, "given_up", self.outside.given_up(mine))

    def _pause(self, attempt: int) -> timedelta | None:
        """Until the next attempt; None when enough were made."""
        return self.back_off[attempt - 1] if attempt <= len(self.back_off) else None

    async def _record(self, tx: Tx, mine: Delivery, what: str, command: Command) -> None:
        command_id = derived(mine.delivery_id, mine.attempt, what)
        actor = Actor(person=f"system:{self.service}")
        await self.app.execute(tx, command, Cause(command_id, actor, mine.correlation))

    async def _committed(self, work: Callable[[Tx], Awaitable[T]]) -> T:
        """`work` in a transaction, done again when two writers met. Raises VersionConflict, or what LOST holds, at last."""
        for attempt in range(TRIES):
            try:
                async with self.pool.acquire() as connection, connection.transaction():
                    tx = Tx(connection)
                    await tx.one(TAKE_APPENDING, (APPENDING,))
                    done = await work(tx)
            except (VersionConflict, *AGAIN, *LOST):
                if attempt == TRIES - 1:
                    raise
                await asyncio.sleep(random.uniform(0, 0.02 * 2**attempt))
            else:
                self.app.appended.ring()
                return done
        raise AssertionError("the last try returns or raises")


def _spread(wait: timedelta | None) -> timedelta:
    """A tenth more or less, so that a crowd does not come back at once. The event names the plain figure."""
    return (wait or timedelta()) * random.uniform(0.9, 1.1)


__all__ = ["BACK_OFF", "Caller", "Deliveries", "Wake"]
