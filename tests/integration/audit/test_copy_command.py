"""`minewatch audit copy` against a service behind a real door: honest, forged, and again and again."""

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import asyncpg
import pytest
import uvicorn
from click.testing import CliRunner

from shared.cli.audit_copy import Job, copy_command, run
from shared.contracts.envelope import leaf_of
from shared.service import Service
from shared.transparency import tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import WITNESS, Key, Note
from tests.support.commands import MINEWATCH, Said
from tests.support.kernel import Templates, until
from tests.support.services import Town
from tests.support.signed import KEEP, a_checkpoint, note_of, policy_for

BODIES = "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position"


class Auditor:
    """Who copies: from where, to where, and by which policy."""

    def __init__(self, town: Town, url: str, folder: Path, policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.town, self.folder, self.policy, self.url, self._capsys = town, folder, policy, url, capsys
        self.token = town.token_for("auditor")

    async def copies(self) -> Said:
        """One run."""
        code = await run(Job(self.url, self.token, self.folder, self.policy, "每季度核对", ("notify",)))
        return Said("".join(self._capsys.readouterr()[::-1]), code)


@pytest.fixture
async def auditor(notified: Town, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Auditor]:
    config = uvicorn.Config(
        notified.door, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1
    )
    server, bound = uvicorn.Server(config), config.bind_socket()
    with contextlib.closing(bound):
        task = asyncio.create_task(server._serve(sockets=[bound]))
        await until(lambda: server.started)
        policy = tmp_path / "policy"
        origin = (await signed(notified.services["notify"])).origin
        another = origin.replace("/notify/", "/cases/")  # the policy is of the whole town, the copy of one service
        policy.write_text(policy_for(origin, another), "utf-8")
        yield Auditor(notified, f"http://127.0.0.1:{bound.getsockname()[1]}", tmp_path / "copy", policy, capsys)
        server.should_exit = True
        await task


async def signed(notify: Service) -> Checkpoint:
    return Checkpoint.read((await a_checkpoint(notify.pool, notify.settings.jurisdiction, "notify")).text)


async def forged(town: Town, templates: Templates) -> Note:
    """The superuser changes an event in the middle, computes everything anew, and has the owner's signer sign it."""
    notify = town.services["notify"]
    bodies = [row[0] for row in await notify.pool.fetch(BODIES)]
    origin = (await signed(notify)).origin
    body, lie = bodies[5], bodies[5].replace(b'"recordedat":"20', b'"recordedat":"19')
    bodies[5] = lie
    _, frontier = tree.extend(0, [], map(leaf_of, bodies))
    note = note_of(Checkpoint(origin, len(bodies), tree.root(frontier)))
    database = notify.settings.app_dsn.rsplit("/", 1)[1].partition("?")[0]
    superuser = await asyncpg.connect(templates.dsn(database))
    try:
        await superuser.execute("SET session_replication_role = replica")
        await superuser.execute("UPDATE record.event SET body = $1 WHERE body = $2", lie, body)
        await superuser.execute("UPDATE record.log SET leaf = $1 WHERE position = 6", leaf_of(lie))
        await superuser.execute("DELETE FROM record.checkpoint")
        await superuser.execute(KEEP, origin, len(bodies), tree.root(frontier), str(note))
    finally:
        await superuser.close()
    return note


async def test_a_copy_is_verified_grows_and_refuses_a_log_that_was_forged(
    auditor: Auditor, templates: Templates
) -> None:
    notify, folder = auditor.town.services["notify"], auditor.folder
    first = await auditor.copies()
    size = Checkpoint.read(Note.read((folder / "notify/checkpoint").read_bytes()).text).size
    assert first.code == 0 and f"notify {size} events, {size} of them new" in first.text
    asks_for_nobody = (
        "verified, but your policy asks for no witness (quorum none): this proves nothing against the operator"
    )
    assert asks_for_nobody in first.text and asks_for_nobody in (folder / "copy.log").read_text("utf-8")
    grown = await signed(notify)
    assert grown.size == size + 1  # the copy is an event itself
    second = await auditor.copies()
    assert second.code == 0 and f"notify {grown.size} events, 1 of them new" in second.text
    before = (folder / "notify/checkpoint").read_bytes()

    note = await forged(auditor.town, templates)
    third = await auditor.copies()
    assert third.code == 1 and "notify FAILED CopyRefused" in third.text and "did not grow from" in third.text
    kept = list(folder.glob("refused-notify-*.checkpoint"))
    assert [Note.read(path.read_bytes()) for path in kept] == [note] and str(kept[0]) in third.text
    assert (folder / "notify/checkpoint").read_bytes() == before and "verified" in third.text.splitlines()[-1]
    assert "FAILED" in (folder / "copy.log").read_text("utf-8")

    entries = next(
        (folder / "notify/tile/entries").rglob("*.p/*")
    )  # and where it lies, it is no safer than any other file
    entries.write_bytes(entries.read_bytes().replace(b'"version":1', b'"version":7', 1))
    fourth = await auditor.copies()
    assert fourth.code == 1 and "DOUBTED" in fourth.text.splitlines()[-1]


async def test_it_goes_on_by_itself_until_it_is_told_to_end(auditor: Auditor) -> None:
    words = ["--from", auditor.url, "--to", str(auditor.folder), "--policy", str(auditor.policy), "--service", "notify"]
    told = {"PATH": os.environ["PATH"], "MINEWATCH_AUDITOR_TOKEN": auditor.token}
    copying = await asyncio.create_subprocess_exec(
        MINEWATCH, "audit", "copy", *words, "--reason", "每季度核对", "--every", "1s", env=told,
        stdout=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        log = auditor.folder / "copy.log"
        await until(lambda: log.exists() and log.read_text("utf-8").count("verified") >= 2, 90)
        copying.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(copying.wait(), 60) == 0
    finally:
        if copying.returncode is None:
            copying.kill()
            await copying.wait()


def test_what_cannot_be_begun_says_what_to_give(tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text("quorum none\n", "utf-8")
    words = [
        "--from",
        "https://town.example",
        "--token",
        "x",
        "--to",
        str(tmp_path / "copy"),
        "--policy",
        str(policy),
        "--reason",
        "核对",
    ]
    odd = CliRunner().invoke(copy_command, [*words, "--every", "soon"])
    assert odd.exit_code == 2 and "30m, 1h, 1d" in odd.output
    empty = CliRunner().invoke(copy_command, words)
    assert empty.exit_code == 1 and "没有 log 行" in empty.output and "it trusts no log" in empty.output
    own = Key("140181101/own-witness", WITNESS, bytes(32))
    asking = policy_for("140181101/cases/1").replace("quorum none", f"witness own {own}\nquorum own")
    policy.write_text(asking, "utf-8")
    by_the_operator = CliRunner().invoke(copy_command, words)
    assert by_the_operator.exit_code == 1 and "运营方不能见证自己" in by_the_operator.output
    assert "the operator does not count" in by_the_operator.output
    policy.write_text("log nobody\n", "utf-8")
    broken = CliRunner().invoke(copy_command, words)
    assert broken.exit_code == 1 and f"{policy}: 见证规则" in broken.output
    assert "line 1: a key is written name+id+base64" in broken.output
    assert not (tmp_path / "copy").exists()
