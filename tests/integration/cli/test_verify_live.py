"""`minewatch audit verify --live`: what was brought along is used, doubted or refused, and how far it is is shown."""

import re
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from shared.cli.audit_live import verify_town
from shared.transparency.checkpoint import Checkpoint
from tests.support.commands import environment_of
from tests.support.services import Ground, Town, a_service
from tests.support.signed import a_checkpoint, note_of, policy_for

NOTHING_KEPT = "you gave no checkpoint of your own of intake (--known)"


@dataclass
class Auditor:
    """Verifies intake, with a policy that trusts another service and another town as well."""

    town: Town
    folder: Path
    kept: Checkpoint

    @property
    def jurisdiction(self) -> str:
        return self.kept.origin.split("/")[0]

    @property
    def others(self) -> list[str]:
        """Logs that are not verified: another service's, another town's, another past of intake."""
        return [f"{self.jurisdiction}/cases/x", "elsewhere/intake/x", f"{self.jurisdiction}/intake/x"]

    async def verified(self, *known: Checkpoint) -> int:
        policy, files = self.folder / "policy", []
        policy.write_text(policy_for(self.kept.origin, *self.others), "utf-8")
        for nth, checkpoint in enumerate(known):
            (self.folder / str(nth)).write_text(str(note_of(checkpoint)), "utf-8")
            files.append(self.folder / str(nth))
        return await verify_town(policy, tuple(files), ("intake",), None)


@pytest.fixture
async def auditor(ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Auditor]:
    async with a_service(ground, "intake") as town:
        await town.post("/intake/v1/public/tips", {"words": "夜里有车拉煤"})
        await town.settled()
        settings = town.services["intake"].settings
        for name, value in environment_of(settings).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("MINEWATCH_SCRATCH_DSN", settings.scratch_dsn or "")
        note = await a_checkpoint(town.services["intake"].pool, settings.jurisdiction, "intake")
        yield Auditor(town, tmp_path, Checkpoint.read(note.text))


async def test_what_an_auditor_kept_of_the_log_is_used(auditor: Auditor, capsys: pytest.CaptureFixture[str]) -> None:
    assert await auditor.verified(auditor.kept) == 0, capsys.readouterr().out
    assert "--known" not in capsys.readouterr().out
    assert await auditor.verified() == 0
    assert NOTHING_KEPT in capsys.readouterr().out


async def test_what_was_kept_of_a_log_that_is_not_verified_is_a_doubt_and_warns_all_the_same(
    auditor: Auditor, capsys: pytest.CaptureFixture[str]
) -> None:
    for origin in auditor.others:
        assert await auditor.verified(Checkpoint(origin, 1, bytes(32))) == 1
        said = capsys.readouterr().out
        assert f"the checkpoint you kept is of {origin}" in said or f"kept is of another log, {origin}" in said
        assert NOTHING_KEPT in said
        assert await auditor.verified(auditor.kept, Checkpoint(origin, 1, bytes(32))) == 1
        assert NOTHING_KEPT not in capsys.readouterr().out


async def test_whoever_waits_at_a_terminal_sees_how_far_it_is(
    auditor: Auditor, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert await auditor.verified(auditor.kept) == 0
    shown = capsys.readouterr().err
    size = auditor.kept.size
    assert f"intake [{'':20}] 0 / {size}" in shown, "the log"
    assert re.search(rf"intake ← intake \[█{{20}}\] {size} / {size}", shown), "and its read models"
    assert shown.endswith("\r\x1b[K")
