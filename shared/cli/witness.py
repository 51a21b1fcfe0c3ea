"""`minewatch witness`: what a department runs so that nobody, the town's office included, can show it two histories."""

import datetime
from pathlib import Path

import click

from shared.transparency.note import NoteRefused
from shared.witness.folder import FolderRefused, WitnessFolder
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
    """Show what a log signed although it contradicts what it signed before. Exit code 1 when there is anything."""
    try:
        found = WitnessFolder(folder).state().refusals()
    except StateMissing as error:
        raise click.ClickException(str(error)) from error
    for at, origin, why, request in found:
        when = datetime.datetime.fromtimestamp(at, datetime.UTC).isoformat()
        click.echo(f"{when} {origin}: {why}\n{request.decode('utf-8', 'replace')}")
    if not found:
        click.echo("nothing was refused")
    raise SystemExit(1 if found else 0)
