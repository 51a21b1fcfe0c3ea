"""What is left of a destroyed key on the server's disk: nothing in the database's files, and in the WAL until it is reused."""

import asyncio
from uuid import UUID

import asyncpg
import pytest
from structlog.testing import capture_logs

from shared.database import migrate_keys
from shared.identity.clearing import clear
from shared.identity.key_store import Key, KeyStore
from shared.retention import Tidying
from tests.integration.identity.conftest import Keys
from tests.integration.identity.test_sealing import place as place
from tests.support.kernel import Place

# A file may go while they are looked through, so what is missing is passed over.
IN_DATABASE = """
SELECT count(*) FROM pg_database d, pg_ls_dir('base/' || d.oid) AS name
WHERE d.datname = current_database() AND position($1::bytea IN pg_read_binary_file('base/' || d.oid || '/' || name, true)) > 0
"""
IN_WAL = """
SELECT count(*) FROM pg_ls_waldir() WHERE position($1::bytea IN pg_read_binary_file('pg_wal/' || name, true)) > 0
"""
TOMBSTONES = "SELECT count(*) FROM key WHERE destroyed_at IS NOT NULL"


async def wrapped(superuser: asyncpg.Pool, key: Key) -> bytes:
    kept: bytes = await superuser.fetchval("SELECT wrapped FROM key WHERE key_id = $1", UUID(key.key_id))
    return kept


async def in_files(superuser: asyncpg.Pool, content: bytes) -> int:
    """How many files of the key database hold a piece of `content`, as they lie on the disk."""
    await superuser.execute("CHECKPOINT")
    found: int = await superuser.fetchval(IN_DATABASE, content[22:38])
    return found


async def erase(custodian: KeyStore, subject: str) -> int:
    """As a deadline does it; how many keys."""
    destroyed = await custodian.destroy(subject)
    await custodian.clear()
    return destroyed


async def some(keys: Keys) -> tuple[asyncpg.Pool, list[bytes]]:
    """(superuser, the wrapped bytes of i-0, i-1 and i-2), on the disk already. No vacuum comes by itself."""
    office, superuser = await keys.store(), await keys.superuser()
    await superuser.execute("ALTER TABLE key SET (autovacuum_enabled = off)")
    made = [await office.sealing_key(f"i-{nth}", "office", "tip-1") for nth in range(3)]
    kept = [await wrapped(superuser, key) for key in made]
    assert [await in_files(superuser, each) for each in kept] == [1, 1, 1]
    return superuser, kept


async def test_after_an_erasure_no_file_of_the_database_holds_the_key(keys: Keys) -> None:
    superuser, kept = await some(keys)
    assert await erase(await keys.store("keys_custodian"), "i-2") == 1
    assert [await in_files(superuser, each) for each in kept] == [1, 1, 0]
    assert await superuser.fetchval(TOMBSTONES) == 1
    opened = await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    assert await wrapped(superuser, opened) == kept[1]


async def test_a_plain_vacuum_would_leave_some_of_it(keys: Keys) -> None:
    """It moves what is left together, over a part of what is gone."""
    superuser, _ = await some(keys)
    office = await keys.store()
    names = [await office.sealing_key("i-2", "custodian", "tip-1") for _ in range(9)]
    kept = [await wrapped(superuser, key) for key in names]
    await superuser.execute("SELECT erase_subject('i-2')")
    await superuser.execute("VACUUM key")
    assert any([await in_files(superuser, each) for each in kept])
    await erase(await keys.store("keys_custodian"), "i-2")
    assert not any([await in_files(superuser, each) for each in kept])


async def test_an_erasure_that_was_killed_before_is_cleared_when_it_is_done_again(keys: Keys) -> None:
    superuser, kept = await some(keys)
    await (await keys.pool("keys_custodian")).execute("SELECT erase_subject('i-2')")
    assert await in_files(superuser, kept[2]) == 1, "or there would be nothing to clear"
    assert await erase(await keys.store("keys_custodian"), "i-2") == 0
    assert await in_files(superuser, kept[2]) == 0


async def test_what_a_backup_under_way_holds_up_is_cleared_by_the_next_tidying(place: Place, keys: Keys) -> None:
    """The erasure itself waits for nobody, and nobody waits for it for long."""
    superuser, kept = await some(keys)
    custodian, reader = await keys.store("keys_custodian"), await keys.pool()
    tidying = Tidying("intake", place.pool, keys=custodian)
    async with reader.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetch("SELECT * FROM key")
        assert await asyncio.wait_for(erase(custodian, "i-2"), 10) == 1
        assert await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    assert await in_files(superuser, kept[2]) == 1
    await tidying.once()
    assert await in_files(superuser, kept[2]) == 0


async def test_what_an_older_snapshot_of_the_database_still_sees_does_not_pass_for_cleared(keys: Keys) -> None:
    """It holds no lock on the table, so the table is written anew at once, with what was destroyed in it."""
    superuser, kept = await some(keys)
    custodian, reader = await keys.store("keys_custodian"), await keys.pool()
    async with reader.acquire() as connection, connection.transaction(isolation="repeatable_read"):
        await connection.fetch("SELECT 1")
        assert await custodian.destroy("i-2") == 1 and not await custodian.clear()
        assert await in_files(superuser, kept[2]) == 1
    assert await custodian.clear()
    assert await in_files(superuser, kept[2]) == 0


