"""What docs/operations.md tells a person to type exists, and the settings it names are read somewhere."""

import re
from pathlib import Path

import click
import pytest
import yaml

from shared.cli.main import commands
from shared.embedded.postgres import SETTINGS as EMBEDDED
from tests.observability.test_rules import OPERATIONS, ROOT

TYPED = sorted(
    set(
        re.findall(
            r"(?<!/)minewatch ((?:[a-z][a-z-]+ ?){1,2})",
            " ".join(re.findall(r"`[^`]+`|```sh\n.*?```", OPERATIONS, re.DOTALL)),
        )
    )
)
SETTINGS = sorted(set(re.findall(r"MINEWATCH_[A-Z]+(?:_[A-Z]+)*", OPERATIONS)))


def known(words: list[str]) -> bool:
    """Whether these words begin a command; what follows a command may be anything."""
    command: click.Command | None = commands
    for word in words:
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        _, command, _ = command.resolve_command(click.Context(command), [word])
    return True


@pytest.mark.parametrize("typed", TYPED)
def test_every_command_that_is_named_exists(typed: str) -> None:
    assert known(typed.split())


def test_what_does_not_exist_would_be_found() -> None:
    assert not known(["parked", "forget"]) and not known(["mend"]) and known(["status", "intake"])


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_that_is_named_is_read(name: str) -> None:
    """By the services (settings.py names them without the prefix), by a command, or by compose."""
    files: list[Path] = [*(ROOT / "shared").rglob("*.py"), ROOT / "docker-compose.yml"]
    bare = name.removeprefix("MINEWATCH_")
    wanted = re.compile(rf'{name}\b|"{bare}"|"{bare.removeprefix("KEEP_")}"')
    assert name == "MINEWATCH_" or any(wanted.search(path.read_text("utf-8")) for path in files)


def test_both_kinds_of_town_run_postgres_as_the_page_says_of_destroyed_keys() -> None:
    """What the command line of the container sets, an embedded one has as well."""
    command = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]["postgres"]["command"]
    set_there = dict(word.split("=") for word in command if "=" in word)
    assert set_there["wal_recycle"] == "off" and "`wal_recycle=off`" in OPERATIONS
    assert set_there.items() <= EMBEDDED.items()


def test_an_upgrade_stops_every_container_that_writes_to_a_database() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    writers = {
        name
        for name, service in services.items()
        if service["restart"] != "no" and any(key.endswith("_APP_DSN") for key in service.get("environment", {}))
    }
    assert {"intake", "custodian"} <= writers
    [stopped] = re.findall(r"^docker compose stop (.*)$", OPERATIONS, re.MULTILINE)
    assert set(stopped.split()) == writers


def test_whatever_is_said_of_the_old_wrapper_can_be_said_of_the_new_one_in_containers() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))["services"]
    told = set(services["backup"]["environment"])
    wrapping = {name for name in told if re.match("MINEWATCH_(MASTER_KEY|KEY_WRAPPER|KMS_)", name)}
    assert len(wrapping) == 7
    assert {name.replace("MINEWATCH_", "MINEWATCH_NEW_") for name in wrapping} <= told
