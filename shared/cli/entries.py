"""What the command line reaches by entry-point name, because it may not import it: services and what composes them."""

from importlib.metadata import entry_points
from typing import Any

import click

from shared.cli.importing import importing


def program(name: str) -> Any:
    """The entry point `name` of the group minewatch.programs. Raises ClickException when it is not installed."""
    return entry("minewatch.programs", name)


def entry(group: str, name: str) -> Any:
    """What the installation names so, imported now. Raises ClickException when it is not installed."""
    found = entry_points(group=group, name=name)
    if not found:
        raise click.ClickException(f"{name} is not part of this installation")
    with importing():
        return next(iter(found)).load()
