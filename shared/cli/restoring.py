"""The two ways of `minewatch restore`: a new embedded town in a folder, and the databases of a server. Both begin again wherever
they were killed (shared/half_restored.py).
"""

import contextlib
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import click

from shared.backup.load import keys_left, refuse_filled
from shared.backup.manifest import PLANS, POLICY, BackupRefused, Doubt, Manifest, sync_folder
from shared.backup.restore import Proven, Restored, prove, put_back
from shared.cli.backup import bars, needed
from shared.cli.policies import policy_in, say_what_it_cannot_prove
from shared.cli.programs import service as service_of
from shared.cli.stopped import jetstream_of
from shared.database import dsn_of, prepare_server
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.half_restored import alone_beside, alone_on, mark, unmark
from shared.identity.wrapping import KeyWrapper, wrapper_of
from shared.parts import Points, no_points
from shared.settings import SERVICES, KeyService, SettingMissing, Settings

LISTED = 50
"""Missing facts shown one by one; --report has them all."""


@dataclass(frozen=True)
class Asked:
    """The options of a restore from a backup."""

    folder: Path
    services: tuple[str, ...]
    keys: Path | None
    without_keys: bool
    policy: Path | None
    checkpoints: tuple[Path, ...]
    also: tuple[str, ...]
    report: Path | None
    unproven: bool = False
    points: Points = no_points


async def _proven(asked: Asked, services: Sequence[str], live: dict[str, str]) -> Proven:
    """Says what is missing, before anything is written. Raises BackupRefused, for what nothing proves too; leaves with 1 at a
    doubt."""
    policy = policy_in(asked.policy) if asked.policy is not None else None
    try:
        async with _standing(asked.also) as also:
            with bars("verifies") as progress:
                proven = await prove(
                    asked.folder,
                    services=services,
                    keys=asked.keys,
                    policy=policy,
                    checkpoints=asked.checkpoints,
                    also=also,
                    live=live,
                    progress=progress,
                )
    except Doubt as doubt:
        click.echo(f"minewatch: {doubt}", err=True)
        click.echo("nothing was restored", err=True)
        sys.exit(1)
    for each in proven.looked:
        click.echo(f"looked through {each}")
    for lack in proven.lacks:
        for line in lack.lines(LISTED):
            click.echo(line)
    if asked.report is not None:
        asked.report.write_text("".join(f"{line}\n" for lack in proven.lacks for line in lack.lines()), "utf-8")
    say_what_it_cannot_prove(policy)
    if not asked.unproven:
        _refuse_unproven(proven)
    return proven


def _refuse_unproven(proven: Proven) -> None:
    """Raises BackupRefused."""
    if unproven := [lack.service for lack in proven.lacks if not lack.shown]:
        raise BackupRefused(
            f"nothing shows that what is in the backup was recorded by {', '.join(unproven)}: anybody may have made it up. "
            "Give --policy whose signatures count, and --checkpoint from elsewhere; or --unproven to go on all the same"
        )
    if unproven := [lack.service for lack in proven.lacks if not lack.sound]:
        raise BackupRefused(
            f"what was signed of {', '.join(unproven)} ends long before the backup: anybody may have made up the rest, which is "
            "named above. Give a newer --checkpoint and, with --also, the events up to it; or --unproven to go on all the same"
        )


@asynccontextmanager
async def _standing(places: Sequence[str]) -> AsyncIterator[list[str]]:
    """The places, with the address of its JetStream for a town's folder."""
    async with contextlib.AsyncExitStack() as stack:
        towns = {each: Path(each) for each in places if (Path(each) / "nats").is_dir()}
        found = {each: await stack.enter_async_context(jetstream_of(folder)) for each, folder in towns.items()}
        yield [found.get(each, each) for each in places]


def _keys_are_there(asked: Asked, proven: Proven) -> None:
    if proven.keys is None and not asked.without_keys:
        raise BackupRefused(
            "the backup holds no keys: give --keys FILE, or --without-keys to go on although nothing sealed will open"
        )


