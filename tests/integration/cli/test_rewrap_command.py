"""`minewatch keys rewrap` on a server: it refuses a town at work, goes on where it was killed, and says what is left to do."""

import base64
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest

from shared.database import dsn_of, migrate_keys, open_pool, prepare_server, role_names
from shared.half_restored import alone_on
from shared.identity.key_store import Key, KeyStore
from shared.identity.wrapping import EnvironmentWrapper, KeyWrapper, TransitWrapper, WrongMasterKey
from tests.support.commands import Said
from tests.support.dying import dying
from tests.support.kernel import until
from tests.support.servers import PostgresAddress, postgres_from_wheel
from tests.support.transit import transit

FIRST, SECOND = (base64.b64encode(bytes([n]) * 32).decode() for n in (1, 2))
WORKS = "SELECT count(*) FROM pg_stat_activity WHERE datname = 'keys' AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresAddress]:
    """With databases that have the names they have in a town."""
    with postgres_from_wheel() as address:
        yield address


@dataclass
class Store:
    server: PostgresAddress
    folder: Path

    @property
    def dsn(self) -> str:
        return dsn_of(self.server.superuser_dsn, "keys", "keys_office", "p")

    async def rewrap(self, *words: str, dies: str | None = None, **settings: str) -> Said:
        """`settings` without MINEWATCH_."""
        environment = {
            "MINEWATCH_SERVER_DSN": self.server.superuser_dsn,
            **{f"MINEWATCH_{name}": value for name, value in settings.items()},
        }
        point = f"rewrap: {dies}" if dies is not None else None
        said = await dying(point, ("keys", "rewrap", *words), self.folder, environment)
        await until(self.left_alone, 30)
        return said

    async def left_alone(self) -> bool:
        """Postgres has noticed that the process is gone."""
        return bool(await self.run(WORKS) == 0)

    async def run(self, sql: str, *values: object) -> object:
        """As superuser; the first value that it gives."""
        connection = await asyncpg.connect(self.server.superuser_dsn, database="keys")
        try:
            return await connection.fetchval(sql, *values)
        finally:
            await connection.close()

    async def made(self, wrapper: KeyWrapper, many: int) -> list[Key]:
        pool = await open_pool(self.dsn, 4, "public")
        try:
            store = KeyStore(pool, wrapper, "intake", frozenset({"all", "office"}))
            return [await store.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(many)]
        finally:
            await pool.close()

    async def opens(self, wrapper: KeyWrapper, keys: list[Key]) -> bool:
        """Raises WrongMasterKey."""
        pool = await open_pool(self.dsn, 1, "public")
        try:
            store = KeyStore(pool, wrapper, "intake", frozenset({"all", "office"}))
            return await store.opening_keys(key.key_id for key in keys) == {key.key_id: key.secret for key in keys}
        finally:
            await pool.close()


@pytest.fixture
async def store(server: PostgresAddress, tmp_path: Path) -> AsyncIterator[Store]:
    """Empty."""
    passwords = dict.fromkeys(role_names(), "p")
    await prepare_server(server.superuser_dsn, passwords)
    await migrate_keys(dsn_of(server.superuser_dsn, "keys", "keys_owner", "p"))
    made = Store(server, tmp_path)
    await made.run("DELETE FROM public.key")
    yield made


async def test_killed_half_way_it_goes_on_with_the_same_words(store: Store) -> None:
    keys = await store.made(EnvironmentWrapper(FIRST), 260)
    settings = {"MASTER_KEY": FIRST, "NEW_MASTER_KEY": SECOND}
    said = await store.rewrap(dies="some wrapped anew", **settings)
    assert said.code == -9, said.text
    for half in (FIRST, SECOND):
        with pytest.raises(WrongMasterKey):
            await store.opens(EnvironmentWrapper(half), keys)
    for point in ("all wrapped anew", "cleared"):
        said = await store.rewrap(dies=point, **settings)
        assert said.code == -9, said.text
        assert await store.opens(EnvironmentWrapper(SECOND), keys)
    said = await store.rewrap(**settings)
    assert said.code == 0 and "0 keys were wrapped anew, 260 had been before." in said.text, said.text
    assert "0 把密钥已重新封装，260 把先前已换。" in said.text and "in place of the one without NEW_" in said.text
    with pytest.raises(WrongMasterKey):
        await store.opens(EnvironmentWrapper(FIRST), keys)


