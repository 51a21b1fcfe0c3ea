"""`minewatch up` and `minewatch demo`: a whole town in one process."""

import sys
from pathlib import Path

import click

from shared.cli.entries import program


@click.command()
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), required=True, help="the town's folder")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0: any free one")
@click.option("--plan", "plan_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="plan file")
@click.option("--mail", metavar="URL", help="smtp://[user:password@]host:port?from=address")
def up(data: Path, port: int, plan_file: Path | None, mail: str | None) -> None:
    """Run a whole town from one folder: Postgres, NATS and the four services behind one port."""
    program("together")(data, port, plan_file, mail, lambda text: click.echo(text))


@click.command(context_settings={"ignore_unknown_options": True})
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), help="keep the town in this folder")
@click.option("--seed", type=int, default=2018, show_default=True)
@click.option("--exit", "leave", is_flag=True, help="stop when done, do not go on serving")
@click.option("--summary", type=click.Path(path_type=Path, dir_okay=False), help="write the figures as JSON")
@click.option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True)
@click.option("--plan", "plan_file", type=click.Path(path_type=Path, dir_okay=False, exists=True), help="plan file")
def demo(data: Path | None, seed: int, leave: bool, summary: Path | None, port: int, plan_file: Path | None) -> None:
    """Live through the whole campaign of 2018 in two minutes."""
    sys.exit(program("simulation")(data=data, seed=seed, leave=leave, summary=summary, port=port, plan=plan_file))
