"""What the command line reaches by entry-point name, because it may not import it: services and what composes them."""

from importlib.metadata import entry_points
from typing import Any

import click

from shared.clock import SystemClock
from shared.service import Service
from shared.settings import Settings


def program(name: str) -> Any:
    """The entry point `name` of the group minewatch.programs. Raises ClickException when it is not installed."""
    return _entry("minewatch.programs", name)


def service(name: str, parts: frozenset[str] = frozenset()) -> Service:
    """The service `name` by environment settings, not opened; `parts` are those it would start. Raises SettingMissing."""
    card = _entry("minewatch.services", name)()
    return Service(card, Settings.from_environment(name), SystemClock(), parts)


def _entry(group: str, name: str) -> Any:
    found = entry_points(group=group, name=name)
    if not found:
        raise click.ClickException(f"{name} is not part of this installation")
    return next(iter(found)).load()
