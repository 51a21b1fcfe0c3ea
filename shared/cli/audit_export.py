"""`minewatch audit export` and `audit proof`: what is checked outside the town, with nothing but files."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import click

from shared.audit.covered import covering, numbered
from shared.audit.export import README, export, record_export
from shared.audit.folder import LogFolder
from shared.audit.suggestion import suggested
from shared.checkpoints import newest
from shared.cli.people import acting
from shared.cli.programs import opened
from shared.cli.towns import services_at
from shared.cosigning import load_policy
from shared.errors import NotFound, NotReady
from shared.opening import record_opening
from shared.proving import inclusion_proof
from shared.service import Service
from shared.settings import SERVICES, Settings
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint, proof_file
from shared.transparency.note import Note
from shared.transparency.policy import Policy

EXPORTING = ("auditor", "office_director", "clerk")
"""Posts that may have an export made, or one event taken out."""
KIND = "event"

FOUND = "SELECT l.position, e.stream_id, e.body FROM record.log l JOIN record.event e USING (event_id)"
AT = f"{FOUND} WHERE l.position = $1"
OF = f"{FOUND} WHERE e.event_id = $1"

data_option = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="a town's folder, whether it runs or not; without it MINEWATCH_… variables say where",
)


@click.command("export")
@click.option(
    "--to", "folder", type=click.Path(path_type=Path, file_okay=False), required=True, help="new, or an older export"
)
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True, help="only this one; may be given again"
)
@click.option("--reason", required=True, help="why; it is recorded, sealed for the office")
@click.option("--as", "person", metavar="PERSON", required=True, help=f"who: somebody who is {', '.join(EXPORTING)}")
@click.option(
    "--wait", type=click.FloatRange(0), default=30.0, show_default=True, help="seconds to wait for a checkpoint"
)
@data_option
def export_command(
    folder: Path, services: tuple[str, ...], reason: str, person: str, wait: float, data: Path | None
) -> None:
    """Write the logs as files that anybody can check, or bring an older export up to date.

    That it was made, by whom and why, is an event of each log and the last one that the export has to cover.
    """
    asyncio.run(exported(folder, list(services) or services_at(data), reason, person, wait, data))


async def exported(folder: Path, names: list[str], reason: str, person: str, wait: float, data: Path | None) -> None:
    """What the command does. Raises NotPermitted, OpeningNeedsReason, NotReady, FolderRefused."""
    async with opened(names, data, numbering=True) as found:
        services = list(found.values())
        covers = await asyncio.gather(*(_covered(service, reason, person, wait) for service in services))
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for service, note in zip(services, covers, strict=True):
            done = await export(service.pool, LogFolder(folder / service.name), note)
            click.echo(f"{service.name}: {done.size} events, {done.size - done.before} of them new")
        (folder / "README.txt").write_text(README, "utf-8")
        origins = [Checkpoint.read(note.text).origin for note in covers]
        logs = zip(origins, (service.settings for service in services), strict=True)
        (folder / "policy").write_text(await suggested(logs), "utf-8")


async def _covered(service: Service, reason: str, person: str, wait: float) -> Note:
    """Records the export; the checkpoint to make it at. Raises NotReady when there is none."""
    actor = await acting(service.pool, person, EXPORTING)
    event_id = await record_export(service.app, reason, actor)
    position = await numbered(service.pool, event_id)
    note = await covering(service.pool, position, policy_of(service.settings), wait)
    if note is None:
        raise NotReady(f"{service.name} has no checkpoint, and without one nothing can be proven: no signer runs")
    size = Checkpoint.read(note.text).size
    if size < position:
        click.echo(
            f"{service.name}: the newest checkpoint covers {size} of {position} events, and in {wait:.0f} seconds came no other: "
            "no signer runs, or witnesses are missing. The export ends there, before the event that records it",
            err=True,
        )
    return note


def policy_of(settings: Settings) -> Policy | None:
    """Raises PolicyFileError."""
    return load_policy(settings.policy) if settings.policy is not None else None


@click.command()
@click.argument("event", metavar="EVENT-ID|POSITION")
@click.option("--service", type=click.Choice(SERVICES), help="whose; needed for a position")
@click.option("--entry", type=click.Path(path_type=Path, dir_okay=False), help="write the event's exact bytes here")
@click.option("--reason", help="with --entry: why; it is recorded, sealed for the office")
@click.option(
    "--as", "person", metavar="PERSON", help=f"with --entry: who takes it: somebody who is {', '.join(EXPORTING)}"
)
@data_option
def proof(
    event: str, service: str | None, entry: Path | None, reason: str | None, person: str | None, data: Path | None
) -> None:
    """Print the proof that an event is in its log (C2SP tlog-proof), on the newest checkpoint.

    With --entry the event itself is given out: who takes it and why is asked, and is an event of its log first.
    `minewatch audit verify PROOF --entry FILE --policy FILE` checks it, and so do the tools of others.
    """
    if service is None and event.isdigit():
        raise click.UsageError("A position needs --service: each service counts for itself.")
    taken = Taken(entry, reason, person) if entry is not None and reason is not None and person is not None else None
    if [entry, reason, person].count(None) not in (0, 3):
        raise click.UsageError(
            "--reason and --as say who takes the event and why: give both with --entry, and only then."
        )
    click.echo(asyncio.run(proven(event, [service] if service else services_at(data), taken, data)), nl=False)


@dataclass(frozen=True)
class Taken:
    """Where the event's bytes go, and who takes them and why."""

    entry: Path
    reason: str
    person: str

    async def out(self, service: Service, stream: str, body: bytes) -> None:
        """Recorded before they leave. Raises NotPermitted, OpeningNeedsReason, NotReady."""
        actor = await acting(service.pool, self.person, EXPORTING)
        made = await record_opening(service.app, kind=KIND, about=(stream,), reason=self.reason, actor=actor)
        await numbered(service.pool, made)
        self.entry.write_bytes(body)


async def proven(event: str, names: list[str], taken: Taken | None, data: Path | None) -> str:
    """The proof file's text. Raises NotFound, NotReady, and what Taken.out raises."""
    question, wanted = (AT, int(event)) if event.isdigit() else (OF, _uuid(event))
    async with opened(names, data, numbering=taken is not None) as services:
        for service in services.values():
            async with service.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
                tx = Tx(connection)
                row = await tx.one(question, (wanted,))
                if row is None:
                    continue
                note = await newest(tx, policy=policy_of(service.settings))
                size = Checkpoint.read(note.text).size if note is not None else 0
                if note is None or size < row["position"]:
                    raise NotReady(
                        f"event {row['position']} of {service.name}: checkpoints cover {size} events, not this one yet"
                    )
                path = await inclusion_proof(tx, row["position"], size)
            if taken is not None:
                await taken.out(service, row["stream_id"], row["body"])
            return proof_file(row["position"] - 1, path, note)
    raise NotFound(f"no event {event} in the log of {' or '.join(names)}")


def _uuid(written: str) -> UUID:
    try:
        return UUID(written)
    except ValueError:
        raise click.UsageError(f"{written} is neither an event's id nor a position") from None
