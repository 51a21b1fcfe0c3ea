"""deploy/nats/nats.conf on a real server: a service can do its work, and nothing with what is another's."""

import asyncio
import subprocess
import tempfile
from collections.abc import AsyncIterator, Awaitable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import nats
import pytest
from nats.aio.client import Client
from nats.js.api import ConsumerConfig, StreamConfig

from services.cases import main as cases
from services.intake import main as intake
from services.notify import main as notify
from services.reporting import main as reporting
from shared.embedded import nats_server as embedded
from shared.embedded.ports import free_port
from shared.log_feed import feed_subject
from shared.settings import SERVICES, Settings
from shared.stream import BatchRefused, Message, definition, publish, stream_name
from tests.support.kernel import Templates
from tests.support.servers import NatsAddress, PostgresAddress
from tests.support.services import Ground, a_service

START = Path(__file__).parents[3] / "deploy" / "nats" / "start.sh"
TOWN = "140181101"
CARDS = {main.describe().name: main.describe() for main in (intake, cases, reporting, notify)}
OTHERS = [(user, other) for user in SERVICES for other in SERVICES if user != other]
VERIFIED = {"category": "abandoned_shaft", "violation": "unlicensed_digging", "village": "140181101207"}


@dataclass
class Server:
    """A server with the users of nats.conf, whose passwords are their names."""

    port: int
    log: Path

    def url(self, user: str) -> str:
        return f"nats://{user}:p{user}@127.0.0.1:{self.port}"

    def violations(self) -> list[str]:
        return [line for line in self.log.read_text("utf-8").splitlines() if "Violation" in line]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """As the container starts it, on another port and folder."""
    with tempfile.TemporaryDirectory(prefix="minewatch-nats-users-") as name:
        folder, port = Path(name), free_port()
        passwords = {f"MINEWATCH_NATS_{user.upper()}_PASSWORD": f"p{user}" for user in SERVICES}
        path = f"{Path(embedded._program()).parent}:/usr/bin:/bin"
        environment = {"PATH": path, "TMPDIR": name, "MINEWATCH_JURISDICTION": TOWN, **passwords}
        here = ["--addr", "127.0.0.1", "--port", str(port), "--http_port", "0", "--store_dir", f"{name}/store"]
        with (folder / "log").open("wb") as log:
            running = subprocess.Popen(["sh", str(START), *here], env=environment, stdout=log, stderr=log)
        try:
            yield Server(port, folder / "log")
        finally:
            running.terminate()
            running.wait(10)


@dataclass
class User:
    """One signed-in service."""

    name: str
    nc: Client
    server: Server

    async def refusal(self, subject: str, body: bytes = b"") -> str:
        """What the server logs about whoever publishes there; empty when it lets it pass."""
        return await self._told(self.nc.publish(subject, body))

    async def refusal_to_hear(self, subject: str) -> str:
        return await self._told(self.nc.subscribe(subject))

    async def _told(self, asked: Awaitable[Any]) -> str:
        before = len(self.server.violations())
        await asked
        # Goes the same way, so the server has logged before it answers this. A flush would overtake what is published.
        await self.nc.jetstream(timeout=5).stream_info(stream_name(TOWN, self.name))
        return "\n".join(self.server.violations()[before:])


@asynccontextmanager
async def signed_in(server: Server, name: str) -> AsyncIterator[User]:
    async def quiet(_: Exception) -> None:
        """The server's log is looked at."""

    how: dict[str, Any] = {"inbox_prefix": f"_INBOX_{name}", "max_reconnect_attempts": 50, "reconnect_time_wait": 0.1}
    nc = await nats.connect(server.url(name), error_cb=quiet, **how)
    try:
        yield User(name, nc, server)
    finally:
        await nc.close()


@pytest.fixture
async def users(server: Server) -> AsyncIterator[dict[str, User]]:
    """One connection for each service, each with its own stream there."""
    async with (
        signed_in(server, "intake") as one,
        signed_in(server, "cases") as two,
        signed_in(server, "reporting") as three,
        signed_in(server, "notify") as four,
    ):
        made = dict(zip(SERVICES, (one, two, three, four), strict=True))
        for name, user in made.items():
            js = user.nc.jetstream(timeout=5)
            try:
                await js.stream_info(stream_name(TOWN, name))
            except nats.js.errors.NotFoundError:
                await js.add_stream(definition(name, TOWN, 1, None, str(uuid4())))
        yield made


class OwnUsers(Ground):
    """Every service signs in as itself, in the town that the server was started for."""

    server: Server

    def settings(self, service: str, *more: Any, **others: Any) -> Settings:
        own = super().settings(service, *more, **others)
        return replace(own, jurisdiction=TOWN, nats_url=self.server.url(service))


