"""`minewatch backup`: takes one of a running town, and looks whether one is what was taken."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

import asyncpg
import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

from shared.backup.manifest import MANIFEST, Doubt, Manifest, file_of
from shared.backup.restore import prove
from shared.backup.signed import Standing, lines, waited
from shared.backup.take import Dsn, KeyCopy, take
from shared.backup.verify import verify
from shared.cli.policies import policy_in, say_what_it_cannot_prove
from shared.cli.stopped import databases_of
from shared.cosigning import PolicyFileError, load_policy
from shared.database import dsn_of
from shared.embedded.home import Home
from shared.errors import NotReady
from shared.plan.loader import load_plan
from shared.replay import Progress
from shared.settings import SettingMissing
from shared.transparency.policy import Policy

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
FOLDER = click.Path(path_type=Path, file_okay=False)
KEEP = "keep a copy where nobody else can read it"
NEVER = "never copied; with a lost one a new key begins"
OF_FOLDER = {
    "keys": f"the master key, every password, the key that signs tokens: {KEEP}",
    "signer": f"the key and the memory of the signer: {NEVER}",
    "witness": f"the key and the memory of the town's own witness: {NEVER}",
}
OF_CONTAINERS = (
    f".env, or wherever the MINEWATCH_ settings stand: the master key, every password, the key that signs tokens: {KEEP}",
    f"clients.json and the webhooks file: {KEEP}",
    f"the signer's folder: {NEVER}",
)


class HalfRewrapped(NotReady):
    """更换主密钥尚未完成，此时的密钥备份无法恢复。请先运行完再备份。
    The change of the master key has not come to its end, and no copy of the keys could be restored. Finish it first."""


@dataclass(frozen=True)
class Found:
    """What is backed up: a town's databases and the folders beside them."""

    dsn: Dsn
    jurisdiction: str
    plans: Path | None
    policy: Path | None
    elsewhere: tuple[str, ...]


@click.group(invoke_without_command=True)
@click.option("--to", type=FOLDER, help="a new folder for the backup")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="the folder of a town, running or not; without it MINEWATCH_SERVER_DSN names the server",
)
@click.option(
    "--without-keys", is_flag=True, help="leave the key store out: nothing sealed opens again from this backup alone"
)
@click.option(
    "--keys-to", type=click.Path(path_type=Path, dir_okay=False), help="put the key store's copy into this file"
)
@click.option(
    "--wait",
    type=click.FloatRange(0),
    default=30.0,
    show_default=True,
    help="seconds to wait until what the logs hold is signed; not for a service that does not run",
)
@click.pass_context
def backup(
    context: click.Context, to: Path | None, data: Path | None, without_keys: bool, keys_to: Path | None, wait: float
) -> None:
    """Take a backup of a town while it runs: every service at one moment, read back and proven before it counts.

    Keys of sealed texts lie in a file of their own. Secrets are never in a backup.
    """
    if context.invoked_subcommand is not None:
        return
    if to is None:
        raise click.UsageError("give the backup a new folder: --to DIR")
    if without_keys and keys_to is not None:
        raise click.UsageError("--without-keys leaves out what --keys-to would write")
    asyncio.run(_take(to, data, KeyCopy(without_keys, keys_to), wait))


async def _take(to: Path, data: Path | None, keys: KeyCopy, wait: float) -> None:
    late: list[Standing] = []
    async with _found(data) as town:
        policy = _signed_by(town.policy)

        async def ready(connections: Mapping[str, asyncpg.Connection]) -> None:
            late.extend(await waited(connections, policy, wait, lambda logs: _say_waiting(logs, wait)))

        with bars("takes") as progress, bars("reads back") as again:

            def check(manifest: Manifest) -> None:
                verify(to, manifest, progress=again)

            manifest, sha256 = await take(
                to,
                town.dsn,
                town.jurisdiction,
                plans=town.plans,
                policy=town.policy,
                keys=keys,
                elsewhere=town.elsewhere,
                progress=progress,
                check=check,
                ready=ready,
            )
    _say(to, manifest)
    for line in lines(late, manifest.made):
        click.echo(line)
    click.echo(f"sha256 of the manifest: {sha256}")
    if keys.to is not None:
        click.echo(f"the keys are in {keys.to}: restore with --keys")
    click.echo("not in the backup:")
    for each in manifest.elsewhere:
        click.echo(f"  {each}")


def _signed_by(file: Path | None) -> Policy | None:
    """The town's own policy, as its services read it. One that they cannot read stops no backup."""
    if file is None or not file.exists():
        return None
    try:
        return load_policy(file)
    except PolicyFileError as error:
        click.echo(f"· 注意 见证规则无法读取：{error}\n  note the policy cannot be read: {error}", err=True)
        return None


