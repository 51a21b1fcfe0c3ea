"""Where a town may start: not in what a restore has made so far, nor in the folder that waits for it."""

from pathlib import Path

import pytest

from shared.errors import NotReady
from shared.half_restored import beside, refuse_half_town


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
