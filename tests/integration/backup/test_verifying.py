"""Whoever alters a backup is found: also one who knows what is compared, and makes everything fit but what witnesses hold."""

import json
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from uuid import uuid4

import pytest

from shared.backup.logs import Row
from shared.backup.manifest import MANIFEST, BackupRefused, Doubt, Manifest, Part
from shared.backup.rows import octets, rows
from shared.backup.verify import verify
from shared.contracts.envelope import leaf_of
from shared.transparency import tree
from tests.support.backups import BackedUp, altered
from tests.support.services import Town

GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="phone" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="37.9000000" lon="112.1000000"/><trkpt lat="37.9010000" lon="112.1010000"/>
</trkseg></trk></gpx>"""
Rows = list[bytes]
Change = Callable[[Path], None]


@pytest.fixture(scope="module")
async def sound(town: BackedUp) -> AsyncIterator[Path]:
    """intake was signed by both witnesses, a patrol's route among it; three events came after."""
    for _ in range(7):
        await town.a_tip()
    await a_patrol(town.town)
    await town.town.settled(60)
    await town.signed("intake")
    for _ in range(3):
        await town.a_tip()
    await town.town.settled(60)
    yield await town.backup("sound")


async def a_patrol(town: Town) -> None:
    record = {
        "village": "140181101207",
        "unit": "dulan",
        "patrol_class": town.plan.codes("patrol_class")[0],
        "started_at": "2018-01-22T08:00:00+08:00",
        "ended_at": "2018-01-22T08:30:00+08:00",
        "members": ["p-village_head-dulan"],
        "gpx": GPX,
        "no_finding": True,
        "handling": town.plan.codes("handling")[0],
    }
    await town.post(f"/intake/v1/patrols/{uuid4()}/record", record, town.headers("village_head", "dulan"))


@pytest.fixture
def spoiled(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "spoiled"))


def of_rows(service: str, table: str, change: Callable[[Rows], Rows]) -> Change:
    return lambda folder: altered(folder, service, table, change)


def one(nth: int, old: bytes, new: bytes) -> Callable[[Rows], Rows]:
    """The nth row with a part replaced, or the next one that has it."""

    def change(lines: Rows) -> Rows:
        at = next(n for n, line in enumerate(lines) if n >= nth and old in line)
        return [line.replace(old, new, 1) if n == at else line for n, line in enumerate(lines)]

    return change


def without(nth: int) -> Callable[[Rows], Rows]:
    return lambda lines: [line for n, line in enumerate(lines) if n != nth % len(lines)]


def swapped(lines: Rows) -> Rows:
    return [lines[1], lines[0], *lines[2:]]


def of_cases(line: bytes) -> bool:
    return line.startswith(b"cases\t")


def another_received(lines: Rows) -> Rows:
    """One event of cases, as notify received it."""
    nth = next(n for n, line in enumerate(lines) if of_cases(line))
    return one(nth, b'"version":1'.hex().encode(), b'"version":9'.hex().encode())(lines)


def received_from_beyond(lines: Rows) -> Rows:
    source, lineage, _, *rest = next(line for line in lines if of_cases(line)).split(b"\t")
    upto = max(n for n, line in enumerate(lines) if of_cases(line)) + 1
    return [*lines[:upto], b"\t".join([source, lineage, b"9999", *rest]), *lines[upto:]]


def never_restored(lines: Rows) -> Rows:
    lineage, _, _, *rest = lines[0].split(b"\t")
    return [b"\t".join([lineage, b"11111111-1111-1111-1111-111111111111", b"5", *rest])]


def spoiled_plan(folder: Path) -> None:
    (folder / "plans" / "zhenchengdi-2018.yaml").write_bytes(b"?")


def last_dropped(folder: Path) -> None:
    for table in ("record.event", "record.log"):
        altered(folder, "intake", table, without(-1))


SPOILED: dict[str, tuple[Change, str]] = {
    "a byte of a file": (spoiled_plan, "zhenchengdi-2018.yaml is not the file"),
    "a file gone": (lambda folder: (folder / "cases" / "record.inbox.copy.gz").unlink(), "cannot be read"),
    "a byte of an event": (
        of_rows("intake", "record.event", one(4, b'"version":1'.hex().encode(), b'"version":2'.hex().encode())),
        r"intake, event \d+: its bytes",
    ),
    "the last event dropped": (of_rows("intake", "record.event", without(-1)), "intake, event {n}: it is in the log"),
    "the last event and its number dropped": (last_dropped, "intake, event {n}: the log ends before it"),
    "an event dropped from within": (of_rows("intake", "record.event", without(3)), "intake, event 4: the log names"),
    "a number dropped from within": (
        of_rows("intake", "record.log", without(3)),
        "intake, event 4: the log goes on with 5",
    ),
    "two events in each other's place": (of_rows("intake", "record.event", swapped), "intake, event 1: the log names"),
    "the type beside a body": (
        of_rows("intake", "record.event", one(2, b"intake.tip.received.v1", b"intake.tip.closed.v1")),
        r"intake, event \d+: its row and its body",
    ),
    "what another service received": (
        of_rows("notify", "record.inbox", another_received),
        r"cases, event \d+: notify holds another event",
    ),
    "a file that an event names": (
        of_rows("intake", "record.file", lambda _: []),
        "the file .*, which its events name",
    ),
    "received from beyond the end": (
        of_rows("notify", "record.inbox", received_from_beyond),
        "cases, event 9999: notify holds it",
    ),
    "what was signed": (
        of_rows("intake", "record.checkpoint", one(0, b"=\\n", b"A\\n")),
        r"intake, its checkpoint of \d+ events",
    ),
    "an event that waits for no number": (
        of_rows("intake", "work.pending", lambda _: [b"99\t00000000-0000-0000-0000-000000000001\n"]),
        "in neither the log nor the queue",
    ),
    "the head": (of_rows("intake", "work.head", lambda lines: [lines[0].replace(b"x", b"xff", 1)]), "intake, its head"),
    "a restore that never was": (of_rows("intake", "record.lineage", never_restored), "intake, its name"),
}


