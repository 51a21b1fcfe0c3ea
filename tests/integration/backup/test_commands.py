"""`minewatch backup` and `restore` as a person types them: what they say, what they refuse, and the code they leave with."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.backup.manifest import KEYS, MANIFEST, BackupRefused, Manifest, file_of
from shared.backup.take import KeyCopy
from shared.cli.main import commands
from shared.cli.policies import PolicyUnusable
from shared.settings import SERVICES
from shared.transparency.note import WITNESS
from tests.support.backups import FIRST, LOG_KEY, BackedUp, altered, vkey

UNSIGNED = "SELECT position > (SELECT coalesce(max(size), 0) FROM record.checkpoint) FROM work.head"


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
    assert f"  all {size} events were signed as the policy asks; newest signature: 2017-07-14 " in doubted.output
    assert doubted.output.count("  UNPROVEN: no checkpoint shows that these") == 3
    assert doubted.exit_code == 1 and "not proven, see UNPROVEN above: cases, reporting, notify" in doubted.output


def test_a_newer_checkpoint_from_elsewhere_says_what_a_backup_lacks(taken: Path, town: BackedUp) -> None:
    end = Manifest.read(taken).services["intake"].position
    words = ("backup", "verify", taken, "--policy", town.folder / "policy", "--checkpoint")
    looked = said(*words, town.folder / f"intake-{end + 3}.checkpoint")
    assert f"intake: the backup ends at position {end} of {end + 3} (" in looked.output
    assert f"; 3 facts are missing\n  all {end} events were signed" in looked.output
    assert f"  stand nowhere that was looked: {end + 1}–{end + 3}" in looked.output


async def at_rest(town: BackedUp, at: int) -> Path:
    """Every log signed to its end, at `at` where it was not yet; the policy for all of them."""
    await town.town.settled(60)
    logs = []
    for name, service in town.town.services.items():
        if await service.pool.fetchval(UNSIGNED):
            await town.signed(name, at=at)
        logs += [line for line in town.policy_text(name) if line.startswith("log ")]
    (policy := town.folder / "policy-of-all").write_text("\n".join([*logs, *town.policy_text("intake")[1:]]), "utf-8")
    return policy


async def grown(town: BackedUp, at: int, name: str) -> tuple[Path, Path]:
    """(backup, policy); two events of intake came after what was signed at `at`."""
    await town.a_tip()
    policy = await at_rest(town, at)
    for _ in range(2):
        await town.a_tip()
    await town.town.settled(60)
    return await town.backup(name), policy


async def test_the_tail_of_a_log_at_work_is_named_and_passes(town: BackedUp) -> None:
    backup, policy = await grown(town, int(time.time()), "at-work")
    end = Manifest.read(backup).services["intake"].position
    looked = await asyncio.to_thread(said, "backup", "verify", backup, "--policy", policy)
    tail = f"events were signed as the policy asks; nobody signed {end - 1}–{end}: 2 of {end}, recorded from 20"
    assert f"  the first {end - 2} {tail}" in looked.output and "  ordinary: signed " in looked.output
    assert looked.exit_code == 0, looked.output
    assert f"sha256 of the manifest: {file_of(backup / MANIFEST).sha256}" in looked.output
    assert "nothing against the operator" not in looked.output


async def test_what_nobody_signed_for_longer_is_a_doubt_and_restored_only_if_that_is_asked_for(
    town: BackedUp, environment: dict[str, str], tmp_path: Path
) -> None:
    backup, policy = await grown(town, int(time.time()) - 3600, "left-alone")
    looked = await asyncio.to_thread(said, "backup", "verify", backup, "--policy", policy)
    assert looked.exit_code == 1 and "not proven, see UNPROVEN above: intake\n" in looked.output, looked.output
    assert "  UNPROVEN: signed " in looked.output and "as the backup says, 1:00:" in looked.output
    words = ("restore", "--from", backup, "--policy", policy)
    new = ("--data", tmp_path / "new", "--secrets", secrets(tmp_path))
    for more, told in ((new, {}), ((), environment)):
        assert "what was signed of intake ends long before" in await asyncio.to_thread(refused, *words, *more, **told)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["keys", "passwords.json"]


async def test_a_policy_that_asks_for_nobody_is_said_to_prove_nothing_against_the_operator(town: BackedUp) -> None:
    policy = await at_rest(town, int(time.time()))
    policy.write_text(policy.read_text("utf-8").replace("quorum both", "quorum none"), "utf-8")
    backup = await town.backup("by-nobody")
    looked = await asyncio.to_thread(said, "backup", "verify", backup, "--policy", policy)
    assert looked.exit_code == 0 and "proves nothing against the operator itself" in looked.output, looked.output


@pytest.mark.parametrize(
    ("change", "zh", "en"),
    [
        (lambda _, lines: [*lines[1:]], "没有 log 行", "it trusts no log"),
        (
            lambda _, lines: [lines[0], f"witness self {vkey(LOG_KEY, 'self.example', WITNESS)}", "quorum self"],
            "运营方不能见证自己",
            "the log's own key as the witness self: the operator does not count",
        ),
        (
            lambda town, lines: [lines[0], f"witness own {vkey(FIRST, f'{town}/own-witness', WITNESS)}", "quorum own"],
            "“quorum own”一行算上了运营方自己的见证人 own",
            "the line `quorum own` of the policy counts own, which is",
        ),
        (lambda _, lines: lines[:-1], "无法读取", "one quorum line"),
    ],
)
def test_a_policy_that_counts_the_operator_or_trusts_nobody_is_refused(
    change: Callable[[str, list[str]], list[str]], zh: str, en: str, taken: Path, town: BackedUp, tmp_path: Path
) -> None:
    policy = tmp_path / "policy"
    policy.write_text("\n".join(change(town.jurisdiction, town.policy_text("intake"))), "utf-8")
    new = ("--data", tmp_path / "new", "--secrets", secrets(tmp_path))
    for words in (("backup", "verify", taken), ("restore", "--from", taken, "--unproven", *new)):
        result = said(*words, "--policy", policy)
        assert isinstance(result.exception, PolicyUnusable), result.output
        assert zh in str(result.exception).splitlines()[0] and en in str(result.exception).splitlines()[-1]
    assert not (tmp_path / "new").exists()


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
    assert f"  note intake: {end} of {end} events are not signed yet" in backed_up.output
    assert "backup verify will call them UNPROVEN" in backed_up.output
    assert "waits for signatures" not in backed_up.output  # nobody is there to sign
