"""Commands in, facts out: load, fold, decide, append, inline rows; one transaction.

`execute` works inside somebody's transaction and never retries. `handle` brings its own transaction and does the whole of it
again when two writers met, when the database broke off, or when a reservation was taken a moment before.
"""

import asyncio
import os
import random
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import asyncpg
from opentelemetry import trace

from shared import event_store
from shared.bell import Bell
from shared.clock import Clock
from shared.contracts.envelope import Header, Recorded, read, write
from shared.contracts.event import Event
from shared.decider import Actor, Command, Decider
from shared.errors import (
    IdempotencyMismatch,
    KeyServiceAway,
    NotFound,
    NotPermitted,
    NotReady,
    OccurredInFuture,
    Refusal,
    TooMuchForOneRecord,
    UniqueConflict,
    VersionConflict,
)
from shared.ids import event_id
from shared.read_model import ReadModel, write_all
from shared.receipts import Fact, note_recorded
from shared.sql import Tx
from shared.telemetry import current_traceparent

TRIES = 5
SKEW = timedelta(minutes=5)
"""How far ahead a phone's clock may be."""

# Appends hold this shared; a swap of read models takes it alone (replay.py).
APPENDING = 0x6D77_0001

TAKE_APPENDING = "SELECT pg_advisory_xact_lock_shared($1)"
FIRST_ANSWER = "SELECT body_hash, stream_id, version, events FROM work.answer WHERE command_id = $1"
FACTS = """
SELECT leaf, recorded_at FROM record.event WHERE event_id = ANY ($1::uuid[]) ORDER BY array_position($1::uuid[], event_id)
"""
KEEP_ANSWER = """
INSERT INTO work.answer (command_id, body_hash, stream_id, version, events, answered_at)
VALUES ($1, $2, $3, $4, $5, clock_timestamp())
"""

LOST = (
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # the driver's own state, after a backend was killed under it
    asyncpg.OperatorInterventionError,  # shutting down, starting up, cancelled
    asyncpg.InsufficientResourcesError,  # no connection left, disk full
    asyncpg.IdleInTransactionSessionTimeoutError,
    asyncpg.ReadOnlySQLTransactionError,  # in the middle of a fail-over
    OSError,  # and with it ConnectionError and TimeoutError
    KeyServiceAway,  # without it nothing sealed is read or written
)
"""The database is away for a moment, or what wraps its keys. Whether a commit that was under way stands is not known."""
NO = (Refusal, VersionConflict, NotFound, NotPermitted)
"""What nobody hears before their command id was looked up: it may speak of what the command itself did when it was first sent."""
AGAIN = (asyncpg.SerializationError, asyncpg.DeadlockDetectedError, asyncpg.InvalidCachedStatementError)
"""The transaction is gone and may simply be done again; the last one follows a swap of read models with other columns."""


class Sealer(Protocol):
    """Encrypts what the contract seals, and opens what this service's audience may read."""

    async def seal(self, event: Event, stream_id: str) -> dict[str, Any]: ...

    async def open(self, recorded: Sequence[Recorded[Any]]) -> list[Recorded[Any]]: ...


@dataclass(frozen=True)
class Cause:
    """Who sent a command, under which id, and what led to it.

    `command_id` is derived from caller, route and Idempotency-Key, so the same key of another caller is another command;
    `body_hash` tells a repetition from a misuse; `expected_version` comes from If-Match.
    """

    command_id: UUID
    actor: Actor
    correlation_id: str
    body_hash: bytes = b""
    expected_version: int | None = None


@dataclass(frozen=True)
class Answer:
    """What a command did: the stream's version after it and the events it added (none when it changed nothing); `facts`: what a
    receipt says of them."""

    stream_id: str
    version: int
    events: list[UUID]
    command_id: UUID
    repeated: bool = False
    facts: tuple[Fact, ...] = ()


Terms = Callable[[Tx, Actor, datetime], Awaitable[tuple[Any, str | None]]]
"""Gives the terms a decider sees and the version of the plan in force."""

Work = Callable[[Tx], Awaitable[Sequence[Recorded[Any]]]]
"""What is done in the transaction that it is given; the events it added."""


