"""What each role of the key store may do: the database itself holds the keys of others back."""

from uuid import uuid4

import asyncpg
import pytest

from shared.identity.key_schema import KEY_ROLES
from tests.integration.identity.conftest import AUDIENCES, Keys

ALL = ("all", "office", "police", "custodian")
INSERT = """
INSERT INTO public.key (key_id, service, subject, audience, stream_id, wrapped, sealing)
VALUES ($1, 'intake', 'i-1', $2, 'tip-1', 'x', $3)
"""


async def filled(keys: Keys) -> None:
    superuser = await keys.superuser()
    for audience in ALL:
        await superuser.execute(INSERT, uuid4(), audience, True)


@pytest.mark.parametrize("role", KEY_ROLES)
async def test_a_role_sees_the_keys_of_its_audiences_only(keys: Keys, role: str) -> None:
    await filled(keys)
    rows = await (await keys.pool(role)).fetch("SELECT audience, wrapped FROM key")
    assert {row["audience"] for row in rows} == AUDIENCES[role]


async def test_the_office_seals_for_the_custodian_and_never_reads_it_again(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    first = await office.sealing_key("i-1", "custodian", "tip-1")
    second = await office.sealing_key("i-1", "custodian", "tip-1")
    assert first.key_id != second.key_id
    ids = [first.key_id, second.key_id]
    assert await office.opening_keys(ids) == {}
    assert await (await keys.pool()).fetchval("SELECT count(*) FROM key") == 0
    assert await custodian.opening_keys(ids) == {first.key_id: first.secret, second.key_id: second.secret}


async def test_a_store_that_claims_an_audience_beyond_its_role_gets_nothing(keys: Keys) -> None:
    office = await keys.store()
    name = await office.sealing_key("i-1", "custodian", "tip-1")
    greedy = await keys.store()
    greedy.audiences = frozenset(ALL)
    assert await greedy.opening_keys([name.key_id]) == {}
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await greedy.sealing_key("i-1", "custodian", "tip-1")


async def test_the_office_cannot_plant_the_key_that_others_go_on_sealing_with(keys: Keys) -> None:
    pool = await keys.pool()
    for audience in ("police", "custodian"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await pool.execute(INSERT, uuid4(), audience, True)
        await pool.execute(INSERT, uuid4(), audience, False)


@pytest.mark.parametrize(
    ("role", "audience"), [("keys_police", "custodian"), ("keys_police", "office"), ("keys_custodian", "police")]
)
async def test_police_and_custodian_make_keys_for_themselves_only(keys: Keys, role: str, audience: str) -> None:
    pool = await keys.pool(role)
    for sealing in (True, False):
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="row-level security"):
            await pool.execute(INSERT, uuid4(), audience, sealing)


async def test_each_role_makes_its_own_keys(keys: Keys) -> None:
    for role, audiences in AUDIENCES.items():
        store = await keys.store(role)
        for audience in audiences:
            key = await store.sealing_key("s-1", audience, "s-1")
            assert await (await keys.store(role)).opening_keys([key.key_id]) == {key.key_id: key.secret}


FORBIDDEN = [
    "UPDATE key SET wrapped = wrapped",
    "UPDATE key SET subject = 'x'",
    "DELETE FROM key",
    "TRUNCATE key",
    "DROP TABLE key",
    "ALTER TABLE key DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY more ON key FOR SELECT USING (true)",
    "CREATE TABLE more (x int)",
    "CREATE TEMPORARY TABLE more (x int)",
    "SET ROLE keys_owner",
    "INSERT INTO key (key_id, service, subject, audience, stream_id, sealing, destroyed_at)"
    " VALUES (gen_random_uuid(), 'x', 'x', 'all', 'x', false, now())",
    "CREATE OR REPLACE FUNCTION erase_subject(of_subject text) RETURNS integer LANGUAGE sql AS 'SELECT 1'",
]
DESTROYING = [
    "SELECT erase_subject('i-1')",
    "SELECT streams_with_keys('intake', interval '0')",
    "SELECT sweep_keys('intake', ARRAY['tip-1'], interval '0')",
    "SELECT retire_keys('{i-1}', 'e')",
    "SELECT erase_keys('{}')",
]


@pytest.mark.parametrize("statement", FORBIDDEN)
@pytest.mark.parametrize("role", KEY_ROLES)
async def test_no_role_may_change_a_key(keys: Keys, role: str, statement: str) -> None:
    if "TEMPORARY" in statement:  # a copied database has lost what was taken from PUBLIC
        await (await keys.superuser()).execute(f'REVOKE ALL ON DATABASE "{keys.database}" FROM PUBLIC')
        await (await keys.superuser()).execute(f'GRANT CONNECT ON DATABASE "{keys.database}" TO "{role}"')
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await (await keys.pool(role)).execute(statement)


@pytest.mark.parametrize("statement", DESTROYING)
@pytest.mark.parametrize("role", ["keys_office", "keys_police"])
async def test_only_the_custodian_destroys(keys: Keys, role: str, statement: str) -> None:
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await (await keys.pool(role)).execute(statement)
    await (await keys.pool("keys_custodian")).execute(statement)


async def test_the_office_learns_which_keys_are_gone_and_nothing_else_of_them(keys: Keys) -> None:
    await filled(keys)
    superuser = await keys.superuser()
    ids = {row["audience"]: row["key_id"] for row in await superuser.fetch("SELECT audience, key_id FROM key")}
    office, never = await keys.pool(), uuid4()
    assert await office.fetchval("SELECT lost_keys($1)", [*ids.values(), never]) == [never]
    await superuser.execute(
        "UPDATE key SET wrapped = NULL, sealing = false, destroyed_at = now() WHERE audience = 'custodian'"
    )
    assert await office.fetchval("SELECT lost_keys($1)", [*ids.values()]) == [ids["custodian"]]
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await (await keys.pool("keys_police")).fetchval("SELECT lost_keys('{}')")


async def test_a_service_role_does_not_reach_the_keys(keys: Keys) -> None:
    """In the database that prepare_server made, not in a copy."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError, match="permission denied for database"):
        await asyncpg.connect(keys.templates.dsn("keys", "cases_app"))


async def test_the_functions_do_not_look_where_the_caller_says(keys: Keys) -> None:
    """A search path of the caller's must not put another table `key` before the real one."""
    superuser = await keys.superuser()
    await filled(keys)
    await superuser.execute("CREATE SCHEMA trap; CREATE TABLE trap.key AS SELECT * FROM public.key LIMIT 0")
    await superuser.execute("GRANT ALL ON SCHEMA trap TO keys_custodian; GRANT ALL ON trap.key TO keys_custodian")
    custodian = await keys.pool("keys_custodian")
    async with custodian.acquire() as connection:
        await connection.execute("SET search_path = trap")
        assert await connection.fetchval("SELECT public.erase_subject('i-1')") == 4
