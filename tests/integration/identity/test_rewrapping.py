"""Keys taken from one wrapper to another: killed anywhere it goes on, and what was destroyed or damaged stays as it is."""

import base64
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from shared.errors import KeyServiceAway
from shared.identity import rewrapping
from shared.identity.key_store import Key, KeyStore
from shared.identity.rewrapping import Rewrapped, clear_former, rewrap
from shared.identity.wrapping import EnvironmentWrapper, KeyWrapper, TransitWrapper, Wrapped, WrongMasterKey
from tests.integration.identity.conftest import AUDIENCES, MASTER, Keys
from tests.integration.identity.test_cleared import IN_WAL, in_files
from tests.support.crash import Killed, kill_at
from tests.support.transit import Transit, transit

OTHER_MASTER = base64.b64encode(bytes(range(32, 64))).decode()
OLD, NEW = EnvironmentWrapper(MASTER), EnvironmentWrapper(OTHER_MASTER)
WRAPPED = "SELECT key_id, wrapped FROM key ORDER BY key_id"
DAMAGE = "UPDATE key SET wrapped = sha256('x') WHERE key_id = $1"
SOME = "rewrap: some wrapped anew"


@dataclass
class Town:
    """Its keys: of nineteen records, of a name that is for the custodian, and of somebody erased."""

    keys: Keys
    superuser: asyncpg.Connection
    made: list[Key]
    name: Key
    erased: Key

    async def store(self, wrapper: KeyWrapper, role: str = "keys_office") -> KeyStore:
        """As a process that begins now."""
        return KeyStore(await self.keys.pool(role), wrapper, "intake", AUDIENCES[role])

    async def opens(self, wrapper: KeyWrapper) -> bool:
        """Whether it opens all that it may, as they were made. Raises WrongMasterKey."""
        office, custodian = await self.store(wrapper), await self.store(wrapper, "keys_custodian")
        ids = [key.key_id for key in (*self.made, self.name, self.erased)]
        secrets = await office.opening_keys(ids) | await custodian.opening_keys(ids)
        return secrets == {key.key_id: key.secret for key in (*self.made, self.name)}

    async def rows(self) -> list[tuple[UUID, bytes | None]]:
        return [tuple(row) for row in await self.superuser.fetch(WRAPPED)]

    async def starts(self, wrapper: KeyWrapper, role: str = "keys_office") -> bool:
        try:
            await (await self.store(wrapper, role)).see_that_it_opens()
        except WrongMasterKey:
            return False
        return True


@pytest.fixture
async def town(keys: Keys) -> AsyncIterator[Town]:
    connection = await asyncpg.connect(keys.templates.dsn(keys.database))
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    name = await custodian.sealing_key("i-1", "custodian", "tip-1")  # the oldest
    erased = await office.sealing_key("i-2", "office", "tip-2")
    made = [await office.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(19)]
    assert await custodian.destroy("i-2") == 1 and await custodian.clear()
    yield Town(keys, connection, made, name, erased)
    await connection.close()


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Transit]:
    with transit(tmp_path) as running:
        yield running


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """At once."""
    monkeypatch.setattr(rewrapping, "AT_ONCE", 8)


@pytest.mark.usefixtures("few")
async def test_all_open_under_the_new_master_key_and_none_under_the_old(town: Town) -> None:
    told: list[tuple[int, int]] = []
    assert await rewrap(town.superuser, OLD, NEW, progress=lambda *at: told.append(at)) == Rewrapped(old=20)
    assert told == [(8, 20), (16, 20), (20, 20)]
    assert await town.opens(NEW)
    with pytest.raises(WrongMasterKey):
        await town.opens(OLD)
    before = await town.rows()
    assert await rewrap(town.superuser, OLD, NEW) == Rewrapped(new=20)
    assert await town.rows() == before


async def test_to_a_key_service_and_back(town: Town, engine: Transit) -> None:
    service = TransitWrapper(engine.at)
    assert await rewrap(town.superuser, OLD, service) == Rewrapped(old=20)
    assert await town.opens(service)
    assert all(wrapped is None or wrapped.startswith(b"vault:v1:") for _, wrapped in await town.rows())
    engine.asked.clear()
    assert await rewrap(town.superuser, service, NEW) == Rewrapped(old=20)
    assert engine.asked == [("decrypt", 20)]
    assert await town.opens(NEW)
    await service.close()


async def test_to_another_key_of_the_key_service_of_which_a_part_was_done(town: Town, engine: Transit) -> None:
    first = TransitWrapper(engine.at)
    await rewrap(town.superuser, OLD, first)
    with transit(engine.folder) as other:  # another server, with a key of its own under the same name
        second = TransitWrapper(other.at)
        row = await town.superuser.fetchrow("SELECT * FROM key WHERE key_id = $1", UUID(town.name.key_id))
        fresh = await second.wrap(town.name.secret, rewrapping._aad(row))
        await town.superuser.execute("UPDATE key SET wrapped = $2 WHERE key_id = $1", row["key_id"], fresh)
        assert await rewrap(town.superuser, first, second) == Rewrapped(old=19, new=1)
        assert await town.opens(second)
        await second.close()
    await first.close()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("nth", [1, 2, 3])
