"""`minewatch keys …`: what wraps the keys of sealed texts, and how that is changed while the town stands still."""

import asyncio
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import click

from shared.cli.backup import bars, needed
from shared.cli.stopped import stopped_postgres
from shared.embedded.home import NEXT, Home, fresh_master_key
from shared.errors import MinewatchError, NotReady
from shared.half_restored import alone_on, refuse_half
from shared.identity.key_schema import SAMPLED
from shared.identity.rewrapping import Rewrapped, clear_former, rewrap
from shared.identity.wrapping import KeyWrapper, wrapper_of
from shared.parts import Points, no_points
from shared.settings import SERVICES, KeyService, SettingMissing, renewed

USED = """
SELECT string_agg(DISTINCT datname, ', ') FROM pg_stat_activity
WHERE datname = ANY($1::text[]) AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
WHAT_IS_NEW = "MINEWATCH_NEW_KEY_WRAPPER and what goes with it, or MINEWATCH_NEW_KMS_KEY_NAME"
NAMED = 5
"""Keys that nothing opens, named one by one."""


class KeysUnopened(MinewatchError):
    """有密钥用新旧两种封装都打不开，什么都没有改。请检查旧主密钥的设置；若确已损坏，加 --leave-unopened 跳过它们。
    Neither the old wrapper nor the new one opens some keys; nothing was changed. Check the settings of the old one.
    Where they are damaged, --leave-unopened goes on without them."""


class TownAtWork(NotReady):
    """有服务正在使用数据库。请先停止所有服务（包括 custodian），再更换。
    Services use the databases. Stop all of them first, custodian too."""


@dataclass(frozen=True)
class Change:
    """`server`: as its superuser. `begin` and `finish` are called before the first key is written and after the last; `then`:
    what is left for a person to do."""

    server: str
    old: KeyWrapper
    new: KeyWrapper
    begin: Callable[[], None]
    finish: Callable[[], None]
    then: str


@click.group()
def keys() -> None:
    """What wraps the keys of sealed texts."""


@keys.command("rewrap")
@click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="the folder of a town that stands still; without it MINEWATCH_SERVER_DSN names the server",
)
@click.option("--leave-unopened", is_flag=True, help="go on although neither the old wrapper nor the new opens some")
@click.pass_context
def rewrap_command(context: click.Context, data: Path | None, leave_unopened: bool) -> None:
    """Take every key out of what wraps it now, and wrap it with what the MINEWATCH_NEW_ variables name, while no service runs.

    With --data and no such variable: with a fresh master key, which takes the place of the old one in the town's folder.
    """
    if not asyncio.run(_rewrapped(data, leave_unopened, context.obj or no_points)):
        sys.exit(1)


async def _rewrapped(data: Path | None, leave_unopened: bool, points: Points) -> bool:
    """Whether nothing of what was wrapped before is left in the files of the database."""
    async with _of_environment() if data is None else _of_folder(data) as change, alone_on(change.server) as alone:
        if used := await alone.fetchval(USED, [*SERVICES, "keys"]):
            raise TownAtWork(used)
        connection = await asyncpg.connect(change.server, database="keys")
        try:
            await refuse_half(connection, "keys")
            if await connection.fetchval(SAMPLED):
                raise NotReady("the key store is an earlier version's: run minewatch migrate, or start the town once")
            found = await _looked(connection, change)
            if found.unopened and not leave_unopened:
                raise KeysUnopened(_named(found))
            change.begin()
            with bars("wraps anew") as progress:
                done = await rewrap(
                    connection,
                    change.old,
                    change.new,
                    progress=lambda at, end: progress("keys", at, end),
                    points=points,
                )
            await points("rewrap: all wrapped anew")
            cleared = await clear_former(connection)
            await points("rewrap: cleared")
            change.finish()
        finally:
            await connection.close()
    _say(done, cleared, change.then)
    return cleared


async def _looked(connection: asyncpg.Connection, change: Change) -> Rewrapped:
    with bars("looks through") as progress:
        return await rewrap(
            connection, change.old, change.new, only_look=True, progress=lambda at, end: progress("keys", at, end)
        )


@asynccontextmanager
async def _of_environment() -> AsyncIterator[Change]:
    """Raises SettingMissing."""
    server, then = needed("MINEWATCH_SERVER_DSN"), renewed()
    old, new = KeyService.from_environment(), KeyService.from_environment(then)
    master = needed("MINEWATCH_MASTER_KEY") if old is None else ""
    new_master = then.get("MINEWATCH_MASTER_KEY", "") if new is None else ""
    if (old, master) == (new, new_master):
        raise SettingMissing(f"set MINEWATCH_NEW_MASTER_KEY, or {WHAT_IS_NEW}")
    said = (
        "请把每个 MINEWATCH_NEW_… 的值改到不带 NEW_ 的变量里并删去前者，再启动服务。\n"
        "Put the value of each MINEWATCH_NEW_… in place of the one without NEW_ and take it away; then start the services."
    )
    async with _wrappers((master, old), (new_master, new)) as (one, other):
        yield Change(server, one, other, lambda: None, lambda: None, said)


@asynccontextmanager
async def _of_folder(data: Path) -> AsyncIterator[Change]:
    """Raises AlreadyRunning, SettingMissing."""
    async with stopped_postgres(data) as postgres:
        home = Home(data.resolve())
        kept, present, service = home.secrets, KeyService.from_environment(), KeyService.from_environment(renewed())
        if service is not None and service == present:
            raise SettingMissing(f"set {WHAT_IS_NEW}")
        if service is not None and home.changes_master_key:
            raise SettingMissing(
                "the change to a fresh master key was broken off: finish it without MINEWATCH_NEW_ first"
            )
        fresh = kept.get(NEXT) or fresh_master_key() if service is None else ""
        said = (
            f"请另存一份 {home.folder / 'keys'}；旧的那份要保留到更换前的密钥备份都删除为止。\n"
            f"Keep a new copy of {home.folder / 'keys'} elsewhere, and the old copy as long as any copy of the keys from before."
        )
        async with _wrappers((kept["master_key"], present), (fresh, service)) as (old, new):
            yield Change(
                postgres.superuser_dsn,
                old,
                new,
                lambda: home.begin_master_key(fresh) if fresh else None,
                lambda: home.change_master_key(fresh),
                said,
            )


@asynccontextmanager
async def _wrappers(
    old: tuple[str, KeyService | None], new: tuple[str, KeyService | None]
) -> AsyncIterator[tuple[KeyWrapper, KeyWrapper]]:
    one, other = wrapper_of(*old), wrapper_of(*new)
    try:
        yield one, other
    finally:
        await one.close()
        await other.close()


def _named(found: Rewrapped) -> str:
    more = f" … ({len(found.unopened)})" if len(found.unopened) > NAMED else ""
    return ", ".join(found.unopened[:NAMED]) + more


def _say(done: Rewrapped, cleared: bool, then: str) -> None:
    old, new, left = done.old, done.new, len(done.unopened)
    if left:
        click.echo(
            f"{left} 把密钥打不开，未作改动。 {left} keys that nothing opens were left as they are: {_named(done)}"
        )
    click.echo(f"{old} 把密钥已重新封装，{new} 把先前已换。 {old} keys were wrapped anew, {new} had been before.")
    if not cleared:
        click.echo(
            "旧的封装还留在数据库文件里，原因见上。请先等无人使用这台服务器时再运行一次。\n"
            "What was wrapped before is still in the files of the database, for the reason above: first run it once more, while "
            "nobody else uses this server.",
            err=True,
        )
    click.echo(then)
