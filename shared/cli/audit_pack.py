"""`minewatch audit pack`: a record as evidence, with what belongs to it in the other services, in one zip."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import click

from shared.audit.pack import MOST_RECORDS, belonging, orders, section
from shared.audit.packing import laid_out, source_of
from shared.cli.audit_export import data_option
from shared.cli.people import acting
from shared.cli.programs import opened
from shared.cli.towns import services_at
from shared.evidence import ORDERING
from shared.settings import SERVICES


@click.command("pack")
@click.argument("service", type=click.Choice(SERVICES))
@click.argument("streams", metavar="STREAM...", nargs=-1, required=True)
@click.option(
    "--to", "file", type=click.Path(path_type=Path, dir_okay=False), required=True, help="the zip; not there yet"
)
@click.option("--reason", required=True, help="why; it is recorded, sealed for the office")
@click.option("--as", "person", metavar="PERSON", required=True, help=f"who: somebody who is {', '.join(ORDERING)}")
@click.option(
    "--wait", type=click.FloatRange(0), default=30.0, show_default=True, help="seconds to wait for a checkpoint"
)
@data_option
def pack_command(
    service: str, streams: tuple[str, ...], file: Path, reason: str, person: str, wait: float, data: Path | None
) -> None:
    """Take records of SERVICE as evidence: `pack cases hazard-… --to hazard.zip`.

    What a hazard came from (intake) and the messages about it (notify) are in it too, as far as PERSON may have them and the
    services can be reached. It is recorded in each of them before anything is taken.
    """
    if file.exists():
        raise click.ClickException(f"{file} is there already")
    if len(streams) > MOST_RECORDS:
        raise click.UsageError(f"{MOST_RECORDS} records at most.")
    asyncio.run(_pack(service, streams, file, reason, person, wait, data))


async def _pack(
    asked: str, streams: Sequence[str], file: Path, reason: str, person: str, wait: float, data: Path | None
) -> None:
    names = [asked, *(name for name in services_at(data) if name != asked)]
    async with opened(names, data, numbering=True) as services:
        who = await acting(services[asked].pool, person, ORDERING)
        sources = {name: source_of(service) for name, service in services.items()}
        found = await belonging(sources, asked, streams, who)
        order = orders(found, who, reason)
        sections = await asyncio.gather(*(section(sources[name], found[name], order[name], wait) for name in found))
        pack = await laid_out(sections, [services[name] for name in found])
    written = file.with_name(file.name + ".part")
    written.touch(mode=0o600, exist_ok=False)
    with written.open("wb") as out:
        for chunk in pack.chunks():
            out.write(chunk)
    written.rename(file)
    for each in sections:
        click.echo(f"{each.service}: {len(each.streams)} records, {len(each.events)} events, {len(each.files)} files")
