"""A witness as the program a department runs, spoken to over HTTP."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from shared.cli.main import commands
from shared.transparency.note import WITNESS, Key, Note
from shared.witness.cosigner import Offer
from tests.unit.transparency import rfc
from tests.unit.witness.test_cosigner import FORK, LEAVES, LOG_KEY, ORIGIN, Checkpoint, offer


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands, ["witness", *words])
    return done.exit_code, done.output


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[tuple[httpx.AsyncClient, asyncio.subprocess.Process]]:
    minewatch = str(Path(sys.executable).parent / "minewatch")
    program = await asyncio.create_subprocess_exec(
        minewatch, "witness", "serve", "--folder", str(folder), "--port", "0", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert program.stdout is not None
        line = (await asyncio.wait_for(program.stdout.readline(), 30)).decode()
        assert line.startswith("ready http://"), line
        async with httpx.AsyncClient(base_url=line.split()[1], timeout=20) as http:
            yield http, program
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGKILL)
        await program.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    code, vkey = said("init", "--folder", str(tmp_path / "w"), "--name", "police.example")
    assert code == 0 and Key.read(vkey).kind == WITNESS
    (tmp_path / "w" / "logs").write_text(f"# the town\n{LOG_KEY}\n", "utf-8")
    return tmp_path / "w"


async def test_a_witness_signs_and_remembers_over_a_kill(folder: Path) -> None:
    async with serving(folder) as (http, _):
        answer = await http.post("/add-checkpoint", content=offer(0, 8))
        assert answer.status_code == 200
        key = Key.read((await http.get("/")).json()["witness"])
        note = Note.read(f"{Checkpoint(ORIGIN, 8, rfc.root(LEAVES[:8]))}\n{answer.text}".encode())
        assert note.signed_by([key]).keys() == {key}
    async with serving(folder) as (http, program):
        stale = await http.post("/add-checkpoint", content=offer(0, 20, FORK))
        assert (stale.status_code, stale.text, stale.headers["content-type"]) == (
            409, "8\n", "text/x.tlog.size; charset=utf-8",
        )  # fmt: skip
        assert (await http.post("/add-checkpoint", content=offer(8, 20, FORK))).status_code == 422
        assert (await http.get("/")).json() | {"witness": ""} == {
            "witness": "", "logs": {ORIGIN: {"size": 8}}, "kept": {"contradiction": 0, "unproven": 1, "shorter": 0},
        }  # fmt: skip
        assert (await http.post("/add-checkpoint", content=bytes(1_000_001))).status_code == 413
        program.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(program.wait(), 20) in (0, -signal.SIGTERM)
    code, evidence = said("refused", "--folder", str(folder))
    assert code == 0, "anybody can send a wrong proof"
    async with serving(folder) as (http, _):
        assert (await http.post("/add-checkpoint", content=offer(0, 8, FORK))).status_code == 409
    code, evidence = said("refused", "--folder", str(folder))
    assert code == 1 and "another root at size 8" in evidence
    for leaves in (LEAVES, FORK):
        assert str(Offer.read(offer(0, 8, leaves)).note) in evidence, "both, for whoever is to believe it"


def test_nothing_refused_is_said(folder: Path) -> None:
    assert said("refused", "--folder", str(folder)) == (0, "nothing was refused\n")


def test_a_folder_is_used_once(folder: Path) -> None:
    code, why = said("init", "--folder", str(folder), "--name", "police.example")
    assert code == 1 and "is not empty" in why
    assert (folder / "key.pem").stat().st_mode & 0o777 == 0o600


def test_a_name_that_cannot_stand_on_a_line_makes_nothing(tmp_path: Path) -> None:
    code, why = said("init", "--folder", str(tmp_path / "w"), "--name", "the police")
    assert code == 1 and "one word" in why
    assert not (tmp_path / "w").exists()


@pytest.mark.parametrize("file", ["key.pem", "state.sqlite", "name", "logs"])
def test_a_witness_that_lacks_a_file_does_not_start(folder: Path, file: str) -> None:
    (folder / file).unlink()
    code, why = said("serve", "--folder", str(folder), "--port", "0")
    assert code == 1 and file in why


def test_a_list_of_logs_that_names_a_witness_is_refused(folder: Path) -> None:
    (folder / "logs").write_text(str(Key("land.example", WITNESS, bytes(32))), "utf-8")
    code, why = said("serve", "--folder", str(folder), "--port", "0")
    assert code == 1 and "no key of a log" in why
