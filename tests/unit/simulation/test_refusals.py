"""Where the demo will not begin."""

from pathlib import Path

import pytest

from services.simulation.run import OtherCampaign, TownLivesHere, folder_of, the_plan
from tests.support.plans import FOLDER, REAL, SECOND


def test_a_folder_with_a_town_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "secrets.json").write_text("{}")
    with pytest.raises(TownLivesHere, match="holds a town already"), folder_of(tmp_path):
        pass


def test_an_empty_folder_is_made_and_kept_and_none_at_all_is_made_and_removed(tmp_path: Path) -> None:
    with folder_of(tmp_path / "new") as given:
        (given / "x").write_text("x")
    assert (tmp_path / "new" / "x").exists()
    with folder_of(None) as made:
        assert made.is_dir()
    assert not made.exists()


def test_only_the_plan_of_the_script_is_taken() -> None:
    assert the_plan(FOLDER / REAL).code == "zhenchengdi-2018"
    with pytest.raises(OtherCampaign, match="belongs to the plan zhenchengdi-2018"):
        the_plan(FOLDER / SECOND)
