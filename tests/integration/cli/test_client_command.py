"""`minewatch client`: keys of other departments' systems, made once, listed without themselves, taken away at once."""

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from shared.cli.client import client
from shared.cli.environment import environment
from shared.decider import Actor
from shared.embedded.home import Home
from shared.errors import NotSignedIn
from shared.identity.clients import Clients
from tests.support.plans import FOLDER, REAL

POLICE = ("--as", "police_officer@police_station")
DULAN = "140181101207"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A town's folder as `minewatch up` leaves it."""
    made = Home(tmp_path / "town")
    assert made.secrets
    made.plans.mkdir(parents=True)
    shutil.copy(FOLDER / REAL, made.plans)
    (made.plans / "current").write_text(f"{REAL}\n", "utf-8")
    return made


def asked(home: Home, *words: str) -> Result:
    return CliRunner().invoke(client, [*words, "--data", str(home.folder)])


def key_of(home: Home, *words: str) -> str:
    said = asked(home, "add", *words)
    assert said.exit_code == 0, said.output
    return said.stdout.strip()


def test_a_new_key_is_printed_alone_and_lets_its_client_in_as_that_post(home: Home) -> None:
    running = Clients(home.clients)
    key = key_of(home, "police", *POLICE)
    assert running.check(key) == Actor("client:police", "police_officer", "police_station")
    gate = key_of(home, "dulan-gate", "--as", "keeper@dulan", "--village", DULAN)
    assert running.check(gate).village == DULAN
    assert home.clients.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.clients.parent.glob("*clients*")] == ["clients.json"]


def test_the_list_says_who_acts_as_what_and_no_key(home: Home) -> None:
    assert "no client has a key" in asked(home, "list").output
    key, gate = key_of(home, "police", *POLICE), key_of(home, "gate", "--as", "keeper@dulan", "--village", DULAN)
    said = asked(home, "list").output
    first, second = said.splitlines()
    assert first.split()[:2] == ["police", "police_officer@police_station"]
    assert second.split()[:4] == ["gate", "keeper@dulan", "in", DULAN]
    assert key[4:] not in said and gate[4:] not in said


def test_a_name_has_one_key_until_another_is_asked_for_and_the_old_one_is_taken_away(home: Home) -> None:
    old = key_of(home, "police", *POLICE)
    again = asked(home, "add", "police", *POLICE)
    assert again.exit_code == 2 and "--another" in again.output and "mwk_" not in again.output
    new = key_of(home, "police", *POLICE, "--another")
    running = Clients(home.clients)
    assert {running.check(key).person for key in (old, new)} == {"client:police"}
    digits = [line.split()[-1] for line in asked(home, "list").output.splitlines()]
    assert asked(home, "remove", "police", "--key", digits[0]).output == "police: 1 of 2 keys removed\n"
    assert running.check(new).person == "client:police"
    with pytest.raises(NotSignedIn):
        running.check(old)


def test_a_client_that_is_removed_is_shut_out_at_once_and_others_are_not(home: Home) -> None:
    running, keys = Clients(home.clients), [key_of(home, name, *POLICE) for name in ("police", "county")]
    running.check(keys[0])
    assert asked(home, "remove", "police").exit_code == 0
    with pytest.raises(NotSignedIn):
        running.check(keys[0])
    assert running.check(keys[1]).person == "client:county"
    twice = asked(home, "remove", "police")
    assert twice.exit_code == 1 and "no client is called police" in twice.output


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("police", "--as", "police_officer"), "'' is no unit of the plan"),
        (("police", "--as", "mayor@dulan"), "'mayor' is no post of the plan; it knows: auditor"),
        (("police", "--as", "police_officer@bank"), "'bank' is no unit of the plan"),
        (("police", *POLICE, "--village", "1"), "'1' is no village of the plan"),
        (("Police Station", *POLICE), "small letters"),
        (("police", *POLICE, "--another"), "no client is called police"),
    ],
)
def test_what_does_not_fit_is_refused_with_what_would(home: Home, words: tuple[str, ...], told: str) -> None:
    said = asked(home, "add", *words)
    assert said.exit_code == 2 and told in " ".join(said.output.replace("│", "").split())
    assert not home.clients.exists()


def test_a_broken_file_is_named_and_left_alone(home: Home) -> None:
    home.clients.write_text("{", "utf-8")
    for words in (("list",), ("add", "police", *POLICE), ("remove", "police")):
        said = asked(home, *words)
        assert said.exit_code == 1 and "clients.json: the file" in said.output
    assert home.clients.read_text("utf-8") == "{"


def test_a_key_that_more_than_one_begins_with_removes_nothing(home: Home) -> None:
    key_of(home, "police", *POLICE)
    [one] = json.loads(home.clients.read_text("utf-8"))["clients"]
    home.clients.write_text(json.dumps({"clients": [one, one]}), "utf-8")
    said = asked(home, "remove", "police", "--key", one["sha256"][:3])
    assert said.exit_code == 2 and "more digits" in said.output
    assert len(json.loads(home.clients.read_text("utf-8"))["clients"]) == 2


def test_of_a_town_in_containers_the_file_lies_beside_the_plan(tmp_path: Path) -> None:
    town = tmp_path / "town"
    town.mkdir()
    shutil.copy(FOLDER / REAL, town)
    env = tmp_path / ".env"
    made = CliRunner().invoke(environment, ["--plan", str(town / REAL), "--file", str(env)])
    assert made.exit_code == 0, made.output
    said = CliRunner().invoke(client, ["add", "police", *POLICE, "--data", str(env)])
    assert said.exit_code == 0, said.output
    assert Clients(town / "clients.json").check(said.stdout.strip()).person == "client:police"
    assert (town / "clients.json").stat().st_uid == 10001 or "chown 10001" in said.stderr
