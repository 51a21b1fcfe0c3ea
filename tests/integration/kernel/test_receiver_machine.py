"""Receiving, played at random: the stream is injured in every way, and the inbox stays the beginning of the source's log."""

import hashlib
from contextlib import suppress
from typing import Any

import nats.errors
from hypothesis import strategies as st
from hypothesis.stateful import initialize, invariant, rule
from nats.aio.client import Client

from shared.contracts.envelope import attribute
from shared.stream import definition
from tests.support import machines
from tests.support.crash import Killed, kill_at
from tests.support.kernel import FeedOf, Place, Templates, a_connection, a_place, a_receiver, a_relay, running, until
from tests.support.servers import NatsAddress

POINTS = st.sampled_from(["receiver: before the commit", "receiver: after the commit"])


class Receiving(machines.Machine):
    """One source, its stream, and one reader. The stream can be deleted from and purged."""

    source: Place
    reader: Place
    nc: Client

    def __init__(self, templates: Templates, nats: NatsAddress) -> None:
        super().__init__()
        self.templates, self.nats = templates, nats
        self.head = 0

    @initialize(events=st.integers(2, 12))
    def begin(self, events: int) -> None:
        self.do(self._begin())
        self.the_source_writes(events)
        self.the_relay_catches_up()

    async def _begin(self) -> None:
        enter = self.open.enter_async_context
        self.source = await enter(a_place(self.templates, inline=(), sealed=False))
        town = self.source.jurisdiction
        self.reader = await enter(a_place(self.templates, "reporting", (), town, sealed=False))
        self.nc = await enter(a_connection(self.nats))
        await self._make_stream(1)

    async def _make_stream(self, first: int) -> None:
        lineage = await self.source.pool.fetchval("SELECT lineage FROM work.head")
        config = definition("cases", self.source.jurisdiction, first, None, str(lineage))
        config.deny_delete = config.deny_purge = False
        await self.nc.jetstream().add_stream(config)

    @rule(events=st.integers(1, 12))
    def the_source_writes(self, events: int) -> None:
        if events:
            self.do(self.source.fill(events))
        self.head = self.do(self.source.number())

    @rule(events=st.integers(0, 5))
    def the_relay_catches_up(self, events: int = 0) -> None:
        self.the_source_writes(events)
        self.do(self._relay())

    async def _relay(self) -> None:
        async with running(a_relay(self.source, self.nc)):
            await until(lambda: self._stream_ends_at(self.head))

    async def _stream_ends_at(self, head: int) -> bool:
        return bool((await self._state()).last_seq == head)

    async def _state(self) -> Any:
        return (await self.nc.jetstream().stream_info(self.source.stream)).state

    @rule(data=st.data())
    def a_message_is_deleted(self, data: st.DataObject) -> None:
        sequence = data.draw(st.integers(1, self.head))
        with suppress(nats.errors.Error):  # it is gone already
            self.do(self.nc.jetstream().delete_msg(self.source.stream, sequence))

    @rule(data=st.data())
    def everything_below_is_purged(self, data: st.DataObject) -> None:
        below = data.draw(st.integers(1, self.head + 1))
        self.do(self.nc.jetstream().purge_stream(self.source.stream, seq=below))

    @rule(keep=st.integers(0, 8))
    def the_stream_is_wiped_and_made_anew(self, keep: int) -> None:
        """As the relay makes it: from 1, or from where it is to keep this many."""
        first = max(1, self.head - keep + 1) if keep else 1
        self.do(self.nc.jetstream().delete_stream(self.source.stream))
        self.do(self._make_stream(first))

    @rule(events=st.integers(0, 5))
    def the_receiver_runs_until_it_has_everything(self, events: int) -> None:
        """What the stream does not hold, because no relay ran, it gets from the feed."""
        self.the_source_writes(events)
        self.do(self._receive())

    async def _receive(self) -> None:
        if await self._mark_is(self.head):
            return
        receiver = a_receiver(self.reader, self.source, self.nc, idle=0.15, ask_every=0.1)
        async with running(FeedOf(self.source, self.nc), receiver):
            await until(lambda: self._mark_is(self.head))
        assert receiver.stopped is None

    async def _mark_is(self, position: int) -> bool:
        return await self.reader.mark("receiver", "cases") == position

    @rule(point=POINTS, events=st.integers(1, 5))
    def the_receiver_is_killed_at(self, point: str, events: int) -> None:
        self.the_source_writes(events)
        self.do(self._die(point))

    async def _die(self, point: str) -> None:
        receiver = a_receiver(self.reader, self.source, self.nc, idle=0.15, ask_every=0.1, points=kill_at(point))
        async with running(FeedOf(self.source, self.nc), receiver) as tasks:
            await until(lambda: tasks[1].done())
        assert isinstance(tasks[1].exception(), Killed)

    @rule(events=st.integers(1, 5))
    def two_receivers_run(self, events: int) -> None:
        self.the_source_writes(events)
        self.do(self._two())

    async def _two(self) -> None:
        two = [a_receiver(self.reader, self.source, self.nc, idle=0.15, ask_every=0.1, stand_by=0.1) for _ in range(2)]
        async with running(FeedOf(self.source, self.nc), *two):
            await until(lambda: self._mark_is(self.head))

    @invariant()
    def the_inbox_is_the_beginning_of_the_log(self) -> None:
        if hasattr(self, "nc"):
            self.do(self._compare())

    async def _compare(self) -> None:
        inbox, bodies = await self.reader.inbox("cases"), await self.source.bodies()
        assert inbox == list(enumerate(bodies[: len(inbox)], 1))
        row = await self.reader.pool.fetchrow(
            "SELECT position, digest, applied FROM work.mark WHERE follower = 'receiver'"
        )
        digest = hashlib.sha256(b"").digest()
        for _, body in inbox:
            digest = hashlib.sha256(digest + (attribute(body, "id") or "").encode()).digest()
        assert (len(inbox), digest, len(inbox)) == (tuple(row) if row is not None else (0, digest, 0))

    async def end(self) -> None:
        if hasattr(self, "nc"):
            await self._relay()
            await self._receive()
            assert len(await self.reader.inbox("cases")) == self.head


def test_the_inbox_is_always_the_beginning_of_the_log(templates: Templates, nats_server: NatsAddress) -> None:
    machines.run(lambda: Receiving(templates, nats_server), examples=12, steps=12)
