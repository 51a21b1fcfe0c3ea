"""The signer as a program of its own: its folder, its door, and what a kill leaves behind."""

import asyncio
import signal
import stat
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.cli.main import commands
from shared.signer.door import short
from shared.signer.signer import Request
from shared.signing import SignerAt, SignerAway
from shared.transparency.note import Key
from shared.witness.cosigner import Answer
from tests.unit.signer.test_signer import FIRST, FORK, asked

MINEWATCH = str(Path(sys.executable).parent / "minewatch")


def said(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(commands, ["signer", *words])
    return done.exit_code, done.output


@asynccontextmanager
async def serving(folder: Path, *words: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """The light program; with `words`, `minewatch signer serve` with them."""
    light = (sys.executable, "-P", "-m", "shared.signer", str(folder))
    program = await asyncio.create_subprocess_exec(
        *((MINEWATCH, "signer", "serve", "--folder", str(folder), *words) if words else light),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert program.stdout is not None
        line = (await asyncio.wait_for(program.stdout.readline(), 30)).decode()
        assert line.startswith("ready "), line
        yield program
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGKILL)
        await program.wait()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    deep = tmp_path / ("a folder deeper than an address of a socket is long " * 2)
    code, _ = said("init", "--folder", str(deep), "--log", "140181101/cases")
    assert code == 0
    return deep


async def ask(folder: Path, body: bytes) -> Answer:
    return await SignerAt(folder / "socket").ask(Request.read(body))


async def test_it_signs_and_remembers_over_a_kill(folder: Path) -> None:
    async with serving(folder):
        first = await ask(folder, asked(0, 8))
        assert first.status == 200
    async with serving(folder):
        assert await ask(folder, asked(8, 8)) == first
        assert await ask(folder, asked(0, 20, FORK)) == Answer(409, "old 8\n")
        assert (await ask(folder, asked(8, 20, FORK))).status == 422
        assert (await ask(folder, asked(8, 20))).status == 200
        public = await SignerAt(folder / "socket").public()
    code, vkey = said("keys", "--folder", str(folder))
    assert code == 0 and (Key.read(vkey).name, Key.read(vkey).public) == (str(FIRST), public)


async def test_nobody_but_its_owner_reads_the_key_or_may_ask(folder: Path) -> None:
    async with serving(folder):
        modes = {name: stat.S_IMODE((folder / name).stat().st_mode) for name in ("key.pem", "socket")}
    assert (modes, stat.S_IMODE(folder.stat().st_mode)) == ({"key.pem": 0o600, "socket": 0o600}, 0o700)


async def test_one_who_says_nothing_holds_up_nobody_for_long(folder: Path) -> None:
    async with serving(folder):
        with short(folder / "socket") as address:
            _, silent = await asyncio.open_unix_connection(address)
        assert (await ask(folder, asked(0, 8))).status == 200
        silent.close()


async def test_a_second_signer_at_the_same_door_does_not_start(folder: Path) -> None:
    async with serving(folder):
        code, why = said("serve", "--folder", str(folder))
        assert code == 1 and "another signer answers" in why
        assert (await ask(folder, asked(0, 8))).status == 200


async def test_two_signers_of_one_folder_with_two_doors_cannot_sign_past_each_other(
    folder: Path, tmp_path: Path
) -> None:
    other = tmp_path / "other"
    async with serving(folder), serving(folder, "--socket", str(other)):
        assert (await ask(folder, asked(0, 8))).status == 200
        assert await SignerAt(other).ask(Request.read(asked(0, 20, FORK))) == Answer(409, "old 8\n")


async def test_a_signer_that_is_not_there_is_away(folder: Path) -> None:
    with pytest.raises(SignerAway):
        await SignerAt(folder / "socket").public()


def test_a_folder_is_used_once(folder: Path) -> None:
    code, why = said("init", "--folder", str(folder), "--log", "140181101/cases")
    assert code == 1 and "is not empty" in why
    before = (folder / "key.pem").read_bytes()
    assert said("init", "--once", "--folder", str(folder), "--log", "140181101/cases")[0] == 0
    assert (folder / "key.pem").read_bytes() == before


@pytest.mark.parametrize("log", ["cases", "140181101/", "a/b/c"])
def test_a_log_has_a_jurisdiction_and_a_service(tmp_path: Path, log: str) -> None:
    code, why = said("init", "--folder", str(tmp_path / "s"), "--log", log)
    assert code == 1 and "JURISDICTION/SERVICE" in why
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("file", ["key.pem", "state.sqlite", "logs"])
def test_a_signer_that_lacks_a_file_does_not_start(folder: Path, file: str) -> None:
    (folder / file).unlink()
    code, why = said("serve", "--folder", str(folder))
    assert code == 1 and file in why


def test_before_anything_was_signed_there_is_no_key_to_hand_out(folder: Path) -> None:
    code, why = said("keys", "--folder", str(folder))
    assert code == 0 and "nothing was signed yet" in why
