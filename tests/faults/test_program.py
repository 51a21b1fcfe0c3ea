"""What a process of the drill has that a `minewatch` in use has not."""

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.faults.program import HERE, SLOW, Armed, JumpingClock


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The processes that would have been killed."""
    pids: list[int] = []
    monkeypatch.setattr(os, "kill", lambda pid, _: pids.append(pid))
    return pids


async def test_a_process_dies_at_the_armed_point_the_nth_time_and_only_once(tmp_path: Path, killed: list[int]) -> None:
    armed = Armed(tmp_path / "cases.relay", tmp_path / "hits", "cases.relay")
    await armed("relay: after a batch")
    (tmp_path / "cases.relay").write_text("2 relay: after")
    for point in ("relay: after a batch", "relay: before a batch"):
        await armed(point)
    assert killed == []
    await armed("relay: after a batch")
    assert killed == [os.getpid()]
    assert (tmp_path / "hits").read_text() == "cases.relay\trelay: after a batch\n"
    await armed("relay: after a batch")
    assert killed == [os.getpid()]


async def test_a_process_dawdles_at_the_armed_point_until_the_order_is_taken_back(
    tmp_path: Path, killed: list[int]
) -> None:
    order = tmp_path / "cases.relay"
    armed = Armed(order, tmp_path / "hits", "cases.relay")
    order.write_text(f"{SLOW} relay: after")
    await armed("relay: before a batch")
    assert order.read_text() != HERE
    dawdling = asyncio.create_task(armed("relay: after a batch"))
    async with asyncio.timeout(10):
        while order.read_text() != HERE:
            await asyncio.sleep(0)
        await armed("relay: before a batch")
        assert not dawdling.done()
        order.unlink()
        await dawdling
    assert killed == []


async def test_an_order_that_is_taken_back_meanwhile_kills_nobody(tmp_path: Path, killed: list[int]) -> None:
    armed = Armed(tmp_path / "cases.relay", tmp_path / "hits", "cases.relay")
    (tmp_path / "cases.relay").write_text("1 relay")
    os.unlink(tmp_path / "cases.relay")
    armed.die("relay: before a batch")
    assert killed == []


def test_the_clock_runs_and_jumps_when_its_file_says_so(tmp_path: Path) -> None:
    clock = JumpingClock(tmp_path / "cases")
    for offset in (0, 86_400, -600.5):
        (tmp_path / "cases").write_text(str(offset))
        assert abs(clock.now() - datetime.now(UTC) - timedelta(seconds=offset)) < timedelta(seconds=1)
