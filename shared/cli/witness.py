"""`minewatch witness`: what a department runs so that nobody, the town's office included, can show it two histories."""

from pathlib import Path

import click

from shared.transparency.note import NoteRefused
from shared.witness.folder import FolderRefused, WitnessFolder
from shared.witness.report import accuses, report
from shared.witness.state import StateMissing

FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="the witness's own folder"
)


@click.group()
def witness() -> None:
    """Sign a log's checkpoints as a witness: only what extends what was signed before."""


@witness.command()
@FOLDER
@click.option("--name", required=True, help="one word, as a rule a domain: police.example")
def init(folder: Path, name: str) -> None:
    """Make a new witness with a key of its own, and say its public key. Its folder is backed up never, and copied never."""
    try:
        key = WitnessFolder(folder).make(name)
    except (FolderRefused, NoteRefused) as error:
        raise click.ClickException(str(error)) from error
    click.echo(str(key))


@witness.command()
@FOLDER
@click.option("--host", default="127.0.0.1", show_default=True)
@click.option("--port", type=click.IntRange(0, 65535), default=8090, show_default=True)
def serve(folder: Path, host: str, port: int) -> None:
    """Answer POST /add-checkpoint (C2SP tlog-witness) for the logs named in FOLDER/logs."""
    from shared.witness import serving  # with a web server, which no other command of a witness has

    try:
        serving.serve(folder, host, port, click.echo)
    except FolderRefused as error:
        raise click.ClickException(str(error)) from error


@witness.command()
@FOLDER
def refused(folder: Path) -> None:
    """Show what a log's key signed and this witness refused. Exit code 1 when two roots for one size show that the log lied."""
    try:
        kept = WitnessFolder(folder).state().kept()
    except StateMissing as error:
        raise click.ClickException(str(error)) from error
    click.echo(report(kept), nl=False)
    raise SystemExit(1 if accuses(kept) else 0)