def test_an_untouched_one_is_sound_and_witnessed(sound: Path, town: BackedUp) -> None:
    found = verify(sound, policy=town.policy("intake"))
    assert found.witnessed["intake"].checkpoint.size == found.logs["intake"].position - 3 >= 7
    assert {name: walked.position for name, walked in found.logs.items()} == {
        name: part.position for name, part in found.manifest.services.items()
    }


@pytest.mark.parametrize("what", SPOILED)
def test_what_was_altered_is_named(spoiled: Path, what: str) -> None:
    change, named = SPOILED[what]
    position = Manifest.read(spoiled).services["intake"].position
    change(spoiled)
    with pytest.raises(Doubt, match=named.format(n=position)):
        verify(spoiled)


def test_who_makes_everything_fit_again_is_found_by_the_witnesses_alone(spoiled: Path, town: BackedUp) -> None:
    """Another event in the fifth place; its leaf, the tree, the head and the manifest recomputed; the checkpoint gone."""
    rewritten(spoiled, 5)
    forgotten(spoiled)
    verify(spoiled)
    assert "intake" not in verify(spoiled, policy=town.policy("intake")).witnessed


def test_who_keeps_the_checkpoint_beside_rewritten_events_is_found(spoiled: Path) -> None:
    rewritten(spoiled, 5)
    with pytest.raises(
        Doubt, match=r"its checkpoint of \d+ events: the events up to there are not those that were signed"
    ):
        verify(spoiled)


@pytest.mark.parametrize("name", ["../zhenchengdi-2018.yaml", "plans/../../policy", "/etc/passwd"])
def test_a_manifest_that_names_files_outside_is_refused(spoiled: Path, name: str) -> None:
    manifest = json.loads((spoiled / MANIFEST).read_text("utf-8"))
    manifest["files"][name] = next(iter(manifest["files"].values()))
    refused_as_it_is_written(spoiled, manifest, name)


def test_a_table_whose_file_has_no_hash_is_refused(spoiled: Path) -> None:
    manifest = json.loads((spoiled / MANIFEST).read_text("utf-8"))
    shutil.copyfile(spoiled / "intake" / "record.log.copy.gz", spoiled / "another.copy.gz")
    (table,) = (each for each in manifest["services"]["intake"]["tables"] if each["name"] == "record.log")
    table["file"] = "another.copy.gz"
    refused_as_it_is_written(spoiled, manifest, "another.copy.gz")


def refused_as_it_is_written(folder: Path, manifest: object, name: str) -> None:
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    with pytest.raises(BackupRefused, match=f"names '{name}', which is no file of a backup"):
        Manifest.read(folder)


def rewritten(folder: Path, position: int) -> None:
    """Another role at this event, in the log and wherever it was received; everything in the backup itself fits afterwards."""
    part = Manifest.read(folder).services["intake"]
    before = stored(folder, part, "record.event")[position - 1]["body"]
    after = octets(before).replace(b'"inrole":"public"', b'"inrole":"nobody"')
    old, new = octets(before).hex().encode(), after.hex().encode()
    altered(folder, "intake", "record.event", one(position - 1, old, new))
    for reader in ("cases", "reporting", "notify"):
        altered(folder, reader, "record.inbox", lambda lines: [line.replace(old, new) for line in lines])
    leaves = [leaf_of(octets(row["body"])) for row in stored(folder, part, "record.event")]
    was = octets(stored(folder, part, "record.log")[position - 1]["leaf"])
    altered(folder, "intake", "record.log", one(position - 1, was.hex().encode(), leaves[position - 1].hex().encode()))
    _, frontier = tree.extend(0, [], leaves)
    (head,) = stored(folder, part, "work.head")
    for name, value in (("root", tree.root(frontier)), ("frontier", tree.pack(frontier))):
        altered(folder, "intake", "work.head", one(0, octets(head[name]).hex().encode(), value.hex().encode()))
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["services"]["intake"]["root"] = tree.root(frontier).hex()
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")


def stored(folder: Path, part: Part, table: str) -> list[Row]:
    about = part.table(table)
    return list(rows(folder / about.file, about.columns))


def forgotten(folder: Path) -> None:
    """The checkpoint, its cosignatures and the note in the manifest."""
    for table in ("record.cosignature", "record.checkpoint"):
        altered(folder, "intake", table, lambda _: [])
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    manifest["services"]["intake"]["checkpoint"] = None
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