async def test_a_clock_that_was_set_back_hides_no_destroyed_key(keys: Keys) -> None:
    superuser, kept = await some(keys)
    custodian = await keys.store("keys_custodian")
    await erase(custodian, "i-1")
    await superuser.execute(
        "UPDATE key SET cleared = cleared + '1 day', destroyed_at = destroyed_at + '1 day' WHERE cleared IS NOT NULL"
    )
    await erase(custodian, "i-2")
    assert [await in_files(superuser, each) for each in kept] == [1, 0, 0]


async def test_the_table_is_written_anew_for_a_destroyed_key_only(keys: Keys) -> None:
    superuser, _ = await some(keys)
    custodian, file = await keys.store("keys_custodian"), "SELECT pg_relation_filenode('key')"
    first = await superuser.fetchval(file)
    assert await custodian.clear() and await superuser.fetchval(file) == first
    await erase(custodian, "i-2")
    second = await superuser.fetchval(file)
    assert second != first
    assert await erase(custodian, "i-2") == 0 and await custodian.clear()
    assert await superuser.fetchval(file) == second


async def test_a_role_that_may_not_is_told_so_and_it_stays_to_be_done(keys: Keys) -> None:
    superuser, kept = await some(keys)
    await superuser.execute("REVOKE MAINTAIN ON key FROM keys_custodian")
    custodian = await keys.store("keys_custodian")
    with capture_logs() as said:
        assert await custodian.destroy("i-2") == 1 and not await custodian.clear()
    assert "minewatch migrate" in str(said)
    assert await in_files(superuser, kept[2]) == 1
    await superuser.execute("GRANT MAINTAIN ON key TO keys_custodian")
    assert await erase(custodian, "i-2") == 0
    assert await in_files(superuser, kept[2]) == 0


@pytest.mark.parametrize("role", ["keys_office", "keys_police"])
async def test_only_the_custodian_may(keys: Keys, role: str) -> None:
    pool = await keys.pool(role)
    async with pool.acquire() as connection:
        assert not await clear(connection)
    before = await pool.fetchval("SELECT pg_relation_filenode('key')")
    await pool.execute("VACUUM (FULL) public.key")  # Postgres warns, and does nothing
    assert await pool.fetchval("SELECT pg_relation_filenode('key')") == before
    for statement in ("SELECT uncleared()", "SELECT note_cleared('{}')", "UPDATE key SET cleared = destroyed_at"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await pool.execute(statement)


async def test_a_database_of_an_earlier_version_is_cleared_of_what_was_erased_before(keys: Keys) -> None:
    superuser, kept = await some(keys)
    await superuser.execute("DROP FUNCTION uncleared, note_cleared, retire_keys, erase_keys")
    await superuser.execute("ALTER TABLE key DROP COLUMN cleared, DROP COLUMN erasure")
    await superuser.execute("REVOKE MAINTAIN ON key FROM keys_custodian; SELECT erase_subject('i-2')")
    await superuser.execute(f'ALTER DATABASE "{keys.database}" OWNER TO keys_owner')  # as the first one is
    for _ in range(2):
        await migrate_keys(keys.templates.dsn(keys.database, "keys_owner"))
    assert await in_files(superuser, kept[2]) == 1
    assert await (await keys.store("keys_custodian")).clear()
    assert await in_files(superuser, kept[2]) == 0


async def test_postgres_takes_no_samples_of_wrapped_keys_and_those_of_an_earlier_version_go(keys: Keys) -> None:
    superuser, [kept, *_] = await some(keys)
    await superuser.execute(f'ALTER DATABASE "{keys.database}" OWNER TO keys_owner')  # as the first one is
    sampled = "SELECT count(*) FROM pg_stats WHERE tablename = 'key' AND attname = 'wrapped'"
    await superuser.execute("ANALYZE key")
    assert await superuser.fetchval(sampled) == 0 and await in_files(superuser, kept) == 1
    await superuser.execute("ALTER TABLE key ALTER COLUMN wrapped SET STATISTICS -1")
    await superuser.execute("ANALYZE key")
    assert await superuser.fetchval(sampled) == 1 and await in_files(superuser, kept) == 2
    for _ in range(2):
        await migrate_keys(keys.templates.dsn(keys.database, "keys_owner"))
    assert await superuser.fetchval(sampled) == 0
    await superuser.execute("VACUUM FULL pg_statistic")
    assert await in_files(superuser, kept) == 1


async def test_the_wal_keeps_it_until_a_checkpoint_when_it_is_not_recycled(keys: Keys) -> None:
    """As embedded towns and docker-compose.yml set it (tests/observability/test_operations_page.py); with recycling, nobody can
    say until when."""
    superuser, kept = await some(keys)
    await superuser.execute("ALTER SYSTEM SET wal_recycle = off")
    try:
        await superuser.execute("SELECT pg_reload_conf()")
        await erase(await keys.store("keys_custodian"), "i-2")
        assert await superuser.fetchval(IN_WAL, kept[2]) == 1
        await superuser.execute("SELECT pg_switch_wal()")
        await superuser.execute("CHECKPOINT")
        assert await superuser.fetchval(IN_WAL, kept[2]) == 0
    finally:
        await superuser.execute("ALTER SYSTEM RESET wal_recycle")
        await superuser.execute("SELECT pg_reload_conf()")
