"""`minewatch audit export` and `audit proof` on a running service, and what `audit verify` says of what they wrote."""

import asyncio
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from shared.cli.audit_export import Taken, exported, proof, proven
from shared.errors import NotFound, NotPermitted, NotReady
from shared.opening import OpeningNeedsReason
from shared.service import Service
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from shared.verifier.program import Question
from shared.verifier.program import run as verified
from tests.support.commands import environment_of
from tests.support.kernel import until
from tests.support.services import Town
from tests.support.signed import a_checkpoint, policy_for

NINTH = "SELECT body FROM record.log JOIN record.event USING (event_id) WHERE position = 9"
LAST = "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position DESC LIMIT 1"
COUNT = "SELECT count(*) FROM record.event"
OWN = "SELECT position, event_id FROM record.log ORDER BY position DESC LIMIT 1"


async def signed(notify: Service) -> Checkpoint:
    return Checkpoint.read((await a_checkpoint(notify.pool, notify.settings.jurisdiction, "notify")).text)


@pytest.fixture
def notify(notified: Town, monkeypatch: pytest.MonkeyPatch) -> Service:
    """It runs, and the environment says where."""
    for name, value in environment_of(notified.services["notify"].settings).items():
        monkeypatch.setenv(name, value)
    return notified.services["notify"]


async def test_an_export_covers_the_event_that_records_it_and_is_verified(
    notify: Service, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder, why = tmp_path / "export", "移交县审计局"
    exporting = asyncio.create_task(exported(folder, ["notify"], why, "p-auditor-1", 60, None))
    body = json.loads(await until(lambda: notify.pool.fetchval(NINTH), 60))
    assert not exporting.done()
    checkpoint = await signed(notify)
    await exporting
    assert "notify: 9 events, 9 of them new\n" in capsys.readouterr().out
    assert (body["actor"], body["inrole"], body["data"]["kind"]) == ("p-auditor-1", "auditor@leading_group", "export")
    assert body["data"]["heads"]["size"] == 8 and why not in json.dumps(body, ensure_ascii=False)
    assert Note.read((folder / "notify/checkpoint").read_bytes()).text == str(checkpoint)
    assert "本文件夹" in (folder / "README.txt").read_text("utf-8") and (folder / "policy").exists()
    policy = tmp_path / "policy"
    policy.write_text(policy_for(checkpoint.origin), "utf-8")
    assert verified(Question(folder, policy)) == 0

    capsys.readouterr()
    await exported(folder, ["notify"], why, "p-clerk-1", 0, None)
    said = capsys.readouterr()
    assert "covers 9 of 10 events" in said.err and "notify: 9 events, 0 of them new\n" in said.out

    number, event_id = await notify.pool.fetchrow(OWN)
    with pytest.raises(NotReady, match="event 10 of notify: checkpoints cover 9 events"):
        await proven(str(number), ["notify"], None, None)
    await signed(notify)
    one, entry = tmp_path / "one.tlog-proof", tmp_path / "entry"
    taken = Taken(entry, "核对一条记录", "p-auditor-1")
    one.write_text(await proven(str(event_id), ["notify"], taken, None), "utf-8")
    assert one.read_text("utf-8") == await proven("10", ["notify"], None, None)
    body = json.loads(await notify.pool.fetchval(LAST))
    subject = await notify.pool.fetchval("SELECT stream_id FROM record.event WHERE event_id = $1", event_id)
    assert (body["actor"], body["data"]["kind"], body["data"]["about"]) == ("p-auditor-1", "event", [subject])
    assert taken.reason not in json.dumps(body, ensure_ascii=False)
    assert verified(Question(one, policy, entry)) == 0
    entry.write_bytes(entry.read_bytes().replace(b'"version":1', b'"version":2'))
    assert verified(Question(one, policy, entry)) == 1
    with pytest.raises(NotFound):
        await proven("12", ["notify"], None, None)
    assert await notify.pool.fetchval(COUNT) == 11, "a proof alone gives nothing out, and records nothing"


async def test_no_event_is_given_out_without_a_post_and_a_reason_or_before_it_is_proven(
    notify: Service, tmp_path: Path
) -> None:
    entry = tmp_path / "entry"
    with pytest.raises(NotReady, match="event 3 of notify: checkpoints cover 0 events"):
        await proven("3", ["notify"], Taken(entry, "核对一条记录", "p-auditor-1"), None)
    await signed(notify)
    with pytest.raises(NotPermitted, match="holds none of these posts"):
        await proven("3", ["notify"], Taken(entry, "核对一条记录", "p-group_leader"), None)
    with pytest.raises(OpeningNeedsReason):
        await proven("3", ["notify"], Taken(entry, " ", "p-auditor-1"), None)
    assert not entry.exists() and await notify.pool.fetchval(COUNT) == 8
    for given in (
        ["--entry", str(entry)],
        ["--reason", "核对一条记录"],
        ["--entry", str(entry), "--as", "p-auditor-1"],
    ):
        asked = CliRunner().invoke(proof, ["3", "--service", "notify", *given])
        assert asked.exit_code == 2 and "who takes the event and why" in asked.output, given
    assert not entry.exists()


async def test_nobody_exports_without_a_post_a_reason_or_a_checkpoint(notify: Service, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    with pytest.raises(NotPermitted, match="holds none of these posts"):
        await exported(folder, ["notify"], "移交县审计局", "p-group_leader", 0, None)
    with pytest.raises(OpeningNeedsReason):
        await exported(folder, ["notify"], " ", "p-clerk-1", 0, None)
    assert await notify.pool.fetchval("SELECT count(*) FROM record.event") == 8
    with pytest.raises(NotReady, match="no signer runs"):
        await exported(folder, ["notify"], "移交县审计局", "p-clerk-1", 0, None)
    assert not folder.exists()


def test_a_proof_of_nothing_in_particular_says_what_to_give() -> None:
    position = CliRunner().invoke(proof, ["7"])
    assert position.exit_code == 2 and "A position needs --service" in position.output
    unknown = CliRunner().invoke(proof, ["not-an-event", "--service", "notify"])
    assert unknown.exit_code == 2 and "neither an event's id nor a position" in unknown.output
