"""An export folder grows from checkpoint to checkpoint, is never half valid, and takes nothing that does not continue it."""

import functools
import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.audit.folder import FolderRefused, Growth, LogFolder
from shared.contracts.envelope import leaf_of
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from tests.crosscheck.logs import Log, some_entries

SIZES = (1, 2, 255, 256, 257, 300, 512, 513, 1100)


@functools.cache
def log_of(size: int, other: bool = False) -> Log:
    entries = some_entries(size)
    return Log(Path("nowhere"), [*entries[:260], b"{}", *entries[261:]] if other else entries)


def grown(folder: LogFolder, log: Log, upto: int | None = None) -> None:
    """Growth to all of `log`; or, as if it had been stopped there, of `upto` bundles."""
    growth = Growth(folder, Checkpoint.read(log.checkpoint.text))
    done = 0
    while growth.width and done != upto:
        entries = log.entries[growth.at : growth.at + growth.width]
        growth.add(entries, [leaf_of(entry) for entry in entries])
        done += 1
    if upto is None:
        growth.stand(log.checkpoint)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def wanted(log: Log, tmp_path: Path) -> dict[str, bytes]:
    """What another writer, which holds all of the log, writes at this size."""
    log.folder = tmp_path / f"wanted-{log.size}"
    log.write()
    there = files(log.folder)
    return {name: content for name, content in there.items() if name.startswith(("tile/", "checkpoint"))}


def test_each_size_is_written_as_if_it_were_the_first_and_full_tiles_are_never_touched_again(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "cases")
    full: dict[Path, tuple[int, int]] = {}
    for size in SIZES:
        grown(folder, log_of(size))
        assert files(folder.path) == wanted(log_of(size), tmp_path)
        there = [path for path in folder.path.rglob("tile/**/[0-9]??") if path.parent.suffix != ".p"]
        now = {path: (path.stat().st_ino, path.stat().st_mtime_ns) for path in there}
        assert full.items() <= now.items()
        full = now
    assert len(full) == 8  # four of entries, four of leaves


def test_a_large_log_has_the_tiles_of_every_level_also_when_it_grew(tmp_path: Path) -> None:
    for size in (65_000, 65_537):
        grown(LogFolder(tmp_path / "cases"), log_of(size))
        assert files(tmp_path / "cases") == wanted(log_of(size), tmp_path)
    assert (tmp_path / "cases/tile/2/000.p/1").is_file()


def test_more_signatures_of_the_same_checkpoint_take_the_place_of_fewer(tmp_path: Path) -> None:
    folder, log = LogFolder(tmp_path), log_of(300)
    grown(folder, log)
    Growth(folder, Checkpoint.read(log.checkpoint.text)).stand(Note(log.checkpoint.text, log.checkpoint.lines[:1]))
    assert (tmp_path / "checkpoint").read_text("utf-8").count("\n— ") == 1
    grown(folder, log)
    assert (tmp_path / "checkpoint").read_text("utf-8").count("\n— ") == 2


@pytest.mark.parametrize("upto", [0, 1, 2])
def test_an_interrupted_run_leaves_the_former_checkpoint_and_is_continued(tmp_path: Path, upto: int) -> None:
    folder = LogFolder(tmp_path / "cases")
    grown(folder, log_of(300))
    grown(folder, log_of(600), upto)
    assert folder.checkpoint() == Checkpoint.read(log_of(300).checkpoint.text)
    grown(folder, log_of(1100))
    assert files(folder.path) == wanted(log_of(1100), tmp_path)


def test_what_an_interrupted_run_left_beyond_the_checkpoint_is_not_believed(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "cases")
    grown(folder, log_of(300))
    for name in (
        "tile/0/001",
        "tile/entries/001",
        "tile/0/002.p/88",
        "tile/0/002.p/9.new",
        "tile/0/003",
        "tile/0/003.new",
    ):
        folder.put(name, b"half of it")
    grown(folder, log_of(600))
    assert files(folder.path) == wanted(log_of(600), tmp_path)