@dataclass
class App:
    """One service's write side."""

    service: str
    jurisdiction: str
    pool: asyncpg.Pool
    deciders: Sequence[Decider[Any]]
    inline: Sequence[ReadModel]
    sealer: Sealer
    clock: Clock
    terms: Terms
    appended: Bell = field(default_factory=Bell)

    def __post_init__(self) -> None:
        self._decider = {command: d for d in self.deciders for command in d.commands}
        self._tracer = trace.get_tracer("minewatch")

    async def handle(self, command: Command, cause: Cause) -> Answer:
        """One command in a transaction of its own. Raises Refusal, VersionConflict, IdempotencyMismatch, NotReady."""
        return await self.handle_all([command], cause)

    async def handle_all(self, commands: Sequence[Command], cause: Cause) -> Answer:
        """Several commands, all or nothing; the answer speaks of the last. `expected_version` binds the first."""

        async def execute(tx: Tx) -> list[Recorded[Any]]:
            done: list[Recorded[Any]] = []
            for nth, command in enumerate(commands):
                expected = cause.expected_version if nth == 0 else None
                done += await self.execute(tx, command, replace(cause, expected_version=expected))
            return done

        return await self.once(commands[-1].stream_id, execute, cause)

    async def handle_made(self, make: Callable[[], Awaitable[Command]], cause: Cause) -> Answer:
        """The command that `make` gives, after it has looked up what only tables know. Raises what `make` raises, too.

        What a command did may be what `make` says no to when it is sent again: then its first answer is given, not the no.
        """
        try:
            command = await make()
        except NO:
            if (first := await self._done_meanwhile(cause)) is None:
                raise
            return self._given(first)
        return await self.handle(command, cause)

    async def once(self, stream_id: str, work: Work, cause: Cause) -> Answer:
        """`work`, in a transaction of its own, once for each command id; the answer speaks of `stream_id`.

        A command that was sent again while its first sending still ran may meet what that one did, and would be refused for it:
        therefore nobody hears a no before the command id was looked up once more.
        """
        try:
            answer = await self._tried(stream_id, work, cause)
        except NO:
            if (meanwhile := await self._done_meanwhile(cause)) is None:
                raise
            answer = meanwhile
        return self._given(answer)

    def _given(self, answer: Answer) -> Answer:
        self.appended.ring()
        note_recorded(answer.facts)
        return answer

    async def _tried(self, stream_id: str, work: Work, cause: Cause) -> Answer:
        unique_conflicts = 0
        tried: list[Answer] = []
        for attempt in range(TRIES):
            try:
                return await self._once(stream_id, work, cause, tried)
            except VersionConflict:
                if attempt == TRIES - 1 or cause.expected_version is not None:
                    raise
            except asyncpg.UniqueViolationError as error:
                if error.schema_name not in ("record", "work"):  # there: this very command, done meanwhile
                    unique_conflicts += 1
                    if unique_conflicts > 1:
                        raise UniqueConflict(what=error.constraint_name) from error
            except AGAIN:
                pass
            except LOST as error:  # committed or not? the next round looks the command id up first
                if attempt == TRIES - 1:
                    away = f"the database of {self.service} does not answer"
                    raise error if isinstance(error, NotReady) else NotReady(away) from error
                await asyncio.sleep(0.1 * 2**attempt)
            await asyncio.sleep(random.uniform(0, 0.01 * (attempt + 1)))
        raise VersionConflict(stream_id)

    async def _done_meanwhile(self, cause: Cause) -> Answer | None:
        """Raises NotReady where nobody can know: then a no may be wrong."""
        try:
            async with self.pool.acquire() as connection:
                return await self._first_answer(Tx(connection), cause)
        except LOST as error:
            raise NotReady(f"the database of {self.service} does not answer") from error

    async def _once(self, stream_id: str, work: Work, cause: Cause, tried: list[Answer]) -> Answer:
        """`tried`: the answers of earlier rounds, one of which may stand although its commit was not heard of; events are salted,
        so that no other sending has the same leaves."""
        async with self.pool.acquire() as connection, connection.transaction():
            tx = Tx(connection)
            if first := await self._first_answer(tx, cause):
                return next((mine for mine in tried if mine.facts and mine.facts == first.facts), first)
            await tx.one(TAKE_APPENDING, (APPENDING,))
            answer = await self._answer(tx, stream_id, await work(tx), cause)
            await tx.run(
                KEEP_ANSWER, (cause.command_id, cause.body_hash, answer.stream_id, answer.version, answer.events)
            )
            tried.append(answer)
            return answer

    async def execute(self, tx: Tx, command: Command, cause: Cause, now: datetime | None = None) -> list[Recorded[Any]]:
        """Decides and appends within `tx`, as of `now` or the clock. Raises Refusal; VersionConflict and unique violations need
        a rollback."""
        decider = self._decider[type(command)]
        with self._tracer.start_as_current_span("append", attributes={"minewatch.service": self.service}) as span:
            now = (now or self.clock.now()).astimezone(UTC)
            occurred_at = (command.occurred_at or now).astimezone(UTC)
            if occurred_at > now + SKEW:
                raise OccurredInFuture(occurred_at=occurred_at.isoformat())
            stream_id = command.stream_id
            history = await event_store.load(tx, stream_id)
            version = history[-1].version if history else 0
            if cause.expected_version is not None and cause.expected_version != version:
                raise VersionConflict(stream_id)
            state = decider.initial()
            for stored in history:
                state = decider.evolve(state, read(stored.body).event)
            terms, plan_version = await self.terms(tx, cause.actor, now)
            events = decider.decide(command, state, terms)
            if not events:
                return []
            span.set_attribute("minewatch.type", events[0].type)
            recorded: list[Recorded[Any]] = []
            prev = history[-1].leaf if history else None
            for event in events:
                version += 1
                header = self._header(event, stream_id, version, occurred_at, now, cause, plan_version)
                sealed = await self.sealer.seal(event, stream_id)
                try:
                    body = write(header, sealed, prev, os.urandom(16))
                except ValueError as error:
                    raise TooMuchForOneRecord() from error
                recorded.append(read(body))
                prev = recorded[-1].leaf
            await event_store.append(
                tx, [event_store.NewEvent(r.event_id, stream_id, r.version, r.type, r.body, now) for r in recorded]
            )
            opened = await self.sealer.open(recorded) if self.inline else recorded
            for one in opened:
                await write_all(tx, self.inline, one)
            return opened

    def _header(
        self,
        event: Event,
        stream_id: str,
        version: int,
        occurred_at: datetime,
        now: datetime,
        cause: Cause,
        plan_version: str | None,
    ) -> Header:
        actor = cause.actor
        return Header(
            event_id=event_id(cause.command_id, stream_id, version),
            jurisdiction=self.jurisdiction,
            source=self.service,
            stream_id=stream_id,
            version=version,
            type=event.type,
            occurred_at=occurred_at,
            recorded_at=now,
            actor=actor.person,
            in_role=actor.in_role,
            on_behalf_of=f"{actor.on_behalf_of};{actor.ground or ''}" if actor.on_behalf_of else None,
            causation_id=cause.command_id,
            correlation_id=cause.correlation_id,
            traceparent=current_traceparent(),
            plan_version=plan_version,
        )

    async def _first_answer(self, tx: Tx, cause: Cause) -> Answer | None:
        row = await tx.one(FIRST_ANSWER, (cause.command_id,))
        if row is None:
            return None
        if row["body_hash"] != cause.body_hash:
            raise IdempotencyMismatch(str(cause.command_id))
        facts = tuple(Fact(each["leaf"], each["recorded_at"]) for each in await tx.all(FACTS, (row["events"],)))
        return Answer(row["stream_id"], row["version"], list(row["events"]), cause.command_id, True, facts)

    async def _answer(self, tx: Tx, stream_id: str, done: Iterable[Recorded[Any]], cause: Cause) -> Answer:
        events = list(done)
        mine = [e.version for e in events if e.stream_id == stream_id]
        if mine:
            version = mine[-1]
        else:
            version = await tx.value(
                "SELECT coalesce(max(version), 0) FROM record.event WHERE stream_id = $1", (stream_id,)
            )
        facts = tuple(Fact(e.leaf, e.recorded_at) for e in events)
        return Answer(stream_id, version, [e.event_id for e in events], cause.command_id, facts=facts)
