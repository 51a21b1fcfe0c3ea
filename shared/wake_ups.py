"""Wake-ups for deliveries: a FastStream work queue whose jobs carry an id and nothing else.

Losing one costs a second, because the sweep looks at the rows. The queue is made here and never by FastStream, which merges and
overwrites what it finds; and it is looked after, because FastStream never notices that a consumer was deleted under it.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from uuid import UUID

from faststream import AckPolicy
from faststream.nats import JStream, NatsBroker, PullSub
from nats.aio.client import Client
from nats.errors import Error as NatsError
from nats.js.api import AckPolicy as ConsumerAck
from nats.js.api import ConsumerConfig, RetentionPolicy, StorageType, StreamConfig
from nats.js.errors import NotFoundError

from shared.deliveries import Wake
from shared.stream import connect, inbox_of, stream_name
from shared.telemetry import log

DURABLE = "deliveries"
KEEP = 600.0
"""Seconds. A wake-up older than this has been overtaken by the sweep long ago."""
LOOK = 2.0
"""Seconds between looks at whether queue and consumer still exist."""

Take = Callable[[UUID], Awaitable[None]]


class WakeUps:
    """Calls and hears. Until the server answers, `call` reaches nobody and says so."""

    def __init__(self, url: str, jurisdiction: str, service: str) -> None:
        self._url, self._service = url, service
        self.stream = f"JOBS_{stream_name(jurisdiction, service)}"
        self.subject = f"{jurisdiction}.jobs.{service}.delivery"
        self._broker: NatsBroker | None = None
        self._log = log("wake_ups", service=service)

    @property
    def ready(self) -> bool:
        """Whether a call may reach somebody."""
        return self._broker is not None

    async def call(self, wakes: Iterable[Wake]) -> set[Wake]:
        """Those that the server has taken. One attempt is called for once, however many replicas call."""
        broker = self._broker
        if broker is None:
            return set()
        wanted = list(wakes)

        async def one(wake: Wake) -> None:
            headers = {"Nats-Msg-Id": f"{wake.delivery_id}:{wake.attempts}"}
            await broker.publish(str(wake.delivery_id), self.subject, headers=headers, stream=self.stream, timeout=1)

        results = await asyncio.gather(*(one(wake) for wake in wanted), return_exceptions=True)
        return {wake for wake, result in zip(wanted, results, strict=True) if result is None}

    async def run(self, take: Take) -> None:
        """Until cancelled: makes the queue, listens, and begins again whenever queue or consumer are gone."""
        client: Client | None = None
        try:
            while True:
                try:
                    client = client or await connect(self._url, f"{self._service}-wake-ups")
                    await self._provide(client)
                    async with asyncio.timeout(5):
                        self._broker = await self._listen(take)
                    await self._watch(client)
                except (NatsError, TimeoutError, OSError) as error:
                    self._log.warning("again", error=type(error).__name__)
                    await asyncio.sleep(LOOK / 2)
                finally:
                    await self._silence()
        finally:
            if client is not None:
                with contextlib.suppress(NatsError, TimeoutError, OSError):
                    await asyncio.wait_for(client.close(), 2)

    async def _provide(self, client: Client) -> None:
        js = client.jetstream(timeout=2)
        queue = StreamConfig(
            name=self.stream,
            subjects=[self.subject],
            retention=RetentionPolicy.WORK_QUEUE,
            storage=StorageType.FILE,
            max_age=KEEP,
            duplicate_window=120,
        )
        try:
            await js.stream_info(self.stream)
        except NotFoundError:
            await js.add_stream(queue)
        await js.add_consumer(
            self.stream,
            ConsumerConfig(durable_name=DURABLE, ack_policy=ConsumerAck.EXPLICIT, ack_wait=10, max_deliver=3),
        )

    async def _listen(self, take: Take) -> NatsBroker:
        broker = self.broker(take)
        try:
            await broker.start()
        except BaseException:  # half started it would go on trying for ever
            await self._stop(broker)
            raise
        return broker

    def broker(self, take: Take) -> NatsBroker:
        """The FastStream side, not started; also what documents the queue. Acknowledged when heard: the row is the truth."""
        broker = NatsBroker(
            self._url,
            max_reconnect_attempts=-1,
            reconnect_time_wait=1,
            ping_interval=10,
            graceful_timeout=5,
            inbox_prefix=inbox_of(self._url),
            logger=None,
        )

        @broker.subscriber(
            self.subject,
            stream=JStream(self.stream, declare=False),
            durable=DURABLE,
            pull_sub=PullSub(batch_size=1, timeout=1.0),
            inbox_prefix=f"{inbox_of(self._url)}.".encode(),
            ack_policy=AckPolicy.ACK,
            title=f"{self._service}.deliveries",
            description="A delivery is due. The message is its id; the row in work.delivery is the truth.",
        )
        async def due(delivery_id: str) -> None:
            await take(UUID(delivery_id))

        return broker

    async def _watch(self, client: Client) -> None:
        """Returns when queue or consumer are gone."""
        js = client.jetstream(timeout=2)
        while True:
            await asyncio.sleep(LOOK)
            try:
                await js.consumer_info(self.stream, DURABLE)
            except NotFoundError:
                self._log.warning("queue gone, making it again")
                return
            except (NatsError, TimeoutError):
                continue

    async def _silence(self) -> None:
        broker, self._broker = self._broker, None
        if broker is not None:
            await self._stop(broker)

    async def _stop(self, broker: NatsBroker) -> None:
        with contextlib.suppress(NatsError, TimeoutError, OSError):
            await asyncio.wait_for(broker.stop(), 6)
