"""`minewatch audit verify` and `audit verifier`: the stand-alone verifier, here and as a file to hand on."""

import asyncio
import hashlib
from pathlib import Path

import click

from shared.settings import SERVICES
from shared.verifier import archive
from shared.verifier.program import Question, run
from shared.verifier.report import UNREADABLE
from shared.verifier.trust import Unusable

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)


@click.command()
@click.argument("path", type=click.Path(path_type=Path), required=False)
@click.option(
    "--policy", type=FILE, required=True,
    help="whose signatures count for you; your own, never the one in PATH, and not one that the town's own witnesses (named "
    "TOWN/…) meet alone: that is refused. `quorum none` is taken, and said to prove nothing against the operator",
)  # fmt: skip
@click.option("--entry", type=FILE, help="the event that a single proof is about")
@click.option(
    "--receipt", "receipts", type=FILE, multiple=True, help="a signed receipt whose event has to be in the log"
)
@click.option(
    "--receipt-key",
    "receipt_keys",
    metavar="VKEY",
    multiple=True,
    help="of a receipt, or of a pack's pages, unless a log line of the policy has it",
)
@click.option(
    "--known", type=FILE, multiple=True, help="a checkpoint that you kept, which export or town have to continue"
)
@click.option("--json", "as_json", is_flag=True, help="the result for machines")
@click.option("--processes", type=click.IntRange(0), default=0, help="by default as many as there are cores")
@click.option("--scratch", type=click.Path(path_type=Path, file_okay=False, exists=True), help="for temporary files")
@click.option("--live", is_flag=True, help="instead of PATH: the databases, streams and read models of a town")
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False, exists=True), help="with --live: the town's folder"
)
@click.option(
    "--service", "services", type=click.Choice(SERVICES), multiple=True,
    help="only this one of an export or a town; may be given again. Without it an export has to have all that the policy names",
)  # fmt: skip
def verify(
    path: Path | None,
    policy: Path,
    entry: Path | None,
    receipts: tuple[Path, ...],
    receipt_keys: tuple[str, ...],
    known: tuple[Path, ...],
    as_json: bool,
    processes: int,
    scratch: Path | None,
    live: bool,
    data: Path | None,
    services: tuple[str, ...],
) -> None:
    """Verify an export folder (or one service's in it), an evidence pack, a .tlog-proof with its entry, or a living town.

    An option that PATH or --live has no use for is refused. Exit code 0: all proven; 1: a doubt, and its first place is named;
    2: it cannot be read, or was asked wrongly.
    """
    if live == (path is not None):
        raise click.UsageError("Give a PATH, or --live.")
    if path is not None:
        if data is not None:
            raise click.UsageError("--data goes with --live.")
        asked = Question(path, policy, entry, receipts, receipt_keys, known, services, as_json, processes, scratch)
        raise SystemExit(run(asked))
    given = {
        "--entry": entry, "--receipt": receipts, "--receipt-key": receipt_keys, "--json": as_json, "--processes": processes,
        "--scratch": scratch,
    }  # fmt: skip
    if unused := ", ".join(name for name, value in given.items() if value):
        raise click.UsageError(f"{unused} cannot be used with --live: for that, verify an export of the town.")
    raise SystemExit(_live(policy, known, services, data))


def _live(policy: Path, known: tuple[Path, ...], services: tuple[str, ...], data: Path | None) -> int:
    from shared.cli.audit_live import verify_town  # a living town takes its services; files take none

    try:
        return asyncio.run(verify_town(policy, known, services, data))
    except Unusable as error:
        click.echo(f"{error.chinese}\n{error.english}", err=True)
    except Exception as error:  # a verifier that stumbles has verified nothing
        click.echo(f"the verification did not get to its end: {type(error).__name__}: {error}", err=True)
    return UNREADABLE


@click.command()
@click.option("--to", type=click.Path(path_type=Path), required=True, help=f"a file, or a folder for {archive.NAME}")
def verifier(to: Path) -> None:
    """Write the verifier as one file that needs nothing but Python and cryptography: python FILE PATH --policy FILE."""
    path = to / archive.NAME if to.is_dir() else to
    content = archive.build()
    try:
        path.write_bytes(content)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}") from error
    click.echo(f"{path} sha256 {hashlib.sha256(content).hexdigest()}")