async def test_killed_on_the_way_it_goes_on_and_no_service_starts_on_the_half_with_the_old_one(
    town: Town, nth: int
) -> None:
    with pytest.raises(Killed):
        await rewrap(town.superuser, OLD, NEW, points=kill_at(SOME, nth))
    for role in ("keys_office", "keys_custodian"):
        assert not await town.starts(OLD, role) and await town.starts(NEW, role)
    done = min(nth * 8, 20)
    assert await rewrap(town.superuser, OLD, NEW, only_look=True) == Rewrapped(old=20 - done, new=done)
    assert await rewrap(town.superuser, OLD, NEW) == Rewrapped(old=20 - done, new=done)
    assert await town.opens(NEW)


async def test_looking_changes_nothing(town: Town) -> None:
    before = await town.rows()
    assert await rewrap(town.superuser, OLD, NEW, only_look=True) == Rewrapped(old=20)
    assert await town.rows() == before and await town.opens(OLD)


@pytest.mark.usefixtures("few")
async def test_what_nobody_opens_is_named_and_left_and_the_others_are_done(town: Town) -> None:
    damaged = [town.made.pop(nth) for nth in (7, 2)]
    for key in damaged:
        await town.superuser.execute(DAMAGE, UUID(key.key_id))
    kept = {row for row in await town.rows() if str(row[0]) in {key.key_id for key in damaged}}
    found = await rewrap(town.superuser, OLD, NEW)
    assert (found.old, found.new, sorted(found.unopened)) == (18, 0, sorted(key.key_id for key in damaged))
    assert kept <= set(await town.rows())
    assert await (await town.store(NEW)).opening_keys(key.key_id for key in town.made) == {
        key.key_id: key.secret for key in town.made
    }


class Erasing(EnvironmentWrapper):
    """While it wraps, somebody is erased."""

    def __init__(self, superuser: asyncpg.Pool) -> None:
        super().__init__(OTHER_MASTER)
        self._superuser = superuser

    async def wrap(self, secret: bytes, aad: bytes) -> bytes:
        await self._superuser.execute("SELECT erase_subject('tip-3')")
        return await super().wrap(secret, aad)


async def test_destroyed_keys_stay_destroyed_even_of_that_very_moment(town: Town) -> None:
    gone = "SELECT key_id, destroyed_at FROM key WHERE wrapped IS NULL ORDER BY destroyed_at"
    [before] = await town.superuser.fetch(gone)
    await rewrap(town.superuser, OLD, Erasing(await town.keys.superuser()))
    first, second = await town.superuser.fetch(gone)
    assert first == before and second["key_id"] == UUID(town.made.pop(3).key_id)
    assert await town.opens(NEW)


class Broken(EnvironmentWrapper):
    """Gives back what it was not given."""

    async def unwrap(self, many: Sequence[Wrapped]) -> list[bytes]:
        return [bytes(32) for _ in await super().unwrap(many)]


async def test_nothing_is_written_that_the_new_one_does_not_open(town: Town, engine: Transit) -> None:
    before = await town.rows()
    with pytest.raises(KeyServiceAway, match="other keys"):
        await rewrap(town.superuser, OLD, Broken(OTHER_MASTER))
    engine.sealed = True
    service = TransitWrapper(engine.at)
    with pytest.raises(KeyServiceAway, match="unseal"):
        await rewrap(town.superuser, OLD, service)
    assert await town.rows() == before and await town.opens(OLD)
    await service.close()


async def test_what_was_wrapped_before_leaves_the_files_of_the_database_and_the_log(town: Town) -> None:
    superuser = await town.keys.superuser()
    await superuser.execute("ALTER TABLE key SET (autovacuum_enabled = off)")
    before = [wrapped for _, wrapped in await town.rows() if wrapped is not None]
    await superuser.execute("ALTER SYSTEM SET wal_recycle = off")
    try:
        await superuser.execute("SELECT pg_reload_conf()")
        await rewrap(town.superuser, OLD, NEW)
        assert any([await in_files(superuser, each) for each in before])
        assert await superuser.fetchval(IN_WAL, before[0]) > 0
        assert await clear_former(town.superuser)
        assert not any([await in_files(superuser, each) for each in before])
        assert await superuser.fetchval(IN_WAL, before[0]) == 0
    finally:
        await superuser.execute("ALTER SYSTEM RESET wal_recycle")
        await superuser.execute("SELECT pg_reload_conf()")
    assert await town.opens(NEW)


async def test_where_an_older_snapshot_sees_it_that_is_said(town: Town) -> None:
    reader = await town.keys.pool()
    async with reader.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetch("SELECT 1")
        await rewrap(town.superuser, OLD, NEW)
        with capture_logs() as said:
            assert not await clear_former(town.superuser)
        assert [line["event"] for line in said] == ["not cleared yet"]
    assert await clear_former(town.superuser)


async def test_a_service_starts_where_one_of_the_newest_keys_opens(town: Town, engine: Transit) -> None:
    assert await town.starts(OLD) and not await town.starts(NEW)
    for key in town.made[-4:]:
        await town.superuser.execute(DAMAGE, UUID(key.key_id))
    assert await town.starts(OLD)
    engine.sealed = True
    service = TransitWrapper(engine.at)
    assert not await town.starts(service), "these are not its own"
    await town.superuser.execute("UPDATE key SET wrapped = 'vault:v1:AAAA' WHERE wrapped IS NOT NULL")
    assert await town.starts(service), "it waits until the key service is back"
    await service.close()
    await town.superuser.execute("DELETE FROM key")
    assert await town.starts(NEW)
