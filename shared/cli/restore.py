"""`minewatch restore`: a town out of a backup; or, where a database was put back by hand, the word that it was."""

import asyncio
from pathlib import Path

import click

from shared.cli.backup import FILE, FOLDER
from shared.cli.restoring import Asked, into_environment, into_folder
from shared.cli.stopped import stopped_town
from shared.cli.towns import owner_dsn
from shared.lineage import NewLineage, begin_new_lineage
from shared.parts import Points, no_points
from shared.settings import SERVICES


@click.command()
@click.pass_context
@click.argument("services", metavar="[SERVICE...]", type=click.Choice((*SERVICES, "keys")), nargs=-1)
@click.option("--from", "folder", type=click.Path(path_type=Path, file_okay=False, exists=True), help="a backup")
@click.option(
    "--data", type=FOLDER, help="with --from: a new folder for the town; with --new-lineage: that of a town that stands"
)
@click.option(
    "--secrets", type=FOLDER, help="with --data: the copy of the town's folder keys/, in which secrets.json lies"
)
@click.option(
    "--keys", type=FILE, help="the key store's copy, where it does not lie in the backup; the newest there is"
)
@click.option("--without-keys", is_flag=True, help="go on without it: nothing that is sealed opens ever again")
@click.option("--policy", type=FILE, help="whose signatures make a checkpoint count: your own copy")
@click.option(
    "--checkpoint", "checkpoints", type=FILE, multiple=True, help="the newest witnessed one of a log, from elsewhere"
)
@click.option(
    "--unproven", is_flag=True, help="go on although no checkpoint proves the backup: it may be anybody's work"
)
@click.option(
    "--also",
    multiple=True,
    metavar="PLACE",
    help="what else stands: a newer backup, an export, a lost town's folder with its nats/, nats://user:password@host",
)
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="write what is missing here, fact by fact"
)
@click.option("--new-lineage", is_flag=True, help="say that the database of SERVICE was put back by hand")
def restore(
    context: click.Context,
    services: tuple[str, ...],
    folder: Path | None,
    data: Path | None,
    secrets: Path | None,
    keys: Path | None,
    without_keys: bool,
    policy: Path | None,
    checkpoints: tuple[Path, ...],
    unproven: bool,
    also: tuple[str, ...],
    report: Path | None,
    new_lineage: bool,
) -> None:
    """Restore a town from a backup into an empty place: proven first, erasures done again, every log in a new lineage.

    With --data it makes a new embedded town. Without it the databases named by MINEWATCH_SERVER_DSN are filled, their passwords
    being in the file MINEWATCH_PASSWORDS, as for migrate; with SERVICE only those, the others living on.
    """
    if new_lineage == (folder is not None):
        raise click.UsageError(
            "give --from DIR, a backup; or --new-lineage, to say that a database was put back by hand"
        )
    if folder is None:
        return _by_hand(services, data)
    if keys is not None and without_keys:
        raise click.UsageError("--without-keys leaves out what --keys gives")
    points: Points = context.obj or no_points
    asked = Asked(folder, services, keys, without_keys, policy, checkpoints, also, report, unproven, points)
    asyncio.run(into_environment(asked) if data is None else into_folder(asked, data, secrets))


def _by_hand(services: tuple[str, ...], data: Path | None) -> None:
    if not services or "keys" in services:
        raise click.UsageError("--new-lineage needs each SERVICE whose database was put back; keys have no lineage")
    if data is None and len(services) > 1:
        raise click.UsageError("MINEWATCH_OWNER_DSN names one database: one service at a time.")
    for service, begun in zip(services, asyncio.run(_begin(services, data)), strict=True):
        click.echo(
            f"{service} goes on from position {begun.shared} as lineage {begun.lineage} (before: {begun.parent})"
        )


async def _begin(names: tuple[str, ...], data: Path | None) -> list[NewLineage]:
    if data is None:
        return [await begin_new_lineage(owner_dsn(name, None)) for name in names]
    async with stopped_town(data) as dsn_for:
        return [await begin_new_lineage(dsn_for(name)) for name in names]