class Dying(LogFolder):
    """The process dies when it is about to write its `at`th file, or in the middle of it."""

    at = 0
    within = False

    def put(self, name: str, content: bytes) -> None:
        if Dying.at == 0:
            if Dying.within:
                (self.path / name).parent.mkdir(parents=True, exist_ok=True)
                (self.path / f"{name}.new").write_bytes(content[: len(content) // 2])
            os.kill(os.getpid(), signal.SIGKILL)
        Dying.at -= 1
        super().put(name, content)


def killed(at: int, within: bool, run: Callable[[], None]) -> bool:
    """Runs it in a process of its own; whether it died of it."""
    child = os.fork()
    if child == 0:
        Dying.at, Dying.within = at, within
        try:
            run()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


@pytest.mark.parametrize("within", [False, True])
def test_a_run_that_is_killed_at_any_file_is_never_half_valid(tmp_path: Path, within: bool) -> None:
    died = 0
    for at in range(20):
        folder = LogFolder(tmp_path / f"{at}" / "cases")
        grown(folder, log_of(300))
        dying = Dying(folder.path)
        if not killed(at, within, lambda dying=dying: grown(dying, log_of(600))):  # type: ignore[misc]
            break
        died += 1
        assert folder.checkpoint() == Checkpoint.read(log_of(300).checkpoint.text)
        before = wanted(log_of(300), tmp_path)
        assert before.items() <= files(folder.path).items()
        grown(folder, log_of(1100))
        assert files(folder.path) == wanted(log_of(1100), tmp_path)
    assert died == 6 and files(tmp_path / "6" / "cases") == wanted(log_of(600), tmp_path)


def test_another_history_shorter_or_of_another_log_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "cases")
    grown(folder, log_of(300))
    before = files(folder.path)
    with pytest.raises(FolderRefused, match="holds 300 events; the checkpoint is of 299"):
        grown(folder, log_of(299))
    with pytest.raises(FolderRefused, match="another history of 300 events"):
        grown(folder, log_of(300, other=True))
    with pytest.raises(FolderRefused, match="the first 300 events are not those of the checkpoint"):
        grown(folder, log_of(600, other=True))
    with pytest.raises(FolderRefused, match="not elsewhere/cases/1"):
        Growth(folder, Checkpoint("elsewhere/cases/1", 600, bytes(32)))
    assert files(folder.path) == before


def test_entries_that_are_not_the_ones_of_the_checkpoint_never_stand(tmp_path: Path) -> None:
    folder, log = LogFolder(tmp_path / "cases"), log_of(300)
    growth = Growth(folder, Checkpoint.read(log.checkpoint.text))
    forged = [*log.entries[:7], b"{}", *log.entries[8:256]]
    with pytest.raises(FolderRefused, match="event 8 is not the one that was numbered"):
        growth.add(forged, log.leaves[:256])
    growth.add(forged, [leaf_of(entry) for entry in forged])
    growth.add(log.entries[256:], log.leaves[256:])
    with pytest.raises(FolderRefused, match="300 events have the root"):
        growth.stand(log.checkpoint)
    assert folder.checkpoint() is None


def test_a_folder_whose_own_tiles_were_changed_is_not_continued(tmp_path: Path) -> None:
    for size, name in ((512, "tile/1/000.p/2"), (300, "tile/0/000"), (300, "tile/1/000.p/1")):
        folder = LogFolder(tmp_path / f"{size}-{name.replace('/', '-')}")
        grown(folder, log_of(size))
        path = folder.path / name
        path.write_bytes(bytes([path.read_bytes()[0] ^ 1]) + path.read_bytes()[1:])
        if name == "tile/0/000":  # read by nobody who grows from 300; whoever verifies the folder finds it
            grown(folder, log_of(600))
            continue
        with pytest.raises(FolderRefused, match=f"the first {size} events are not those"):
            grown(folder, log_of(600))


def test_two_runs_into_one_folder_do_not_meet(tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "cases")
    with folder.alone(), pytest.raises(FolderRefused, match="another run"), folder.alone():
        pass
    with folder.alone():
        pass
