"""A town as a command finds it by its files alone, whether it runs or not: a folder, or the .env of one in containers."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from shared.cli.environment import read_environment
from shared.embedded.home import Home
from shared.plan.loader import load_plan
from shared.plan.model import Plan

place_option: Callable[[Any], Any] = click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True),
    required=True,
    help="a town's folder, or the .env of one in containers",
)


@dataclass(frozen=True)
class Place:
    """`keys`: public and private, of what signs tokens; `clients`: the file of other departments' keys, if there is one.

    contained: services run as another user than whoever types commands.
    """

    plan: Plan
    keys: tuple[str, str]
    clients: Path
    contained: bool


def place_of(data: Path) -> Place:
    """Raises ClickException when `data` is neither of the two."""
    if data.is_file():
        kept = read_environment(data)
        try:
            public, private = (kept[f"MINEWATCH_TOKEN_{kind}"].replace("\\n", "\n") for kind in ("PUBLIC", "PRIVATE"))
            town = Path(kept["MINEWATCH_TOWN"])
            plan_file = town / kept["MINEWATCH_PLAN"]
        except KeyError as missing:
            raise click.ClickException(f"{data} lacks {missing}: minewatch environment makes such a file") from missing
        return Place(load_plan(plan_file).plan, (public, private), town / "clients.json", contained=True)
    home = Home(data)
    current = home.plans / "current"
    if not home.known or not current.exists():
        raise click.ClickException(f"{home.folder} is no town's folder: run minewatch up --data {home.folder} first")
    plan = load_plan(home.plans / current.read_text("utf-8").strip()).plan
    keys = home.secrets["token_public"], home.secrets["token_private"]
    return Place(plan, keys, home.clients, contained=False)
