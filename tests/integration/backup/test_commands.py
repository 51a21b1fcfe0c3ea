"""`minewatch backup` and `restore` as a person types them: what they say, what they refuse, and the code they leave with."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.backup.manifest import KEYS, MANIFEST, BackupRefused, Manifest
from shared.backup.take import KeyCopy
from shared.cli.main import commands
from shared.settings import SERVICES
from tests.support.backups import BackedUp, altered


@pytest.fixture(scope="module")
async def taken(town: BackedUp) -> AsyncIterator[Path]:
    """Two checkpoints of intake were signed: one is in the backup, a newer one only outside."""
    await town.a_tip()
    await town.town.settled(60)
    await town.signed("intake")
    folder = await town.backup("commands", KeyCopy(to=town.folder / "commands-keys.gz"))
    for _ in range(3):
        await town.a_tip()
    await town.town.settled(60)
    await town.signed("intake")
    (town.folder / "policy").write_text("\n".join(town.policy_text("intake")), "utf-8")
    yield folder


def said(*words: object, **environment: str) -> Result:
    return CliRunner(env=environment).invoke(commands, [str(word) for word in words])


def refused(*words: object, **environment: str) -> str:
    result = said(*words, **environment)
    assert isinstance(result.exception, BackupRefused), result.output
    return str(result.exception)


def test_a_sound_backup_says_where_each_log_ends(taken: Path, town: BackedUp) -> None:
    sound = said("backup", "verify", taken, "--keys", town.folder / "commands-keys.gz")
    assert sound.exit_code == 0, sound.output
    for name, part in Manifest.read(taken).services.items():
        assert f"{name}: {part.position} events, root {part.root}" in sound.output
    assert "compared with no witness: give --policy" in sound.output


def test_a_policy_that_not_every_log_meets_is_a_doubt(taken: Path, town: BackedUp) -> None:
    doubted = said("backup", "verify", taken, "--policy", town.folder / "policy")
    size = Manifest.read(taken).services["intake"].position
    assert f"intake: the first {size} of {size} events are those that the witnesses signed" in doubted.output
    assert (
        doubted.exit_code == 1
        and "no checkpoint in the backup meets the policy: cases, reporting, notify" in doubted.output
    )


def test_a_spoiled_one_leaves_with_1_and_an_unfinished_one_is_none(taken: Path, tmp_path: Path) -> None:
    spoiled = Path(shutil.copytree(taken, tmp_path / "spoiled"))
    altered(spoiled, "notify", "record.log", lambda lines: lines[:-1])
    doubted = said("backup", "verify", spoiled)
    assert doubted.exit_code == 1 and "minewatch: notify, " in doubted.output
    doubted = said("restore", "--from", spoiled, "--data", tmp_path / "new", "--secrets", secrets(tmp_path))
    assert doubted.exit_code == 1 and "nothing was restored" in doubted.output and not (tmp_path / "new").exists()
    (spoiled / MANIFEST).unlink()
    assert "no finished backup" in refused("backup", "verify", spoiled)


def secrets(folder: Path) -> Path:
    (folder / "keys").mkdir(exist_ok=True)
    (folder / "keys" / "secrets.json").write_text("{}", "utf-8")
    return folder / "keys"


def test_a_new_town_wants_an_empty_folder_its_secrets_and_its_keys(taken: Path, town: BackedUp, tmp_path: Path) -> None:
    words = ("restore", "--from", taken, "--data", tmp_path / "new", "--unproven")
    assert "give --secrets DIR" in refused(*words)
    assert "--without-keys" in refused(*words, "--secrets", secrets(tmp_path))
    assert "is not empty" in refused("restore", "--from", taken, "--data", tmp_path, "--secrets", tmp_path / "keys")
    (newest,) = town.folder.glob(f"intake-{Manifest.read(taken).services['intake'].position + 3}.checkpoint")
    assert "without --policy" in refused(*words, "--secrets", tmp_path / "keys", "--checkpoint", newest)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys"]


def test_what_nobody_vouches_for_is_refused_unless_that_is_asked_for(
    taken: Path, town: BackedUp, environment: dict[str, str], tmp_path: Path
) -> None:
    """A forger makes all of it fit but the witnesses' signatures; without a policy, and with one that nothing meets."""
    words = ["restore", "--from", taken, "--keys", town.folder / "commands-keys.gz"]
    ends = {name: part.position for name, part in Manifest.read(taken).services.items()}
    unproven = [name for name in SERVICES if ends[name]]
    for policy, of in (([], unproven), (["--policy", town.folder / "policy"], [n for n in unproven if n != "intake"])):
        result = said(*words, *policy, **environment)
        assert f"was recorded by {', '.join(of)}: anybody may have made it up" in str(result.exception)
        assert isinstance(result.exception, BackupRefused) and "--unproven" in str(result.exception)
        assert result.output.count("  UNPROVEN: no checkpoint shows that these") == len(of)
    new = ("--data", tmp_path / "new", "--secrets", secrets(tmp_path))
    assert "anybody may have made it up" in refused(*words, *new) and not (tmp_path / "new").exists()


def test_one_way_or_the_other(tmp_path: Path) -> None:
    for words in ((), ("--new-lineage", "--from", tmp_path), ("--new-lineage",), ("keys", "--new-lineage")):
        assert said("restore", *words).exit_code == 2


def test_an_empty_server_gets_the_town_and_is_told_what_is_missing(
    taken: Path, town: BackedUp, environment: dict[str, str], tmp_path: Path
) -> None:
    """Nothing else stands but a checkpoint that a witness keeps; the witnesses signed an earlier one, too."""
    end = Manifest.read(taken).services["intake"].position
    words = ["restore", "--from", taken, "--keys", town.folder / "commands-keys.gz", "--policy", town.folder / "policy"]
    words += [
        "--unproven",
        "--checkpoint",
        town.folder / f"intake-{end + 3}.checkpoint",
        "--report",
        tmp_path / "report",
    ]
    restored = said(*words, **environment)
    assert restored.exit_code == 0, restored.output
    assert f"intake: the backup ends at position {end} of {end + 3} (" in restored.output
    assert f"  stand nowhere that was looked: {end + 1}–{end + 3}" in (tmp_path / "report").read_text("utf-8")
    for name in SERVICES:
        assert f"before {name} starts: minewatch rebuild {name}" in restored.output
    assert "is not empty" in refused(*words, **environment)

    again = tmp_path / "again"
    backed_up = said("backup", "--to", again, MINEWATCH_JURISDICTION=town.jurisdiction, **environment)
    assert backed_up.exit_code == 0, backed_up.output
    assert {name: part.position for name, part in Manifest.read(again).services.items()} == {
        name: part.position for name, part in Manifest.read(taken).services.items()
    }
    assert (again / KEYS).exists() and ".env" in backed_up.output
