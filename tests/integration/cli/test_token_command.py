"""`minewatch token`: for whoever the town's plan appoints, and for nobody else."""

import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.cli.environment import environment, read_environment
from shared.cli.token import token
from shared.decider import Actor
from shared.embedded.home import Home
from shared.identity.tokens import Tokens
from tests.support.plans import FOLDER, REAL


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A town's folder as `minewatch up` leaves it."""
    made = Home(tmp_path_factory.mktemp("town"))
    assert made.secrets
    made.plans.mkdir(parents=True)
    shutil.copy(FOLDER / REAL, made.plans)
    (made.plans / "current").write_text(f"{REAL}\n", "utf-8")
    return made


def asked(home: Home, *options: str) -> Result:
    return CliRunner().invoke(token, ["--data", str(home.folder), *options])


def actor(home: Home, *options: str) -> Actor:
    result = asked(home, *options)
    assert result.exit_code == 0, result.output
    return Tokens(home.secrets["token_public"]).read(result.output.strip())


def test_the_holder_of_a_post_in_a_unit_with_the_village(home: Home) -> None:
    head = actor(home, "--as", "village_head@dulan")
    assert head == Actor("p-village_head-dulan", "village_head", "dulan", village="140181101207")


def test_the_first_of_several_unless_a_person_is_named(home: Home) -> None:
    assert actor(home, "--as", "clerk").person == "p-clerk-1"
    assert actor(home, "--as", "clerk", "--person", "p-clerk-2").person == "p-clerk-2"


def test_who_holds_two_posts_chooses_one(home: Home) -> None:
    assert actor(home, "--as", "office_director").in_role == "office_director@campaign_office"
    assert actor(home, "--as", "deputy_leader", "--person", "p-director").in_role == "deputy_leader@leading_group"


def test_on_whose_behalf_and_on_what_ground(home: Home) -> None:
    clerk = actor(home, "--as", "clerk", "--for", "p-village_head-dulan", "--ground", "absent")
    assert (clerk.on_behalf_of, clerk.ground) == ("p-village_head-dulan", "absent")
    assert actor(home, "--as", "clerk", "--ground", "absent").ground is None


@pytest.mark.parametrize("options", [["--as", "mayor"], ["--as", "clerk@dulan"], ["--as", "clerk", "--person", "p-x"]])
def test_a_post_that_nobody_holds_is_refused_with_those_there_are(home: Home, options: list[str]) -> None:
    result = asked(home, *options)
    assert result.exit_code == 1
    assert "nobody holds" in result.output
    assert "village_head@dulan" in result.output


@pytest.mark.parametrize("options", [["--for", "甲某"], ["--for", "p-clerk-2", "--ground", "his phone is broken"]])
def test_names_and_free_text_are_refused(home: Home, options: list[str]) -> None:
    result = asked(home, "--as", "clerk", *options)
    assert result.exit_code == 1
    assert "grounds by code" in result.output


def test_a_folder_without_a_town_says_what_to_do(tmp_path: Path) -> None:
    result = asked(Home(tmp_path), "--as", "clerk")
    assert result.exit_code == 1
    assert "minewatch up" in result.output
    assert not list(tmp_path.iterdir()), "asking makes no town"


def test_the_env_of_a_town_in_containers_will_do(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert CliRunner().invoke(environment, ["--plan", str(FOLDER / REAL), "--file", str(file)]).exit_code == 0
    result = CliRunner().invoke(token, ["--data", str(file), "--as", "clerk"])
    assert result.exit_code == 0, result.output
    public = read_environment(file)["MINEWATCH_TOKEN_PUBLIC"].replace("\\n", "\n")
    assert Tokens(public).read(result.output.strip()).person == "p-clerk-1"


def test_another_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes").write_text("a=b\n")
    result = CliRunner().invoke(token, ["--data", str(tmp_path / "notes"), "--as", "clerk"])
    assert result.exit_code == 1 and "lacks" in result.output
