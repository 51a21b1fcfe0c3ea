"""Where a town may start: not in what a restore has made so far, nor in the folder that waits for it."""

import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path

import pytest

from shared.errors import NotReady
from shared.half_restored import alone_beside, beside, refuse_half_town

HOLDS = """
import sys, time
from pathlib import Path
from shared.half_restored import alone_beside
with alone_beside(Path(sys.argv[1])):
    print("held", flush=True)
    time.sleep(600)
"""


@pytest.fixture
def half(tmp_path: Path) -> Path:
    """Of the town that will be in `town`."""
    (tmp_path / ".town.restoring" / "keys").mkdir(parents=True)
    return tmp_path / ".town.restoring"


def test_the_folder_that_waits_for_it_is_refused_whether_it_is_there_or_not(half: Path, tmp_path: Path) -> None:
    assert beside(tmp_path / "town") == half
    for _ in range(2):
        with pytest.raises(NotReady, match=rf"^{half} is what a restore has made so far .* delete {half}$"):
            refuse_half_town(tmp_path / "town", lives=False)
        (tmp_path / "town").mkdir(exist_ok=True)


def test_the_half_itself_is_refused_though_its_secrets_are_there(half: Path) -> None:
    with pytest.raises(NotReady, match=rf"^{half} is what a restore has made so far "):
        refuse_half_town(half, lives=True)


def test_a_town_that_lives_there_and_any_other_folder_are_not(half: Path, tmp_path: Path) -> None:
    refuse_half_town(tmp_path / "town", lives=True)
    for name in ("other", "restoring", "town.restoring", ".town", ".restoring"):
        refuse_half_town(tmp_path / name, lives=False)


def test_two_restores_never_work_on_one_folder(tmp_path: Path) -> None:
    """The second is refused and leaves the first its folder, which goes with it when nothing came into it."""
    town = tmp_path / "town"
    with alone_beside(town) as fresh:
        for _ in range(2):
            with pytest.raises(NotReady, match=rf"Another restore is at work in {fresh}: "), alone_beside(town):
                raise AssertionError("it went on")
            assert fresh.is_dir()
    assert not fresh.exists()


def test_who_has_given_it_its_name_leaves_the_next_ones_folder_alone(tmp_path: Path) -> None:
    town = tmp_path / "town"
    with ExitStack() as first:
        fresh = first.enter_context(alone_beside(town))
        (fresh / "keys").mkdir()
        fresh.rename(town)
        with alone_beside(town) as another:
            first.close()
            assert another.is_dir()
    assert (town / "keys").is_dir() and not another.exists()


def test_one_that_is_killed_locks_nobody_out_and_leaves_what_it_made(tmp_path: Path) -> None:
    town = tmp_path / "town"
    first = subprocess.Popen([sys.executable, "-c", HOLDS, town], stdout=subprocess.PIPE, cwd=Path(__file__).parents[3])
    try:
        assert first.stdout is not None and first.stdout.readline() == b"held\n"
        (beside(town) / "keys").mkdir()
        with pytest.raises(NotReady), alone_beside(town):
            raise AssertionError("it went on")
    finally:
        first.kill()
        first.communicate()
    with alone_beside(town) as fresh:
        assert (fresh / "keys").is_dir()
    assert (fresh / "keys").is_dir()
