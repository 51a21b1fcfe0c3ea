"""`minewatch plan check FILE` says what a plan means, or every mistake in it; `minewatch plan adopt FILE` puts it in force."""

import asyncio
import sys
from pathlib import Path

import click

from shared.cli.entries import program
from shared.plan.explain import explain
from shared.plan.loader import PlanFileError, load_plan


@click.group()
def plan() -> None:
    """Plan files."""


@plan.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def check(file: Path) -> None:
    """Explain FILE, or list its mistakes with line and remedy."""
    try:
        click.echo(explain(load_plan(file)), nl=False)
    except PlanFileError as error:
        click.echo(str(error), err=True)
        sys.exit(1)


@plan.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
def adopt(file: Path) -> None:
    """Put FILE in force and its people into their posts, by the settings of the service cases.

    Every service needs the same file in its MINEWATCH_PLANS folder. Again, it changes nothing.
    """
    try:
        loaded = load_plan(file)
    except PlanFileError as error:
        click.echo(str(error), err=True)
        sys.exit(1)

    from shared.cli.programs import service  # only here is one needed

    async def record() -> None:
        cases = service("cases")
        await cases.open()
        try:
            await program("adopt")(cases.app, loaded)
        finally:
            await cases.close()

    asyncio.run(record())
    click.echo(f"{loaded.version} is in force, sha256 {loaded.sha256}")
