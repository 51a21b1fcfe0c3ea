"""`minewatch signer`: the program that holds the log's key, apart from the databases and whoever looks after them."""

from pathlib import Path

import click

from shared.signer.door import serve as answers
from shared.signer.folder import SignerFolder
from shared.signer.signer import Signer
from shared.witness.folder import FolderRefused

FOLDER = click.option(
    "--folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="the signer's own folder"
)


def _open(folder: Path) -> Signer:
    try:
        return SignerFolder(folder).open()
    except FolderRefused as error:
        raise click.ClickException(str(error)) from error


@click.group()
def signer() -> None:
    """Sign the logs' checkpoints: only what extends what was signed before."""


@signer.command()
@FOLDER
@click.option("--log", "logs", multiple=True, required=True, metavar="JURISDICTION/SERVICE", help="a log to sign for")
@click.option("--once", is_flag=True, help="leave a signer that is there already as it is")
def init(folder: Path, logs: tuple[str, ...], once: bool) -> None:
    """Make a new signer with a key of its own. Its folder is never copied: two that hold one key could sign two histories."""
    if once and SignerFolder(folder).made:
        return
    try:
        SignerFolder(folder).make(logs)
    except FolderRefused as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{folder} made, it signs {', '.join(logs)}")


@signer.command()
@FOLDER
@click.option("--socket", type=click.Path(path_type=Path, dir_okay=False), help="where it is asked; else FOLDER/socket")
def serve(folder: Path, socket: Path | None) -> None:
    """Answer the services that may open its socket (MINEWATCH_SIGNER)."""
    made, where = _open(folder), socket or SignerFolder(folder).socket
    try:
        for _ in answers(made, where):
            click.echo(f"ready {where} {len(made.logs)} logs")
    except (FolderRefused, OSError) as error:
        raise click.ClickException(str(error)) from error


@signer.command()
@FOLDER
def keys(folder: Path) -> None:
    """Print the public key of every lineage that was signed, as a policy file and a witness's FOLDER/logs want it."""
    found = _open(folder).vkeys()
    for key in found:
        click.echo(str(key))
    if not found:
        click.echo("nothing was signed yet; the key has the log's name, which the first checkpoint says", err=True)