def _say(proven: Proven, restored: Restored) -> None:
    for erasure in proven.erasures.told():
        click.echo(f"erased and stays erased: {erasure.subject} (recorded {erasure.recorded_at}, in {erasure.where})")
    click.echo(
        f"keys: {restored.keys} put back, {restored.erased_again} of them without what opens, because they were erased"
    )
    for name, born in restored.lineages.items():
        click.echo(f"{name} goes on from position {born.shared} as lineage {born.lineage} (before: {born.parent})")


async def _rebuilt(settings: Sequence[Settings]) -> None:
    with bars("builds read models of") as progress:
        for each in settings:
            service = service_of(each.service, settings=each)

            def moved(source: str, at: int, end: int, name: str = each.service) -> None:
                progress(f"{name} from {source}", at, end)

            await service.open()
            try:
                await service.rebuild(moved)
            finally:
                await service.close()


# ----------------------------------------------------------------------------------------------------- an embedded town


async def into_folder(asked: Asked, data: Path, secrets: Path | None) -> None:
    """Beside it first; it gets its name when everything is in place, so that a killed restore is never taken for a town, and
    begins again."""
    data = data.resolve()
    if asked.services:
        raise click.UsageError("an embedded town is restored whole: leave SERVICE out")
    with alone_beside(data) as fresh:
        if data.exists() and any(data.iterdir()):
            raise BackupRefused(
                f"{data} is not empty, and a restore never writes over a town: give another folder, or move it away"
            )
        proven, restored = await _made(asked, fresh, _secrets(secrets))
        if data.exists():
            data.rmdir()
        await asked.points("restore: folder gone")
        fresh.rename(data)
        sync_folder(data.parent)
    await asked.points("restore: in place")
    _say(proven, restored)
    plan = "" if (data / "plans" / "current").exists() else f" --plan {data}/plans/FILE"
    click.echo(f"the logs are signed under new names; then: minewatch up --data {data}{plan}")


async def _made(asked: Asked, fresh: Path, kept: Path) -> tuple[Proven, Restored]:
    """The whole town, in `fresh`."""
    proven = await _proven(asked, SERVICES, {})
    _keys_are_there(asked, proven)
    await _cleared(fresh)
    home = Home(fresh)
    shutil.copytree(kept, fresh / "keys")
    (fresh / "keys").chmod(0o700)
    _texts(asked.folder, proven.manifest, fresh)
    await asked.points("restore: secrets copied")
    async with _servers(fresh) as (postgres, nats):
        passwords = home.secrets["passwords"]
        await prepare_server(postgres.superuser_dsn, passwords)

        def dsn(name: str) -> str:
            return dsn_of(postgres.superuser_dsn, name, f"{name}_owner", passwords[f"{name}_owner"])

        with bars("puts back") as progress:
            async with _wrapping(home.secrets["master_key"]) as wrapper:
                restored = await put_back(proven, dsn, wrapper=wrapper, progress=progress, points=asked.points)
        jurisdiction = proven.manifest.jurisdiction
        await _rebuilt([home.settings(name, jurisdiction, postgres.superuser_dsn, nats.url) for name in SERVICES])
    await asked.points("restore: read models built")
    return proven, restored


def _secrets(folder: Path | None) -> Path:
    """Raises BackupRefused."""
    if folder is None or not (folder / "secrets.json").exists():
        raise BackupRefused(
            "no backup holds the town's secrets: give --secrets DIR, the copy of its folder keys/ with secrets.json in it"
        )
    return folder


def _texts(backup: Path, manifest: Manifest, fresh: Path) -> None:
    """Plans and policy, as far as the backup vouches for them: whatever else lies in its folder is left there."""
    for name in manifest.files:
        if name == POLICY or name.startswith(f"{PLANS}/"):
            (fresh / name).parent.mkdir(exist_ok=True)
            shutil.copyfile(backup / name, fresh / name)