def _say_waiting(logs: Sequence[Standing], seconds: float) -> None:
    named = ", ".join(f"{log.service} ({log.unsigned})" for log in logs)
    click.echo(f"等待签名，至多 {seconds:.0f} 秒 / waits for signatures, {seconds:.0f} s at most: {named}", err=True)


@backup.command("verify")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False, exists=True))
@click.option("--policy", "policy_file", type=FILE, help="whose signatures make a checkpoint count: your own copy")
@click.option(
    "--checkpoint", "checkpoints", type=FILE, multiple=True, help="the newest witnessed one of a log, from elsewhere"
)
@click.option("--keys", type=FILE, help="the key store's copy, where it lies elsewhere")
def verify_command(folder: Path, policy_file: Path | None, checkpoints: tuple[Path, ...], keys: Path | None) -> None:
    """Look whether the backup in FOLDER is what was taken, and say what of it nobody signed.

    Leaves with 1 at the first doubt, and where more is unsigned than what a log always has for a moment.
    """
    policy = policy_in(policy_file) if policy_file is not None else None
    try:
        with bars("verifies") as progress:
            found = asyncio.run(prove(folder, keys=keys, policy=policy, checkpoints=checkpoints, progress=progress))
        rows = sum(1 for _ in found.keys.each()) if found.keys is not None else None
    except Doubt as doubt:
        click.echo(f"minewatch: {doubt}", err=True)
        sys.exit(1)
    _say(folder, found.manifest)
    click.echo(f"sha256 of the manifest: {file_of(folder / MANIFEST).sha256}")
    click.echo(f"keys: {rows} fit" if rows is not None else "keys: not here; give --keys to look at them")
    if policy is None:
        click.echo("compared with no witness: give --policy")
        return
    for lack in found.lacks:
        for line in lack.lines():
            click.echo(line)
    say_what_it_cannot_prove(policy)
    if unproven := [lack.service for lack in found.lacks if not lack.sound]:
        click.echo(f"minewatch: not proven, see UNPROVEN above: {', '.join(unproven)}", err=True)
        sys.exit(1)


def _say(folder: Path, manifest: Manifest) -> None:
    click.echo(
        f"{folder}: {manifest.jurisdiction} at {manifest.made:%Y-%m-%d %H:%M:%S} UTC, by minewatch {manifest.minewatch}"
    )
    for service, part in manifest.services.items():
        waiting = f", {part.waiting} without a number" if part.waiting else ""
        click.echo(f"{service}: {part.position} events{waiting}, root {part.root}")
    if manifest.keys is None:
        click.echo("keys: left out; what is sealed does not open from this backup")


@asynccontextmanager
async def _found(data: Path | None) -> AsyncIterator[Found]:
    """Raises SettingMissing, ClickException."""
    if data is None:
        server, jurisdiction = needed("MINEWATCH_SERVER_DSN"), needed("MINEWATCH_JURISDICTION")
        plans, policy = os.environ.get("MINEWATCH_PLANS"), os.environ.get("MINEWATCH_POLICY")
        yield Found(
            lambda name: dsn_of(server, name, *_user(server)),
            jurisdiction,
            Path(plans) if plans else None,
            Path(policy) if policy else None,
            OF_CONTAINERS,
        )
        return
    home = Home(data.resolve())
    if home.known and home.changes_master_key:
        raise HalfRewrapped(f"minewatch keys rewrap --data {home.folder}")
    async with databases_of(data) as dsn:
        plan = load_plan(home.plans / (home.plans / "current").read_text("utf-8").strip()).plan
        secret = tuple(
            f"{home.folder / name}: {what}" for name, what in OF_FOLDER.items() if (home.folder / name).exists()
        )
        yield Found(dsn, plan.jurisdiction, home.plans, home.folder / "policy", secret)


def _user(server: str) -> tuple[str, str]:
    at = urlsplit(server)
    return unquote(at.username or ""), unquote(at.password or "")


def needed(name: str) -> str:
    """Raises SettingMissing."""
    value = os.environ.get(name)
    if not value:
        raise SettingMissing(f"set {name}, or give --data DIR")
    return value


@contextmanager
def bars(what: str) -> Iterator[Progress]:
    """One bar for each service; nothing where nobody looks."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Bars(*columns, transient=True, disable=not sys.stderr.isatty() and not sys.stdout.isatty()) as shown:
        known = {}

        def progress(name: str, at: int, end: int) -> None:
            if name not in known:
                known[name] = shown.add_task(f"{what} {name}", total=end)
            shown.update(known[name], completed=at, total=end)

        yield progress
