"""The signer and the witness of an embedded town: started, adopted, restarted with what they knew; a policy to be edited."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from shared.embedded.processes import ServerDidNotStart, keep_running
from shared.embedded.signing import EmbeddedSigner, EmbeddedWitness, started_and_kept, write_policy
from shared.ending import ended
from shared.transparency.note import LOG, WITNESS, Key
from shared.transparency.policy import Policy

TOWN = "140181101"
LOGS = [Key(f"{TOWN}/{service}/aaaa", LOG, bytes(32)) for service in ("intake", "cases")]


@pytest.fixture
async def signer(tmp_path: Path) -> AsyncIterator[EmbeddedSigner]:
    made = EmbeddedSigner(tmp_path / "signer", tmp_path / "run", [f"{TOWN}/cases"])
    yield made
    await made.stop()


@pytest.fixture
async def witness(tmp_path: Path) -> AsyncIterator[EmbeddedWitness]:
    made = EmbeddedWitness(tmp_path / "witness", tmp_path / "run", TOWN)
    yield made
    await made.stop()


async def test_a_signer_that_still_runs_is_adopted_and_a_killed_one_is_the_same_again(
    signer: EmbeddedSigner, tmp_path: Path
) -> None:
    await signer.start()
    pid, public = signer.pid, await signer.at.public()
    assert pid is not None
    again = EmbeddedSigner(tmp_path / "signer", tmp_path / "run", [f"{TOWN}/cases"])
    await again.start()
    assert again.pid == pid
    keeping = asyncio.create_task(keep_running(signer, pause=0.01))
    os.kill(pid, signal.SIGKILL)
    async with asyncio.timeout(20):
        while signer.pid in (None, pid) or not await signer._answers():
            await asyncio.sleep(0.05)
    assert await signer.at.public() == public
    await ended([keeping])


async def test_no_secret_of_the_town_is_in_its_environment_and_little_in_its_memory(signer: EmbeddedSigner) -> None:
    await signer.start()
    environment = Path(f"/proc/{signer.pid}/environ").read_bytes().split(b"\0")
    assert {entry.split(b"=")[0] for entry in environment if entry} <= {b"PATH", b"LC_ALL", b"TZ", b"PWD"}
    resident = int(Path(f"/proc/{signer.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    assert resident < 40_000_000, "it imports the formats and nothing of the town"


async def test_a_signer_that_lost_its_memory_is_not_started_and_holds_up_nobody(
    signer: EmbeddedSigner, tmp_path: Path
) -> None:
    signer.make()
    (tmp_path / "signer" / "state.sqlite").unlink()
    with pytest.raises(ServerDidNotStart, match="must not sign again"):
        await signer.start()
    trying = asyncio.create_task(started_and_kept(signer))
    await asyncio.sleep(1)
    assert not trying.done()
    await ended([trying])


async def test_a_witness_is_told_of_logs_and_listens_where_the_policy_says(
    witness: EmbeddedWitness, tmp_path: Path
) -> None:
    url = witness.url
    key = witness.introduce(LOGS[:1])
    assert (key.name, key.kind) == (f"{TOWN}/own-witness", WITNESS)
    await witness.start()
    pid = witness.pid
    assert witness.url == url and await witness._answers()
    again = EmbeddedWitness(tmp_path / "witness", tmp_path / "run", TOWN)
    assert again.introduce(LOGS[:1]) == key
    await again.start()
    assert (again.url, again.pid) == (url, pid)
    assert again.introduce(LOGS) == key
    await again.start()
    assert again.pid != pid, "a new log is heard of by a new start"
    await again.stop()
    assert (tmp_path / "witness" / "logs").read_text("utf-8").count(f"{LOGS[0]}") == 1


def test_a_policy_keeps_what_a_person_wrote_and_learns_new_logs_and_addresses(tmp_path: Path) -> None:
    file = tmp_path / "policy"
    own, police = (
        Key(name, WITNESS, bytes([n]) * 32) for n, name in ((1, f"{TOWN}/own-witness"), (2, "police.example"))
    )
    write_policy(file, LOGS[:1], own, "http://127.0.0.1:1")
    first = Policy.read(file.read_text("utf-8"))
    assert (first.logs, first.urls, first.quorum) == ((LOGS[0],), {"own": "http://127.0.0.1:1"}, "none")
    edited = file.read_text("utf-8").replace("quorum none", f"witness police {police} https://p.example\nquorum police")
    file.write_text(edited, "utf-8")
    for _ in range(2):
        write_policy(file, LOGS, own, "http://127.0.0.1:2")
    second = Policy.read(file.read_text("utf-8"))
    assert set(second.logs) == set(LOGS) and second.quorum == "police"
    assert second.urls == {"own": "http://127.0.0.1:2", "police": "https://p.example"}
    assert file.stat().st_mode & 0o777 == 0o600