async def test_the_whole_town_works_without_one_refusal(server: Server, postgres_server: PostgresAddress) -> None:
    ground = OwnUsers(Templates(postgres_server), NatsAddress(server.url("intake")))
    ground.server = server
    async with a_service(ground, *SERVICES) as town:
        await town.post("/intake/v1/public/tips", {"words": "夜里有车拉煤", "live": True})
        tip = (await town.get("/intake/v1/tips", town.headers("clerk")))["items"][0]["tip"]
        body: dict[str, Any] = {"outcome": "to_verify", "summary": "井口附近"}
        await town.post(f"/intake/v1/tips/{tip}/screening", body, town.headers("clerk"))
        body = {"result": "substantiated", "summary": "属实", **VERIFIED}
        await town.post(f"/intake/v1/tips/{tip}/verification", body, town.headers("inspector"))
        await town.settled()
        assert len((await town.get("/cases/v1/hazards", town.headers("clerk")))["items"]) == 1
        assert (await town.get("/notify/v1/messages", town.headers("duty_officer")))["items"]
        async with signed_in(server, "notify") as user:
            queue = await user.nc.jetstream().stream_info(f"JOBS_{stream_name(TOWN, 'notify')}")
            assert queue.state.last_seq > 0, "the work queue was used"
            js = user.nc.jetstream()
            for name in SERVICES[:3]:
                assert (await js.stream_info(stream_name(TOWN, name))).state.messages > 0 or name == "reporting"
        for name in ("intake", "cases"):  # so that the other tests begin with streams of their own making
            async with signed_in(server, name) as user:
                await user.nc.jetstream().delete_stream(stream_name(TOWN, name))
    assert server.violations() == []


@pytest.mark.parametrize(("name", "other"), OTHERS)
async def test_nobody_publishes_what_another_says(users: dict[str, User], name: str, other: str) -> None:
    subject, stream = f"{TOWN}.{other}.thing.happened.v1", stream_name(TOWN, other)
    before = (await users[other].nc.jetstream().stream_info(stream)).state.last_seq
    assert "Publish Violation" in await users[name].refusal(subject, b"forged")
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(publish(users[name].nc, [Message(subject, b"forged", {})], before), 0.5)
    assert (await users[other].nc.jetstream().stream_info(stream)).state.last_seq == before


@pytest.mark.parametrize(("name", "other"), OTHERS)
async def test_nobody_touches_anothers_stream(users: dict[str, User], name: str, other: str) -> None:
    for command in ("DELETE", "PURGE", "CREATE", "UPDATE", "MSG.GET", "MSG.DELETE", "SNAPSHOT", "RESTORE"):
        refused = await users[name].refusal(f"$JS.API.STREAM.{command}.{stream_name(TOWN, other)}")
        assert "Publish Violation" in refused, command


@pytest.mark.parametrize(("name", "other"), OTHERS)
async def test_a_stream_is_read_by_those_who_follow_it(users: dict[str, User], name: str, other: str) -> None:
    js, stream = users[name].nc.jetstream(timeout=1), stream_name(TOWN, other)
    if other in CARDS[name].consumes():
        consumer = await js.add_consumer(stream, ConsumerConfig(name=f"{name}-0a1b2c3d", inactive_threshold=1))
        assert consumer.stream_name == stream
        assert await users[name].refusal(feed_subject(TOWN, other)) == ""
        return
    for subject in (f"$JS.API.STREAM.INFO.{stream}", f"$JS.API.CONSUMER.CREATE.{stream}.x", feed_subject(TOWN, other)):
        assert "Publish Violation" in await users[name].refusal(subject)


@pytest.mark.parametrize(("name", "other"), OTHERS)
async def test_nobody_listens_past_the_streams_or_answers_for_another(
    users: dict[str, User], name: str, other: str
) -> None:
    for subject in (f"{TOWN}.{other}.>", f"{TOWN}.>", feed_subject(TOWN, other), "$JS.API.>", ">", f"_INBOX_{other}.>"):
        assert "Subscription Violation" in await users[name].refusal_to_hear(subject), subject


@pytest.mark.parametrize("name", SERVICES)
async def test_a_service_writes_its_own_stream_limits_it_and_makes_it_again(users: dict[str, User], name: str) -> None:
    nc, stream = users[name].nc, stream_name(TOWN, name)
    js = nc.jetstream(timeout=5)
    await js.delete_stream(stream)
    await js.add_stream(definition(name, TOWN, 1, None, str(uuid4())))
    messages = [Message(f"{TOWN}.{name}.thing.happened.v1", b"x", {}) for _ in range(3)]
    assert await publish(nc, messages, 0) == 3
    with pytest.raises(BatchRefused):
        await publish(nc, messages, 0)
    assert (await js.get_msg(stream, subject=f"{TOWN}.{name}.>")).seq == 3
    config = (await js.stream_info(stream)).config
    assert (await js.update_stream(config.evolve(max_msgs=2))).state.first_seq == 2
    with pytest.raises(nats.js.errors.APIError, match="can not cancel"):
        await js.update_stream(config.evolve(deny_delete=False))


async def test_a_stream_of_another_name_cannot_be_made(users: dict[str, User]) -> None:
    with pytest.raises(nats.errors.TimeoutError):
        await users["intake"].nc.jetstream(timeout=0.5).add_stream(StreamConfig(name="MINE", subjects=["feed.>"]))


@pytest.mark.parametrize("who", ["intake:pcases", "intake:", "admin:admin", ""])
async def test_without_the_password_nobody_comes_in(server: Server, who: str) -> None:
    async def quiet(_: Exception) -> None:
        """The refusal is what is looked at."""

    url = f"nats://{who}@127.0.0.1:{server.port}" if who else f"nats://127.0.0.1:{server.port}"
    with pytest.raises((nats.errors.Error, OSError)):
        await nats.connect(url, allow_reconnect=False, error_cb=quiet, connect_timeout=2)