async def _cleared(fresh: Path) -> None:
    """What a restore that was killed left behind, servers included; the folder itself stays, for it is held."""
    if left := list(fresh.iterdir()):
        await EmbeddedNats(fresh / "nats", fresh / "run").stop()
        await EmbeddedPostgres(fresh / "postgres", fresh / "run").stop()
    for each in left:
        shutil.rmtree(each) if each.is_dir() else each.unlink()


@asynccontextmanager
async def _servers(fresh: Path) -> AsyncIterator[tuple[EmbeddedPostgres, EmbeddedNats]]:
    postgres, nats = EmbeddedPostgres(fresh / "postgres", fresh / "run"), EmbeddedNats(fresh / "nats", fresh / "run")
    try:
        await postgres.start()
        await nats.start()
        yield postgres, nats
    finally:
        await nats.stop()
        await postgres.stop()


# --------------------------------------------------------------------------------------------------- a server's databases


async def into_environment(asked: Asked) -> None:
    server, file = needed("MINEWATCH_SERVER_DSN"), Path(needed("MINEWATCH_PASSWORDS"))
    try:
        passwords: Mapping[str, str] = json.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingMissing(f"MINEWATCH_PASSWORDS: {file} cannot be read: {error}") from None
    async with alone_on(server) as alone:
        await _onto(asked, server, passwords, alone)


async def _onto(asked: Asked, server: str, passwords: Mapping[str, str], alone: asyncpg.Connection) -> None:
    services = [name for name in SERVICES if not asked.services or name in asked.services]
    with_keys = not asked.services or "keys" in asked.services

    def dsn(name: str) -> str:
        return dsn_of(server, name, f"{name}_owner", passwords[f"{name}_owner"])

    await prepare_server(server, passwords)
    filled = (*services, *(("keys",) if with_keys else ()))
    for name in filled:
        await refuse_filled(name, dsn(name))
    lives_on = [name for name in (*SERVICES, "keys") if asked.services and name not in asked.services]
    # What a restore that was broken off had erased again stays erased, whatever this one is told to look through.
    left = ["keys"] if with_keys and await keys_left(dsn("keys")) else []
    proven = await _proven(asked, services, {name: dsn(name) for name in (*lives_on, *left)})
    if with_keys:
        _keys_are_there(asked, proven)
    await mark(alone, filled, str(asked.folder))
    await asked.points("restore: marked")
    with bars("puts back") as progress:
        async with _wrapping(os.environ.get("MINEWATCH_MASTER_KEY") or "") as wrapper:
            restored = await put_back(
                proven,
                dsn,
                services=services,
                with_keys=with_keys,
                wrapper=wrapper,
                progress=progress,
                points=asked.points,
            )
    await asked.points("restore: all put back")
    await unmark(alone, filled)
    await asked.points("restore: unmarked")
    _say(proven, restored)
    here = [name for name in services if os.environ.get(f"MINEWATCH_{name.upper()}_APP_DSN")]
    await _rebuilt([Settings.from_environment(name) for name in here])
    for name in services:
        if name not in here:
            click.echo(f"before {name} starts: minewatch rebuild {name}")
    if lives_on:
        click.echo(
            "a service that lives on and had received more says so: minewatch status, then minewatch accept-lineage"
        )


@asynccontextmanager
async def _wrapping(master_key: str) -> AsyncIterator[KeyWrapper | None]:
    """What wraps the town's keys; None where neither that nor a key service is given: then nothing shows that it opens them."""
    service = KeyService.from_environment()
    if not master_key and service is None:
        click.echo("MINEWATCH_MASTER_KEY is not set: not looked whether it opens the keys")
        yield None
        return
    wrapper = wrapper_of(master_key, service)
    try:
        yield wrapper
    finally:
        await wrapper.close()
