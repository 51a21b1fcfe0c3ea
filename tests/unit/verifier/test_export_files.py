"""The files of an export: not a byte may differ, none may be missing, cut off, too long or too many."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.audit.folder import Growth, LogFolder
from shared.transparency.checkpoint import Checkpoint
from tests.unit.verifier.logs import Tree, checkpoint, first, found, put, some_events, verified, write


def every_file(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def test_no_byte_of_a_small_export_can_be_flipped(tmp_path: Path) -> None:
    """Whatever is read is held against something: 3 events, a tile, a checkpoint, byte by byte."""
    write(tmp_path, some_events(3).bodies)
    assert verified(tmp_path).code == 0
    expected = {
        "checkpoint": {"signature", "quorum", "checkpoint_form"},
        "0": {"leaf"},
        "entries": {"leaf", "bundle_short"},
    }
    flipped = 0
    for path in every_file(tmp_path):
        whole = path.read_bytes()
        codes = set()
        for at in range(0, len(whole), 1 if path.name == "checkpoint" else 5):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])
            report = verified(tmp_path)
            assert report.code == 1, (path, at)
            codes.add(first(report)[0])
            flipped += 1
        path.write_bytes(whole)
        name = path.name if path.name == "checkpoint" else path.parent.parent.name
        assert expected[name] <= codes, (path, codes)
    assert flipped > 700


@pytest.mark.parametrize("size", [1, 257, 513])
def test_no_tile_bundle_or_checkpoint_can_be_altered(tmp_path: Path, size: int) -> None:
    """The place that is named is that of the event the byte belongs to."""
    events = some_events(size)
    made = write(tmp_path, events.bodies)
    for (level, index, width), hashes in made.tiles.items():
        path = tmp_path / next(iter(made.files().keys() & {tile_name(level, index, width)}))
        whole = path.read_bytes()
        for nth in {0, len(hashes) // 2, len(hashes) - 1}:
            path.write_bytes(whole[: 32 * nth] + bytes([whole[32 * nth] ^ 255]) + whole[32 * nth + 1 :])
            code = "leaf" if level == 0 else "tile_hash"
            assert found(verified(tmp_path)) == [(code, (index * 256 + nth << 8 * level) + 1)]
        path.write_bytes(whole)
    assert verified(tmp_path).code == 0


def tile_name(level: int, index: int, width: int) -> str:
    from shared.transparency import tiles

    return tiles.path(level, index, width)


def cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


def longer(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"\0")


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def a_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def endless(path: Path) -> None:
    """A file of 20 GB that takes no place."""
    with path.open("ab") as file:
        file.truncate(20 << 30)


FILE_FAULTS: list[tuple[str, Callable[[Path], None], str, int]] = [
    ("tile/entries/000", cut, "bundle_short", 256),
    ("tile/entries/000", longer, "bundle_trailing", 256),
    ("tile/entries/000", emptied, "bundle_short", 1),
    ("tile/entries/000", removed, "file_missing", 1),
    ("tile/entries/000", a_folder, "file_missing", 1),
    ("tile/entries/000", a_pipe, "file_missing", 1),
    ("tile/entries/001.p/44", endless, "file_long", 257),
    ("tile/entries/001.p/44", cut, "bundle_short", 300),
    ("tile/entries/001.p/44", longer, "bundle_trailing", 300),
    ("tile/0/000", cut, "tile_length", 1),
    ("tile/0/000", longer, "file_long", 1),
    ("tile/0/000", removed, "file_missing", 1),
    ("tile/0/001.p/44", cut, "tile_length", 257),
    ("tile/0/001.p/44", removed, "file_missing", 257),
    ("tile/1/000.p/1", cut, "tile_length", 1),
    ("tile/1/000.p/1", removed, "file_missing", 1),
    ("tile/1/000.p/1", endless, "file_long", 1),
]


@pytest.fixture(scope="module")
def three_hundred(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("log")
    write(folder, some_events(300).bodies)
    return folder


@pytest.mark.parametrize(("name", "fault", "code", "position"), FILE_FAULTS)
def test_a_file_that_is_not_as_it_should_be_is_named(
    tmp_path: Path, three_hundred: Path, name: str, fault: Callable[[Path], None], code: str, position: int
) -> None:
    folder = Path(shutil.copytree(three_hundred, tmp_path / "log"))
    fault(folder / name)
    report = verified(folder)
    assert first(report) == (code, position)
    assert name in report.parts[0].doubts.first[0].english


def test_a_full_tile_in_the_place_of_a_partial_one_does_not_count(tmp_path: Path) -> None:
    """And a partial one not in that of a full one: each has the one path that belongs to the size."""
    write(tmp_path, some_events(5).bodies)
    path = tmp_path / "tile/entries/000.p/5"
    path.rename(tmp_path / "tile/entries/whole")
    shutil.rmtree(path.parent)
    (tmp_path / "tile/entries/whole").rename(tmp_path / "tile/entries/000")
    assert found(verified(tmp_path))[0] == ("file_missing", 1)
    assert ("file_stray", None) in found(verified(tmp_path))


@pytest.mark.parametrize(
    "name",
    ["tile/entries/001", "tile/0/000.p/4", "tile/entries/000.p/5.new", "tile/1/000", "tile/7/000", "tile/entries/x000/000",
     "tile/data/000", "tile/0/000.p/05", "tile/0/000.p/5/1", "tile/x", "tile/0/²"],
)  # fmt: skip
def test_a_file_too_many_among_the_tiles_is_named(tmp_path: Path, name: str) -> None:
    write(tmp_path, some_events(4).bodies)
    if "000.p/4" in name:  # that one belongs there: with another size it does not
        name = "tile/0/000.p/3"
    if name == "tile/0/000.p/5/1":
        name = "tile/0/000.p/more/1"
    put(tmp_path / name, b"")
    report = verified(tmp_path)
    assert found(report) == [("file_stray", None)] and name in report.parts[0].doubts.first[0].english


def test_a_checkpoint_of_fewer_events_than_there_are_files_for_is_found(tmp_path: Path) -> None:
    """A tile that is full where the checkpoint's size has it partial, as a log once published it."""
    made = write(tmp_path, some_events(300).bodies)
    put(tmp_path / "checkpoint", str(checkpoint(200, made.root_at(200))).encode())
    assert first(verified(tmp_path)) == ("file_missing", 1)


