"""The embedded NATS keeps what it acknowledged, and begins empty when its store was deleted."""

import asyncio
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import nats
import nats.errors
import pytest
import pytest_asyncio
from nats.aio.client import Client

from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.processes import ServerDidNotStart, keep_running

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def server(tmp_path: Path) -> AsyncIterator[EmbeddedNats]:
    server = again(tmp_path)
    await server.start()
    yield server
    await again(tmp_path).stop()


def again(folder: Path) -> EmbeddedNats:
    """A later program's view of the same folder."""
    return EmbeddedNats(folder / "nats", folder / "run")


async def test_a_stop_and_a_start_keep_messages_and_address(tmp_path: Path, server: EmbeddedNats) -> None:
    await publish(server, b"hello")
    await server.stop()
    assert not (tmp_path / "run" / "nats.pid").exists()
    later = again(tmp_path)
    await later.start()
    assert later.url == server.url
    assert await count(later) == 1


async def test_a_killed_server_keeps_what_it_acknowledged(tmp_path: Path, server: EmbeddedNats) -> None:
    await publish(server, b"one", b"two")
    kill(server)
    later = again(tmp_path)
    await later.start()
    assert await count(later) == 2


async def test_a_store_deleted_while_down_begins_empty_at_the_same_address(
    tmp_path: Path, server: EmbeddedNats
) -> None:
    await publish(server, b"hello")
    await server.stop()
    shutil.rmtree(tmp_path / "nats")
    later = again(tmp_path)
    await later.start()
    assert later.url == server.url
    assert await count(later) == 0


async def test_a_server_that_dies_or_loses_its_store_is_started_again_at_the_same_address(
    tmp_path: Path, server: EmbeddedNats
) -> None:
    keeping = asyncio.create_task(keep_running(server, pause=0.1))
    try:
        first = server.pid
        kill(server)
        second = await changed(server, first)
        await publish(server, b"hello")
        shutil.rmtree(tmp_path / "nats")
        assert not server.sound
        await changed(server, second)
        assert await count(server) == 0
    finally:
        keeping.cancel()


async def test_the_next_program_adopts_what_a_killed_one_left(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal; from pathlib import Path; from shared.embedded.nats_server import EmbeddedNats;"
        f"asyncio.run(EmbeddedNats(Path({str(tmp_path)!r}, 'nats'), Path({str(tmp_path)!r}, 'run')).start());"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program])
    assert killed.returncode == -signal.SIGKILL
    left = int((tmp_path / "run" / "nats.pid").read_text())
    later = again(tmp_path)
    await later.start()
    assert later.pid == left
    await later.stop()
    assert later.pid is None


async def test_a_stranger_with_the_recorded_number_is_neither_stopped_nor_believed(
    tmp_path: Path, server: EmbeddedNats
) -> None:
    pid = server.pid
    kill(server)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        for name in ("nats.pid", "nats.started"):
            path = tmp_path / "run" / name
            path.write_text(path.read_text().replace(str(pid), str(stranger.pid), 1))
        later = again(tmp_path)
        await later.start()
        assert later.pid not in (None, stranger.pid)
        await later.stop()
        assert stranger.poll() is None
        stranger.kill()


async def test_nobody_enters_without_the_password(tmp_path: Path, server: EmbeddedNats) -> None:
    with pytest.raises(nats.errors.Error, match="uthorization"):
        await nats.connect(f"nats://127.0.0.1:{server.access.port}", allow_reconnect=False, error_cb=expected)
    for name in ("nats.conf", "nats.access.json"):
        assert stat.S_IMODE((tmp_path / "run" / name).stat().st_mode) == 0o600


async def test_a_server_that_died_comes_back_where_it_was_although_its_port_is_held_a_moment_longer(
    server: EmbeddedNats,
) -> None:
    """As a dying server does; whoever knows the address would be cut off for good."""
    port = server.access.port
    kill(server)
    with socket.socket() as dying:
        dying.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await until_bound(dying, port)
        dying.listen()
        starting = asyncio.create_task(server.start())
        await asyncio.sleep(0.5)
    await asyncio.wait_for(starting, 60)
    assert server.access.port == port


async def until_bound(bound: socket.socket, port: int) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                return bound.bind(("127.0.0.1", port))
            except OSError:
                await asyncio.sleep(0.01)


async def test_a_remembered_port_that_a_stranger_took_is_given_up(tmp_path: Path, server: EmbeddedNats) -> None:
    await server.stop()
    port = server.access.port
    stranger = await asyncio.start_server(lambda reader, writer: writer.close(), "127.0.0.1", port)
    async with stranger:
        later = again(tmp_path)
        await later.start()
        assert later.access.port != port


async def test_a_configuration_it_cannot_read_is_refused_with_the_line(tmp_path: Path) -> None:
    broken = EmbeddedNats(tmp_path / "nats", tmp_path / "run", config="max_payload: { not closed")
    with pytest.raises(ServerDidNotStart, match="Parse error on line 7"):
        await broken.start()
    assert not broken.sound


def kill(server: EmbeddedNats) -> None:
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)


async def changed(server: EmbeddedNats, pid: int | None) -> int | None:
    """The number of the server that follows `pid`, once it answers."""
    async with asyncio.timeout(30):
        while server.pid in (None, pid):
            await asyncio.sleep(0.02)
        while True:
            try:
                await (await connect(server)).close()
                return server.pid
            except (OSError, nats.errors.Error):
                await asyncio.sleep(0.02)


async def connect(server: EmbeddedNats) -> Client:
    return await nats.connect(server.url, allow_reconnect=False, reconnect_time_wait=0, error_cb=expected)


async def publish(server: EmbeddedNats, *bodies: bytes) -> None:
    connection = await connect(server)
    await connection.jetstream().add_stream(name="EVENTS", subjects=["events"])
    for body in bodies:
        await connection.jetstream().publish("events", body)
    await connection.close()


async def count(server: EmbeddedNats) -> int:
    connection = await connect(server)
    streams = await connection.jetstream().streams_info()
    await connection.close()
    return sum(stream.state.messages for stream in streams)


async def expected(_: Exception) -> None:
    """A refused client is told twice."""
