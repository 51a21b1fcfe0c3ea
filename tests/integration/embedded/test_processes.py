"""A process is only ever taken for another when number, moment of birth, boot and folder are the same."""

import json
import os
import secrets
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from shared.embedded.ports import free_port, is_free
from shared.embedded.processes import AlreadyRunning, PidFile, ProcessIdentity


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


def _identity(pid: int) -> ProcessIdentity:
    identity = ProcessIdentity.of(pid)
    assert identity is not None
    return identity
