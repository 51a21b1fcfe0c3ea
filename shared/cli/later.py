"""A group whose commands are imported when one of them is asked for: whoever wants a command waits for no other's libraries."""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

import click

from shared.cli.importing import importing


class Later(click.Command):
    """Stands for a command in its group's help. `place`: "module:attribute"; `said`: the first sentence of its own help."""

    def __init__(self, name: str, place: str, said: str) -> None:
        super().__init__(name, help=said)
        self._place = place

    def itself(self) -> click.Command:
        """The command, imported now."""
        module, _, attribute = self._place.partition(":")
        with importing():
            found: click.Command = getattr(import_module(module), attribute)
        return found


class LaterGroup(click.Group):
    """`later`: name -> (place, said), as `Later` has them. What runs and what shows its own help is the command itself."""

    def __init__(self, *args: Any, later: Mapping[str, tuple[str, str]], **settings: Any) -> None:
        super().__init__(*args, **settings)
        for name, (place, said) in later.items():
            self.add_command(Later(name, place, said))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        return name, command.itself() if isinstance(command, Later) else command, rest
