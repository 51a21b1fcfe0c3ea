"""Who was erased gets no key again; nor does anything that looks like an erasure count as one."""

import asyncio

import asyncpg
import pytest

from shared.backup.erasures import Erasures
from shared.backup.restore import erase
from shared.identity.key_schema import KEYS_DDL, make_schema
from shared.identity.key_store import SubjectErased
from shared.identity.wrapping import WrongMasterKey
from shared.retention import Tidying
from tests.integration.identity.conftest import Keys
from tests.integration.identity.test_key_store import queries
from tests.integration.identity.test_sealing import place as place
from tests.support.kernel import OpenSite, Place, a_cause

TWO_DAYS_LATER = "UPDATE key SET made_at = made_at - interval '2 days', retired_at = retired_at - interval '2 days'"
OTHER_MASTER = "A" * 43 + "="
INSERT = """
INSERT INTO key (key_id, service, subject, audience, stream_id, wrapped, sealing)
VALUES (gen_random_uuid(), 'intake', 'i-1', $1, 'tip-1', 'x', false)
"""


async def test_no_role_makes_another_key_for_an_erased_informant(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    await office.sealing_key("i-1", "office", "tip-1")
    await custodian.destroy("i-1")
    for store, audience in ((await keys.store(), "office"), (office, "custodian"), (custodian, "custodian")):
        with pytest.raises(SubjectErased):
            await store.sealing_key("i-1", audience, "tip-1")
    await office.sealing_key("i-2", "office", "tip-2")


async def test_a_stream_may_go_on_after_its_texts_were_erased(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    await office.sealing_key("tip-1", "office", "tip-1")
    await custodian.destroy("tip-1")
    office.forget()
    assert await office.sealing_key("tip-1", "office", "tip-1")


async def test_a_key_made_while_the_subject_is_being_erased_is_destroyed_or_refused(keys: Keys) -> None:
    """Neither order leaves a key: whoever writes waits for the erasure, and the erasure for whoever writes."""
    office, custodian = await keys.store(size=8), await keys.store("keys_custodian")
    await office.sealing_key("i-0", "office", "tip-0")
    for nth in range(20):
        subject = f"i-{nth}"
        await (await keys.store()).sealing_key(subject, "office", f"tip-{nth}") if nth else None
        made = [office.sealing_key(subject, "custodian", f"tip-{nth}") for _ in range(4)]
        await asyncio.gather(*made, custodian.destroy(subject), return_exceptions=True)
    left = "SELECT count(*) FROM key WHERE wrapped IS NOT NULL"
    assert await (await keys.superuser()).fetchval(left) == 0


async def test_an_uncommitted_key_holds_the_erasure_up_until_it_is_seen(keys: Keys) -> None:
    await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    custodian, pool = await keys.store("keys_custodian"), await keys.pool()
    async with pool.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        await connection.execute(INSERT, "custodian")
        erasing = asyncio.create_task(custodian.destroy("i-1"))
        await asyncio.sleep(0.1)
        assert not erasing.done(), "it would not have seen the key that is being made"
        await transaction.commit()
    assert await erasing == 2


async def test_a_database_of_the_first_version_gets_the_rule(keys: Keys) -> None:
    superuser = await keys.superuser()
    await superuser.execute("DROP TABLE key CASCADE; DROP FUNCTION refuse_the_erased; DROP FUNCTION erase_subject")
    await superuser.execute("DROP FUNCTION streams_with_keys, sweep_keys, uncleared, note_cleared")
    await superuser.execute("DROP FUNCTION erase_keys, lost_keys, retire_keys")
    await superuser.execute(KEYS_DDL)
    await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    await (await keys.pool("keys_custodian")).execute("SELECT erase_subject('i-1')")
    async with superuser.acquire() as connection:
        await make_schema(connection)
        await make_schema(connection)
    with pytest.raises(SubjectErased):
        await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await (await keys.pool()).execute("SELECT erase_subject('i-1')")
    custodian = await keys.store("keys_custodian")
    assert await custodian.retire(["i-1"], "e") == {"i-1": ()} and await custodian.clear()


async def test_an_erasure_of_a_stream_that_goes_on_takes_what_it_retired_and_again_no_more(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    old = await office.sealing_key("tip-1", "office", "tip-1")
    for_custodian = await office.sealing_key("tip-1", "custodian", "tip-1")
    wanted = {"tip-1": tuple(sorted((old.key_id, for_custodian.key_id))), "words-tip-1": ()}
    assert await custodian.retire(["tip-1", "words-tip-1"], "first") == wanted
    new = await office.sealing_key("tip-1", "office", "tip-1")
    assert await custodian.retire(["tip-1", "words-tip-1"], "first") == wanted, "killed and done again"
    assert await custodian.destroy_keys(wanted["tip-1"]) == 2
    assert await custodian.retire(["tip-1", "words-tip-1"], "first") == wanted, "killed later, and done again"
    assert await office.sealing_key("tip-1", "office", "tip-1") == new
    assert await custodian.retire(["tip-1"], "second") == {"tip-1": (new.key_id,)}
    for store in (await keys.store(), await keys.store("keys_police")):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await store.retire(["tip-1"], "third")


async def test_hundreds_of_erased_are_erased_again_in_a_few_statements(keys: Keys) -> None:
    custodian = await keys.store("keys_custodian")
    seen = await queries(custodian)
    assert await custodian.destroy(*(f"i-{nth}" for nth in range(900))) == 0
    assert len([query for query in seen if "erase_subject" in query]) == 2


async def test_of_a_stream_that_goes_on_the_keys_of_before_are_destroyed_again_alone(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    old = await office.sealing_key("tip-1", "office", "tip-1")
    other = await office.sealing_key("tip-2", "office", "tip-2")
    await custodian.destroy("tip-1")
    new = await office.sealing_key("tip-1", "office", "tip-1")
    put_back = "UPDATE key SET wrapped = 'x', destroyed_at = NULL WHERE key_id = $1::uuid"
    await (await keys.superuser()).execute(put_back, old.key_id)
    assert await custodian.destroy_keys((old.key_id, "no uuid")) == 1
    assert await custodian.destroy_keys((old.key_id,)) == 0
    left = await (await keys.store()).opening_keys([old.key_id, new.key_id, other.key_id])
    assert left == {new.key_id: new.secret, other.key_id: other.secret}


async def test_a_key_store_of_an_earlier_version_that_lives_on_is_told_of_the_erasures(keys: Keys) -> None:
    old = await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    superuser = await keys.superuser()
    await superuser.execute("DROP FUNCTION erase_keys, retire_keys, uncleared, note_cleared")
    await superuser.execute("ALTER TABLE key DROP COLUMN cleared, DROP COLUMN erasure")
    await superuser.execute(f'ALTER DATABASE "{keys.database}" OWNER TO keys_owner')  # as the first one is
    assert await erase(keys.templates.dsn(keys.database, "keys_owner"), Erasures(keys={old.key_id})) == 1
    assert await (await keys.store()).opening_keys([old.key_id]) == {}


async def test_the_rule_is_the_databases_own(keys: Keys) -> None:
    """Whoever speaks to it without this code is refused as well."""
    await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    await (await keys.store("keys_custodian")).destroy("i-1")
    for role, audience in (("keys_office", "office"), ("keys_custodian", "custodian")):
        with pytest.raises(asyncpg.CheckViolationError):
            await (await keys.pool(role)).execute(INSERT, audience)


async def test_a_wrong_master_key_is_an_error_and_no_erasure(keys: Keys) -> None:
    made = await (await keys.store()).sealing_key("i-1", "custodian", "tip-1")
    with pytest.raises(WrongMasterKey):
        await (await keys.store("keys_custodian", OTHER_MASTER)).opening_keys([made.key_id])
    assert await (await keys.store("keys_custodian")).opening_keys([made.key_id]) == {made.key_id: made.secret}


async def test_tidying_sweeps_keys_whose_text_was_never_stored(place: Place, keys: Keys) -> None:
    """Where the custodian's keys are; elsewhere nobody may, and the orphans stay shut away."""
    await place.app.handle(OpenSite(site="a", name="老窑沟三号井口"), a_cause())
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    await office.sealing_key("site-lost", "office", "site-lost")
    superuser = await keys.superuser()
    tidying = Tidying("intake", place.pool, keys=custodian)
    for _ in range(2):
        await superuser.execute(
            "UPDATE key SET made_at = made_at - interval '2 days', retired_at = retired_at - interval '2 days'"
        )
        swept = (await tidying.once())["keys"]
    assert swept == 1
    assert [row[0] for row in await superuser.fetch("SELECT stream_id FROM key")] == ["site-a"]
    assert "keys" not in await Tidying("intake", place.pool).once()
