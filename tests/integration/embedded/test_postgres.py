"""The embedded Postgres keeps what was committed, whatever is done to it or to the program that started it."""

import asyncio
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import asyncpg
import pytest
import pytest_asyncio

from shared.embedded.ports import free_port
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import PidFile, ProcessIdentity, ServerDidNotStart

pytestmark = pytest.mark.asyncio


@pytest_asyncio.fixture
async def postgres(tmp_path: Path) -> AsyncIterator[EmbeddedPostgres]:
    server = again(tmp_path)
    await server.start()
    yield server
    await again(tmp_path).stop()


def again(folder: Path) -> EmbeddedPostgres:
    """A later program's view of the same folder."""
    return EmbeddedPostgres(folder / "postgres", folder / "run")


async def test_it_is_as_strict_as_facts_need(postgres: EmbeddedPostgres) -> None:
    wanted = {
        "fsync": "on",
        "synchronous_commit": "on",
        "data_checksums": "on",
        "shared_buffers": "128MB",
        "max_connections": "200",
        "max_wal_size": "1GB",
        "wal_recycle": "off",
        "idle_in_transaction_session_timeout": "1min",
        "listen_addresses": "127.0.0.1",
        "server_encoding": "UTF8",
        "password_encryption": "scram-sha-256",
    }
    assert {name: await ask(postgres, f"SHOW {name}") for name in wanted} == wanted
    assert (await ask(postgres, "SHOW server_version")).startswith("18.")


async def test_nobody_enters_without_the_password(postgres: EmbeddedPostgres) -> None:
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.dsn("postgres", "postgres", "guessed"))
    kept = postgres.folder / "access.json"
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


async def test_a_stop_and_a_start_keep_rows_and_port(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    port, pid = postgres.access.port, postgres.pid
    await note(postgres, "hello")
    await postgres.stop()
    assert not postgres.sound
    assert not (tmp_path / "run" / "postgres.pid").exists()
    later = again(tmp_path)
    await later.start()
    assert await notes(later) == ["hello"]
    assert later.access.port == port
    assert later.pid != pid


async def test_a_killed_server_starts_again_once_its_last_session_has_ended(
    tmp_path: Path, postgres: EmbeddedPostgres
) -> None:
    await note(postgres, "committed")
    session = await asyncpg.connect(postgres.superuser_dsn)
    # a session that computes does not notice the death, and may still write
    busy = asyncio.create_task(session.execute("INSERT INTO note SELECT max(n) FROM generate_series(1, 4000000) n"))
    await asyncio.sleep(0.1)
    assert postgres.pid is not None
    os.kill(postgres.pid, signal.SIGKILL)
    later = again(tmp_path)
    await later.start()
    assert busy.done(), "two servers must never write to one cluster"
    assert await notes(later) == ["committed"] + (["4000000"] if busy.exception() is None else [])
    with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
        await session.execute("INSERT INTO note VALUES ('too late')")


async def test_the_next_program_adopts_what_a_killed_one_left(tmp_path: Path) -> None:
    program = (
        "import asyncio, os, signal; from pathlib import Path; from shared.embedded.postgres import EmbeddedPostgres;"
        f"asyncio.run(EmbeddedPostgres(Path({str(tmp_path)!r}, 'postgres'), Path({str(tmp_path)!r}, 'run')).start());"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    killed = await asyncio.to_thread(subprocess.run, [sys.executable, "-c", program])
    assert killed.returncode == -signal.SIGKILL
    left = int((tmp_path / "run" / "postgres.pid").read_text())
    later = again(tmp_path)
    await later.start()
    assert later.pid == left
    assert await ask(later, "SELECT 1") == 1
    await later.stop()
    assert ProcessIdentity.of(left) is None


async def test_a_running_server_with_other_settings_is_restarted(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    await note(postgres, "hello")
    moved = EmbeddedPostgres(tmp_path / "postgres", tmp_path / "run", port=free_port())
    await moved.start()
    assert not postgres.sound
    assert await notes(moved) == ["hello"]


async def test_a_copied_folder_leaves_the_first_ones_server_alone(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    await note(postgres, "hello")
    await ask(postgres, "CHECKPOINT")
    shutil.copytree(tmp_path / "postgres", tmp_path / "copy" / "postgres")
    shutil.copytree(tmp_path / "run", tmp_path / "copy" / "run")
    copy = again(tmp_path / "copy")
    await copy.start()
    try:
        assert postgres.sound
        assert copy.access.port != postgres.access.port
        assert await notes(copy) == await notes(postgres) == ["hello"]
    finally:
        await copy.stop()
    assert postgres.sound


async def test_a_stranger_with_the_recorded_number_is_neither_stopped_nor_believed(tmp_path: Path) -> None:
    server = again(tmp_path)
    await server.start()
    assert server.pid is not None
    os.kill(server.pid, signal.SIGKILL)
    with subprocess.Popen(["sleep", "60"]) as stranger:
        lines = (tmp_path / "postgres" / "cluster" / "postmaster.pid").read_text().splitlines()
        (tmp_path / "postgres" / "cluster" / "postmaster.pid").write_text("\n".join([str(stranger.pid), *lines[1:]]))
        for name in ("postgres.pid", "postgres.started"):
            path = tmp_path / "run" / name
            path.write_text(path.read_text().replace(str(server.pid), str(stranger.pid), 1))
        later = again(tmp_path)
        await later.start()
        await later.stop()
        assert stranger.poll() is None
        stranger.kill()


async def test_without_its_pid_file_a_running_server_is_not_doubled(tmp_path: Path, postgres: EmbeddedPostgres) -> None:
    proofs = {name: (tmp_path / "run" / name).read_text() for name in ("postgres.pid", "postgres.started")}
    PidFile(tmp_path / "run" / "postgres.pid", tmp_path / "postgres").remove()
    with pytest.raises(ServerDidNotStart, match=r"postmaster\.pid"):
        await again(tmp_path).start()
    assert postgres.sound
    for name, content in proofs.items():
        (tmp_path / "run" / name).write_text(content)


async def test_a_half_made_cluster_is_made_anew(tmp_path: Path) -> None:
    half = tmp_path / "postgres" / "cluster.new-0123"
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    server = again(tmp_path)
    await server.start()
    assert await ask(server, "SELECT 1") == 1
    assert not half.exists()
    await server.stop()


async def ask(server: EmbeddedPostgres, question: str) -> Any:
    return next((row[0] for row in await rows(server, question)), None)


async def note(server: EmbeddedPostgres, text: str) -> None:
    await rows(server, "CREATE TABLE IF NOT EXISTS note (text text)")
    await rows(server, "INSERT INTO note VALUES ($1)", text)


async def notes(server: EmbeddedPostgres) -> list[str]:
    return [row[0] for row in await rows(server, "SELECT text FROM note")]


async def rows(server: EmbeddedPostgres, statement: str, *values: str) -> Sequence[asyncpg.Record]:
    connection = await asyncpg.connect(server.superuser_dsn)
    try:
        return await connection.fetch(statement, *values)
    finally:
        await connection.close()
