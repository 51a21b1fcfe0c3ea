"""A process is only ever taken for another when number, moment of birth, boot and folder are the same."""

import asyncio
import json
import os
import re
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from shared.embedded.ports import free_port, is_free
from shared.embedded.processes import AlreadyRunning, EmbeddedServer, PidFile, ProcessIdentity, keep_running
from shared.ending import ended


@pytest.fixture
def stranger() -> Iterator["subprocess.Popen[bytes]"]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_written_process_is_found_again(tmp_path: Path, stranger: "subprocess.Popen[bytes]") -> None:
    identity = _identity(stranger.pid)
    PidFile(tmp_path / "run" / "server.pid", tmp_path / "server").write(identity)
    assert PidFile(tmp_path / "run" / "server.pid", tmp_path / "server").live() == identity


def test_the_pid_file_holds_the_bare_number_for_kill(tmp_path: Path, stranger: "subprocess.Popen[bytes]") -> None:
    PidFile(tmp_path / "server.pid", tmp_path).write(_identity(stranger.pid))
    assert (tmp_path / "server.pid").read_text().split() == [str(stranger.pid)]


@pytest.mark.parametrize(("fact", "other"), [("began", 1), ("boot", "another boot"), ("folder", "/elsewhere")])
def test_a_process_that_differs_in_one_fact_is_a_stranger(
    tmp_path: Path, stranger: "subprocess.Popen[bytes]", fact: str, other: object
) -> None:
    pid_file = PidFile(tmp_path / "server.pid", tmp_path)
    pid_file.write(_identity(stranger.pid))
    proof = json.loads((tmp_path / "server.started").read_text())
    (tmp_path / "server.started").write_text(json.dumps(proof | {fact: other}))
    assert pid_file.live() is None
    assert not (tmp_path / "server.pid").exists(), "a stale file is removed"


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_a_torn_file_names_nobody(tmp_path: Path, content: str) -> None:
    (tmp_path / "server.pid").write_text("1\n")
    (tmp_path / "server.started").write_text(content)
    assert PidFile(tmp_path / "server.pid", tmp_path).live() is None


def test_a_zombie_counts_as_dead(stranger: "subprocess.Popen[bytes]") -> None:
    identity = _identity(stranger.pid)
    stranger.kill()
    os.waitid(os.P_PID, stranger.pid, os.WEXITED | os.WNOWAIT)  # it has ended, and nobody has reaped it
    assert Path(f"/proc/{stranger.pid}").exists()
    assert not identity.alive


def test_an_identity_of_the_past_signals_nobody(stranger: "subprocess.Popen[bytes]") -> None:
    past = ProcessIdentity(stranger.pid, _identity(stranger.pid).began - 1, _identity(stranger.pid).boot)
    past.send(signal.SIGKILL)
    with pytest.raises(subprocess.TimeoutExpired):
        stranger.wait(0.2)


def test_a_folder_is_claimed_by_one_program_at_a_time(tmp_path: Path, stranger: "subprocess.Popen[bytes]") -> None:
    pid_file = PidFile(tmp_path / "run" / "minewatch.pid", tmp_path)
    pid_file.claim()
    pid_file.claim()  # the same program again
    pid_file.write(_identity(stranger.pid))
    with pytest.raises(AlreadyRunning):
        pid_file.claim()
    stranger.kill()
    stranger.wait()
    pid_file.claim()
    assert pid_file.live() == _identity(os.getpid())


def test_a_port_is_given_to_one_program_while_it_lives_though_nobody_listens(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = secrets.randbelow(6_000)
    asks = f"import secrets; numbers = iter(range({drawn}, 12_000)); secrets.randbelow = lambda _: next(numbers)\n"
    asks += "from shared.embedded.ports import free_port; print(free_port(), flush=True); input()"
    words = [sys.executable, "-c", asks]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        port = int(other.stdout.readline())
        assert is_free(port)
        for _ in range(2):
            numbers = iter(range(drawn, 12_000))
            monkeypatch.setattr(secrets, "randbelow", lambda _, numbers=numbers: next(numbers))
            mine = free_port()
            assert mine > port
            port = mine
        other.communicate("\n")


class Talker(EmbeddedServer):
    """Writes numbered lines into its log, some megabytes a second."""

    name = "talker"
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5.0),)
    says = (
        "import itertools, sys, time\nfor n in itertools.count(): print(n, 'x' * 99_990, flush=True); time.sleep(0.02)"
    )

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, folder / "run", folder / "talker.json", folder / "logs" / "talker.log", None)

    async def _prepare(self) -> None: ...

    def _command(self) -> list[str]:
        return [sys.executable, "-c", self.says]

    def _listen(self, known: int | None) -> None: ...

    async def _answers(self) -> bool:
        return True


async def test_a_running_server_does_not_fill_the_disk_with_its_log(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINEWATCH_LOG_MEGABYTES", "1")
    log, aside = tmp_path / "logs" / "talker.log", tmp_path / "logs" / "talker.log.1"
    talker = Talker(tmp_path)
    await talker.start()
    keeping = asyncio.create_task(keep_running(talker))
    try:
        pid, said = talker.pid, 0
        async with asyncio.timeout(30):
            while said < 100:  # ten megabytes
                await asyncio.sleep(0.1)
                said = max([said, *map(int, re.findall(rb"^(\d+) ", log.read_bytes(), re.MULTILINE))])
        assert talker.pid == pid
        assert log.stat().st_size < 6_000_000 and aside.stat().st_size < 6_000_000
        assert b"\0" not in log.read_bytes(), "it went on where it had been"
        assert (aside.stat().st_mode & 0o777, sorted(p.name for p in log.parent.iterdir())) == (
            0o600,
            [log.name, aside.name],
        )
    finally:
        await ended([keeping])
        await talker.stop()


async def test_a_log_that_grew_unwatched_is_cut_at_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MINEWATCH_LOG_MEGABYTES", "1")
    log = tmp_path / "logs" / "talker.log"
    log.parent.mkdir()
    log.write_bytes(b"old" * 1024 * 1024 + b"the end\n")
    talker = Talker(tmp_path)
    await talker.start()
    await talker.stop()
    kept = log.with_name("talker.log.1").read_bytes()
    assert len(kept) == 2 * 1024 * 1024 and kept.endswith(b"the end\n")
    assert not log.read_bytes().startswith(b"old")


def _identity(pid: int) -> ProcessIdentity:
    identity = ProcessIdentity.of(pid)
    assert identity is not None
    return identity