async def test_to_a_key_service_and_back(store: Store, tmp_path: Path) -> None:
    keys = await store.made(EnvironmentWrapper(FIRST), 3)
    with transit(tmp_path) as engine:
        kms = {name.removeprefix("MINEWATCH_"): value for name, value in engine.environment.items() if "KMS" in name}
        said = await store.rewrap(MASTER_KEY=FIRST, NEW_KEY_WRAPPER="transit", **kms)
        assert said.code == 0 and "3 keys were wrapped anew, 0 had been before." in said.text, said.text
        service = TransitWrapper(engine.at)
        assert await store.opens(service, keys)
        await service.close()
        there = {"MASTER_KEY": SECOND, "KEY_WRAPPER": "transit", **kms}
        said = await store.rewrap(**there)
        assert said.code == 2 and "set MINEWATCH_NEW_MASTER_KEY, or MINEWATCH_NEW_KEY_WRAPPER" in said.text
        said = await store.rewrap(**there, NEW_KEY_WRAPPER="environment")
        assert said.code == 0, said.text
    assert await store.opens(EnvironmentWrapper(SECOND), keys)


@pytest.mark.parametrize("new", [{}, {"NEW_MASTER_KEY": FIRST}, {"NEW_KEY_WRAPPER": "environment"}])
async def test_where_nothing_new_is_named_nothing_is_done(store: Store, new: dict[str, str]) -> None:
    said = await store.rewrap(MASTER_KEY=FIRST, **new)
    assert said.code == 2 and "set MINEWATCH_NEW_MASTER_KEY" in said.text


async def test_a_key_that_nothing_opens_stops_it_before_anything_is_changed_or_is_left(store: Store) -> None:
    damaged, *keys = await store.made(EnvironmentWrapper(FIRST), 4)
    await store.run("UPDATE public.key SET wrapped = sha256('x') WHERE key_id = $1", UUID(damaged.key_id))
    settings = {"MASTER_KEY": FIRST, "NEW_MASTER_KEY": SECOND}
    said = await store.rewrap(**settings)
    assert said.code == 2 and damaged.key_id in said.text
    assert await store.opens(EnvironmentWrapper(FIRST), keys)
    said = await store.rewrap("--leave-unopened", **settings)
    assert said.code == 0 and "1 把密钥打不开，未作改动。" in said.text, said.text
    assert f"1 keys that nothing opens were left as they are: {damaged.key_id}" in said.text
    assert await store.opens(EnvironmentWrapper(SECOND), keys)
    said = await store.rewrap(MASTER_KEY=base64.b64encode(bytes(32)).decode(), NEW_MASTER_KEY=FIRST)
    assert said.code == 2 and "… (4)" not in said.text and said.text.count(", ") == 3, said.text


async def test_a_town_at_work_is_refused_and_so_are_two_at_once(store: Store) -> None:
    settings = {"MASTER_KEY": FIRST, "NEW_MASTER_KEY": SECOND}
    service = await asyncpg.connect(store.server.superuser_dsn, database="intake")
    said = await store.rewrap(**settings)
    await service.close()
    assert said.code == 2 and "intake" in said.text
    async with alone_on(store.server.superuser_dsn):
        said = await store.rewrap(**settings)
    assert said.code == 2 and "Another restore is at work on this server, or keys rewrap" in said.text


async def test_a_half_restored_store_and_one_of_an_earlier_version_are_refused(store: Store) -> None:
    settings = {"MASTER_KEY": FIRST, "NEW_MASTER_KEY": SECOND}
    await store.run("ALTER TABLE public.key ALTER COLUMN wrapped SET STATISTICS -1")
    said = await store.rewrap(**settings)
    assert said.code == 2 and "run minewatch migrate" in said.text
    await store.run("ALTER DATABASE keys SET minewatch.restored_from = 'somewhere'")
    said = await store.rewrap(**settings)
    await store.run("ALTER DATABASE keys RESET minewatch.restored_from")
    assert said.code == 2 and "they are no town yet" in said.text


async def test_what_an_older_snapshot_still_sees_is_said_with_code_1(store: Store) -> None:
    await store.made(EnvironmentWrapper(FIRST), 3)
    reader = await asyncpg.connect(store.server.superuser_dsn, database="postgres")
    try:
        async with reader.transaction():
            await reader.execute("CREATE TABLE written (); DROP TABLE written")
            said = await store.rewrap(MASTER_KEY=FIRST, NEW_MASTER_KEY=SECOND)
    finally:
        await reader.close()
    assert said.code == 1 and "is still in the files of the database" in said.text, said.text
