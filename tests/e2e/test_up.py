"""`minewatch up`: one command, one folder, and whatever is killed comes back with everything it had."""

import asyncio
import os
import shutil
import signal
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.town import Town, a_town, eventually, well


async def a_tip(town: Town, words: str = "夜里有车拉煤") -> str:
    """Its receipt."""
    receipt: str = (await town.post("/intake/v1/public/tips", {"words": words}))["receipt"]
    return receipt


async def test_a_second_program_on_the_same_folder_is_refused_and_the_first_stops_on_sigterm_and_leaves_no_server(
    folder: Path,
) -> None:
    async with a_town(folder) as town:
        with pytest.raises(AssertionError, match="正被另一个程序使用"):
            async with a_town(folder):
                pass
        assert (await town.http.get("/intake/health/ready")).status_code == 200
        pids = [town.pid(name) for name in ("postgres", "nats", "signer", "witness", "minewatch")]
        assert await town.stop() == 0
        assert [pid for pid in pids if Path(f"/proc/{pid}/cwd").exists()] == []
        assert list((folder / "run").glob("*.pid")) == []


@pytest.mark.parametrize("killed", [("minewatch",), ("minewatch", "nats", "postgres")], ids=["program", "all three"])
async def test_after_kill_9_it_starts_again_with_everything_it_had(folder: Path, killed: tuple[str, ...]) -> None:
    async with a_town(folder) as town:
        receipts = [await a_tip(town) for _ in range(5)]
        for pid in [town.pid(name) for name in killed]:
            os.kill(pid, signal.SIGKILL)
        await town.program.wait()
    async with a_town(folder) as town:
        for receipt in receipts:
            status = await town.post("/intake/v1/public/tips/status", {"receipt": receipt}, {})
            assert status["state"] == "received"
        await well(town)


LAST_SIGNED = """
SELECT h.position, c.size, c.signed_at FROM work.head h, record.checkpoint c JOIN record.cosignature USING (origin, size)
ORDER BY size DESC LIMIT 1
"""


async def signed(town: Town) -> bool:
    """The whole log of intake has the signer's line and the witness's."""
    async with town.database("intake") as db:
        head = await db.fetchval("SELECT position FROM work.head")
        return bool(await db.fetchval("SELECT coalesce(max(size), 0) = $1 FROM record.cosignature", head))


async def test_killed_signer_and_witness_are_started_again_and_sign_the_log_up_to_its_last_event(folder: Path) -> None:
    async with a_town(folder) as town:
        await a_tip(town)
        await eventually(lambda: signed(town))
        gone = {name: town.pid(name) for name in ("signer", "witness")}
        for pid in gone.values():
            os.kill(pid, signal.SIGKILL)
        await a_tip(town)
        await eventually(lambda: signed(town), 60)
        assert all(town.pid(name) != pid for name, pid in gone.items())
        await a_tip(town)
        assert await town.stop() == 0
        stopped = datetime.now(UTC)
    async with a_town(folder) as town:
        async with town.database("intake") as db:
            row = await db.fetchrow(LAST_SIGNED)
            assert row is not None and row["size"] == row["position"] and row["signed_at"] < stopped
        policy = (folder / "policy").read_text("utf-8")
        assert policy.count("\nlog ") == 8 and "proves nothing against" in policy


@pytest.mark.parametrize("server", ["nats", "postgres"])
async def test_a_killed_server_is_started_again_beside_the_running_program(folder: Path, server: str) -> None:
    async with a_town(folder) as town:
        await a_tip(town)
        gone = town.pid(server)
        os.kill(gone, signal.SIGKILL)

        async def back() -> bool:
            try:
                return town.pid(server) != gone
            except (FileNotFoundError, ValueError):
                return False

        await eventually(back)

        async def answers() -> bool:
            answer = await town.http.get("/intake/v1/public/channels")
            return answer.status_code == 200

        await eventually(answers)
        await a_tip(town)
        await well(town)


async def test_a_wiped_nats_folder_under_load_loses_nothing(folder: Path) -> None:
    async with a_town(folder) as town:
        sent: list[str] = []
        stop = asyncio.Event()

        async def load() -> None:
            while not stop.is_set():
                sent.append(await a_tip(town))
                await asyncio.sleep(0.02)

        loading = asyncio.create_task(load())
        await asyncio.sleep(1)
        before = len(sent)
        os.kill(town.pid("nats"), signal.SIGTERM)
        await asyncio.sleep(0.5)
        shutil.rmtree(folder / "nats", ignore_errors=True)
        await asyncio.sleep(4)
        stop.set()
        await loading
        assert len(sent) > before, "tips are taken while NATS is away"
        await well(town)
        async with town.database("intake") as db:
            assert await db.fetchval("SELECT count(*) FROM record.event WHERE type = 'intake.tip.received.v1'") == len(
                sent
            )
        for other in ("cases", "notify"):
            async with town.database(other) as db:
                position = "SELECT position FROM work.mark WHERE follower = 'receiver' AND source = 'intake'"
                assert await db.fetchval(position) >= len(sent)
