"""Wake-ups over a real NATS: a FastStream work queue that may be lost at any time, and is made again."""

import secrets
from collections.abc import AsyncIterator, Awaitable, Callable
from uuid import UUID

import pytest
from nats.aio.client import Client
from nats.js.errors import NotFoundError

from shared.deliveries import Wake
from shared.delivery_rows import delivery_id_of
from shared.wake_ups import DURABLE, WakeUps
from tests.integration.notify.sending import Office
from tests.support.kernel import a_connection, running, until
from tests.support.servers import NatsAddress

NEVER = 600.0
"""As grace: what is done is done because somebody was called."""


@pytest.fixture
async def nc(nats_server: NatsAddress) -> AsyncIterator[Client]:
    async with a_connection(nats_server) as client:
        yield client


@pytest.fixture
def wake_ups(nats_server: NatsAddress) -> Callable[[], WakeUps]:
    town = f"t{secrets.token_hex(4)}"
    return lambda: WakeUps(nats_server.url, town, "notify")


async def listening(nc: Client, one: WakeUps) -> bool:
    """Whether somebody waits for jobs."""
    try:
        info = await nc.jetstream().consumer_info(one.stream, DURABLE)
    except NotFoundError:
        return False
    return bool(info.num_waiting)


async def test_a_wake_up_is_heard_by_another_process(
    office: Office, nc: Client, wake_ups: Callable[[], WakeUps]
) -> None:
    heard: list[UUID] = []

    async def take(delivery_id: UUID) -> None:
        heard.append(delivery_id)

    caller, other = wake_ups(), wake_ups()
    async with running(Listens(other, take)):
        await until(lambda: listening(nc, other))
        async with running(Listens(caller, take)):
            wake = Wake(UUID(int=7), 0)
            await until(lambda: caller.ready)
            assert await caller.call([wake]) == {wake}
            assert await other.call([wake]) == {wake}, "the same attempt is called for once, whoever calls"
            await until(lambda: heard)
    assert heard == [UUID(int=7)]


async def test_a_delivery_goes_out_because_its_wake_up_came(
    office: Office, nc: Client, wake_ups: Callable[[], WakeUps]
) -> None:
    caller = wake_ups()
    async with running(office.deliveries(caller=caller, grace=NEVER)):
        await until(lambda: caller.ready)
        streams = [await office.issue() for _ in range(20)]
        await until(office.deliveries().idle)
    assert {d.stream_id for d in office.line.sent} == set(streams) and len(office.line.sent) == 20
    assert (await nc.jetstream().stream_info(caller.stream)).state.messages == 0, "a job that was heard is gone"


async def test_a_deleted_queue_is_made_again_and_meanwhile_nothing_waits(
    office: Office, nc: Client, wake_ups: Callable[[], WakeUps]
) -> None:
    caller = wake_ups()
    async with running(office.deliveries(caller=caller, grace=NEVER)):
        await until(lambda: caller.ready)
        assert await nc.jetstream().delete_stream(caller.stream)
        meanwhile = await office.issue()
        await until(office.deliveries().idle)
        assert (await office.steps(meanwhile))[-1] == "attempt_succeeded", "whom nobody could call does it himself"
        await until(lambda: listening(nc, caller))
        await until(lambda: caller.ready)
        before = (await nc.jetstream().stream_info(caller.stream)).state.last_seq
        after = await office.issue()
        await until(office.deliveries().idle)
        assert (await office.steps(after))[-1] == "attempt_succeeded"
        assert (await nc.jetstream().stream_info(caller.stream)).state.last_seq == before + 1


async def test_a_deleted_consumer_is_made_again(office: Office, nc: Client, wake_ups: Callable[[], WakeUps]) -> None:
    caller = wake_ups()
    async with running(office.deliveries(caller=caller, grace=NEVER)):
        await until(lambda: caller.ready)
        assert await nc.jetstream().delete_consumer(caller.stream, DURABLE)
        stream = await office.issue()  # its job lies in the queue until somebody listens again
        await until(office.deliveries().idle)
    assert (await office.steps(stream)) == ["attempt_started", "attempt_succeeded"]


async def test_without_nats_deliveries_go_out_all_the_same(office: Office) -> None:
    caller = WakeUps("nats://127.0.0.1:1", "t", "notify")
    async with running(office.deliveries(caller=caller, grace=NEVER)):
        stream = await office.issue()
        await until(office.deliveries().idle)
    assert (await office.steps(stream))[-1] == "attempt_succeeded"
    assert await caller.call([Wake(delivery_id_of(stream, "email"), 1)]) == set()


class Listens:
    def __init__(self, wake_ups: WakeUps, take: Callable[[UUID], Awaitable[None]]) -> None:
        self._wake_ups, self._take = wake_ups, take

    async def run(self) -> None:
        await self._wake_ups.run(self._take)