def test_what_an_attacker_recomputes_ends_at_the_witnessed_checkpoint(tmp_path: Path) -> None:
    """Alter, drop, insert, swap, cut off the end; every hash, tile and prev made to fit."""
    events = some_events(40)
    whole = write(tmp_path / "whole", events.bodies)
    witnessed = checkpoint(whole.size, whole.root)
    attacks = {
        "alter": lambda e: e[8]["data"].update(n=99),
        "drop": lambda e: e.pop(38),  # the last of its stream
        "insert": lambda e: e.insert(39, {**e[38], "id": e[38]["id"][:-2] + "ff", "version": e[38]["version"] + 1}),
        "swap": lambda e: e.insert(0, e.pop(1)),
        "cut off": lambda e: e.pop(),
    }  # fmt: skip
    for name, attack in attacks.items():
        forged = events.copy()
        attack(forged.envelopes)
        forged.chained_again()
        made = write(tmp_path / name, forged.bodies, witnessed)
        assert verified(tmp_path / name).code == 1, name
        if len(forged.envelopes) == 40:  # with another length already the files do not fit
            assert ("root", None) in found(verified(tmp_path / name)), name
        put(tmp_path / name / "checkpoint", str(checkpoint(made.size, made.root, witnesses=())).encode())
        assert first(verified(tmp_path / name)) == ("quorum", None), name
    assert verified(tmp_path / "whole").code == 0


@pytest.mark.parametrize("size", [1, 255, 256, 257, 513])
def test_what_the_export_writes_is_proven_as_it_grows(tmp_path: Path, size: int) -> None:
    """Its code and this one's know nothing of each other."""
    made = Tree(some_events(size).bodies)
    for until in sorted({0, 1, size // 2, size}):
        note = checkpoint(until, made.root_at(until))
        growth = Growth(LogFolder(tmp_path), Checkpoint.read(note.text))
        while growth.width:
            part = slice(growth.at, growth.at + growth.width)
            growth.add(made.bodies[part], made.leaves[part])
        growth.stand(note)
        report = verified(tmp_path)
        assert (report.code, found(report), report.parts[0].events) == (0, [], until)
