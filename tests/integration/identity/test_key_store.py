"""Keys: made and committed at first use, the same for everybody who may read, gone once destroyed."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from uuid import uuid4

import asyncpg
import pytest

from shared.errors import NotReady
from shared.identity.key_store import Key, KeyStore
from shared.identity.wrapping import EnvironmentWrapper, WrongMasterKey
from shared.settings import SettingMissing
from tests.integration.identity.conftest import MASTER, Keys

DAY = timedelta(days=1)


async def queries(store: KeyStore) -> list[str]:
    """A list that every further query of the store is added to."""
    seen: list[str] = []

    def heard(record: asyncpg.connection.LoggedQuery) -> None:
        seen.append(record.query)

    pool = store._pool
    connections = [await pool.acquire() for _ in range(pool.get_max_size())]
    for connection in connections:
        connection.add_query_logger(heard)
        await pool.release(connection)
    seen.clear()
    return seen


def asked(seen: list[str]) -> int:
    """How often the key store was asked; giving a connection back is a query too, and none of its."""
    return len([query for query in seen if "public.key" in query])


async def test_a_subject_has_one_key_for_each_audience(keys: Keys) -> None:
    store = await keys.store()
    office = await store.sealing_key("i-1", "office", "tip-1")
    assert await store.sealing_key("i-1", "office", "tip-2") == office
    assert await (await keys.store()).sealing_key("i-1", "office", "tip-1") == office
    others = [await store.sealing_key("i-1", "all", "tip-1"), await store.sealing_key("i-2", "office", "tip-1")]
    assert len({key.secret for key in (office, *others)}) == 3
    assert len(office.secret) == 32


async def test_the_key_is_committed_before_it_is_given(keys: Keys) -> None:
    key = await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    assert await (await keys.store()).opening_keys([key.key_id]) == {key.key_id: key.secret}


async def test_a_remembered_key_asks_nothing(keys: Keys) -> None:
    store = await keys.store()
    key = await store.sealing_key("i-1", "office", "tip-1")
    seen = await queries(store)
    assert await store.sealing_key("i-1", "office", "tip-1") == key
    assert await store.opening_keys([key.key_id]) == {key.key_id: key.secret}
    assert asked(seen) == 0


async def test_that_of_a_stream_asks_whether_it_was_retired_and_opens_without(keys: Keys) -> None:
    store, custodian = await keys.store(), await keys.store("keys_custodian")
    key = await store.sealing_key("tip-1", "office", "tip-1")
    seen = await queries(store)
    assert await store.sealing_key("tip-1", "office", "tip-1") == key
    assert asked(seen) == 1
    await custodian.retire(["tip-1"], "an erasure")
    new = await store.sealing_key("tip-1", "office", "tip-1")
    assert new.key_id != key.key_id and await store.sealing_key("tip-1", "office", "tip-1") == new
    seen.clear()
    assert await store.opening_keys([key.key_id]) == {key.key_id: key.secret}, "until it is destroyed"
    assert asked(seen) == 0


async def test_a_new_or_known_key_costs_one_round_trip(keys: Keys) -> None:
    for _ in range(2):
        store = await keys.store()
        seen = await queries(store)
        await store.sealing_key("tip-1", "office", "tip-1")
        assert asked(seen) == 1


async def test_many_keys_are_asked_for_at_once(keys: Keys) -> None:
    writer, reader = await keys.store(), await keys.store()
    made = [await writer.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(40)]
    seen = await queries(reader)
    assert await reader.opening_keys(key.key_id for key in made) == {key.key_id: key.secret for key in made}
    assert asked(seen) == 1
    await reader.opening_keys(key.key_id for key in made)
    assert asked(seen) == 1


async def test_what_is_unknown_is_left_out_and_not_asked_for_again(keys: Keys) -> None:
    store = await keys.store()
    key = await store.sealing_key("tip-1", "office", "tip-1")
    strangers = [str(uuid4()), "no uuid", ""]
    seen = await queries(store)
    for _ in range(2):
        assert await store.opening_keys([key.key_id, *strangers]) == {key.key_id: key.secret}
    assert asked(seen) == 1


async def test_only_so_many_keys_are_remembered(keys: Keys) -> None:
    store = await keys.store(remembered=3)
    made = [await store.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(5)]
    seen = await queries(store)
    for key in (made[3], made[2], made[4]):
        await store.opening_keys([key.key_id])
    assert asked(seen) == 0
    assert await store.opening_keys([made[0].key_id]) == {made[0].key_id: made[0].secret}
    assert asked(seen) == 1
    await store.opening_keys([made[4].key_id])
    assert asked(seen) == 1
    await store.opening_keys([made[3].key_id])  # the longest unused had to go
    assert asked(seen) == 2


async def test_no_key_is_remembered_for_ever(keys: Keys) -> None:
    store = await keys.store(seconds=0.05)
    key = await store.sealing_key("tip-1", "office", "tip-1")
    await asyncio.sleep(0.06)
    seen = await queries(store)
    assert await store.sealing_key("tip-1", "office", "tip-1") == key
    assert asked(seen) == 1


# ------------------------------------------------------------------------------------------------ several writers


async def test_writers_who_seal_the_same_stream_first_all_get_the_same_key(keys: Keys) -> None:
    stores = [await keys.store(size=4) for _ in range(4)]
    for round_ in range(10):
        stream = f"tip-{round_}"
        wishes = [store.sealing_key(stream, "office", stream) for store in stores for _ in range(6)]
        assert len(set(await asyncio.gather(*wishes))) == 1
    superuser = await keys.superuser()
    assert await superuser.fetchval("SELECT count(*) FROM key") == 10


async def test_a_key_that_another_transaction_is_about_to_make_is_waited_for(keys: Keys) -> None:
    """The insert meets a key that is not committed yet, and its own snapshot will not show it: it must ask again."""
    first, store = await keys.superuser(), await keys.store()
    async with first.acquire() as connection:
        transaction = connection.transaction()
        await transaction.start()
        made, secret = uuid4(), b"s" * 32
        wrapped = await EnvironmentWrapper(MASTER).wrap(secret, f"{made}\x00tip-1\x00office".encode())
        await connection.execute(
            "INSERT INTO key (key_id, service, subject, audience, stream_id, wrapped, sealing)"
            " VALUES ($1, 'intake', 'tip-1', 'office', 'tip-1', $2, true)",
            made,
            wrapped,
        )
        waiting = asyncio.create_task(store.sealing_key("tip-1", "office", "tip-1"))
        await asyncio.sleep(0.1)
        assert not waiting.done()
        await transaction.commit()
        assert await waiting == Key(str(made), secret)


# ------------------------------------------------------------------------------------------------ the master key


async def test_another_master_key_is_named_and_nothing_is_taken_for_erased(keys: Keys) -> None:
    key = await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    stranger = await keys.store(master="A" * 43 + "=")
    with pytest.raises(WrongMasterKey):
        await stranger.opening_keys([key.key_id])
    with pytest.raises(WrongMasterKey):
        await stranger.sealing_key("tip-1", "office", "tip-1")
    assert issubclass(WrongMasterKey, NotReady)


async def test_wrapped_bytes_moved_to_another_row_do_not_open(keys: Keys) -> None:
    writer, reader = await keys.store(), await keys.store()
    one, two = [await writer.sealing_key(f"tip-{n}", "office", f"tip-{n}") for n in range(2)]
    superuser = await keys.superuser()
    await superuser.execute(
        "UPDATE key SET wrapped = (SELECT wrapped FROM key WHERE key_id = $1::uuid) WHERE key_id = $2::uuid",
        one.key_id,
        two.key_id,
    )
    with pytest.raises(WrongMasterKey):
        await reader.opening_keys([two.key_id])


async def test_the_stored_bytes_are_not_the_key(keys: Keys) -> None:
    key = await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    wrapped = await (await keys.superuser()).fetchval("SELECT wrapped FROM key")
    assert key.secret not in wrapped
    assert key.secret.hex() not in repr(key)


@pytest.mark.parametrize("master", ["", "A", "煤", "A" * 40, "A" * 43 + "=" + "A", "A" * 64])
def test_a_master_key_that_is_not_32_bytes_is_named_at_the_start(master: str) -> None:
    with pytest.raises(SettingMissing, match="MINEWATCH_MASTER_KEY"):
        EnvironmentWrapper(master)


# ------------------------------------------------------------------------------------------------ erasure


async def test_what_is_destroyed_opens_nowhere_once_it_is_forgotten(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    words = await office.sealing_key("i-1", "office", "tip-1")
    names = [await office.sealing_key("i-1", "custodian", "tip-1") for _ in range(2)]
    kept = await office.sealing_key("i-2", "office", "tip-2")
    assert len(await custodian.opening_keys(key.key_id for key in names)) == 2
    assert await custodian.destroy("i-1") == 3
    assert await custodian.opening_keys(key.key_id for key in names) == {}
    assert await office.opening_keys([words.key_id]) != {}, "a process that has not heard of it remembers"
    office.forget("i-1")
    assert await office.opening_keys([words.key_id, kept.key_id]) == {kept.key_id: kept.secret}
    assert await custodian.destroy("i-1") == 0


async def test_a_tombstone_stays_without_key_bytes(keys: Keys) -> None:
    await (await keys.store()).sealing_key("i-1", "office", "tip-1")
    await (await keys.store("keys_custodian")).destroy("i-1")
    row = await (await keys.superuser()).fetchrow("SELECT subject, wrapped, sealing, destroyed_at FROM key")
    assert row is not None
    assert (row["subject"], row["wrapped"], row["sealing"]) == ("i-1", None, False)
    assert row["destroyed_at"] is not None


async def test_after_erasure_new_texts_get_a_new_key(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    old = await office.sealing_key("tip-1", "office", "tip-1")
    await custodian.destroy("tip-1")
    office.forget("tip-1")
    new = await office.sealing_key("tip-1", "office", "tip-1")
    assert new.key_id != old.key_id
    assert await office.opening_keys([old.key_id, new.key_id]) == {new.key_id: new.secret}


async def test_forgetting_everything_asks_again(keys: Keys) -> None:
    store = await keys.store()
    key = await store.sealing_key("tip-1", "office", "tip-1")
    store.forget()
    seen = await queries(store)
    await store.opening_keys([key.key_id])
    await store.sealing_key("tip-1", "office", "tip-1")
    assert asked(seen) == 2


# ------------------------------------------------------------------------------------------------ orphans


async def test_keys_without_an_event_are_swept_and_the_others_stay(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    stored = await office.sealing_key("tip-1", "office", "tip-1")
    lost = await office.sealing_key("tip-2", "office", "tip-2")
    lost_name = await office.sealing_key("i-2", "custodian", "tip-2")
    person = await office.sealing_key("p-1", "office", "tip-2")  # may have been used for another stream as well
    fresh = "tip-3"
    superuser = await keys.superuser()
    assert await custodian.sweep(DAY, only("tip-1")) == 0, "young keys may belong to an append under way"
    await superuser.execute("UPDATE key SET made_at = made_at - interval '2 days'")
    await office.sealing_key(fresh, "office", fresh)
    assert await custodian.sweep(DAY, only("tip-1")) == 0, "first they are retired"
    await superuser.execute("UPDATE key SET retired_at = retired_at - interval '2 days'")
    assert await custodian.sweep(DAY, only("tip-1")) == 2
    left = {str(row["key_id"]) for row in await superuser.fetch("SELECT key_id FROM key")}
    assert {stored.key_id, person.key_id} < left
    assert not {lost.key_id, lost_name.key_id} & left
    assert len(left) == 3


async def test_a_retired_key_still_opens_and_seals_nothing_new(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    old = await office.sealing_key("tip-1", "office", "tip-1")
    superuser = await keys.superuser()
    await superuser.execute("UPDATE key SET made_at = made_at - interval '2 days'")
    await custodian.sweep(DAY, only())
    later = await keys.store()
    assert await later.opening_keys([old.key_id]) == {old.key_id: old.secret}
    assert (await later.sealing_key("tip-1", "office", "tip-1")).key_id != old.key_id
    await superuser.execute("UPDATE key SET retired_at = retired_at - interval '2 days'")
    assert await custodian.sweep(DAY, only("tip-1")) == 0, "an event came after all"
    assert await (await keys.store()).opening_keys([old.key_id]) != {}


async def test_a_young_key_beside_an_old_orphan_is_left_alone(keys: Keys) -> None:
    """The same command, tried again long after it failed: its append may be under way."""
    custodian, superuser = await keys.store("keys_custodian"), await keys.superuser()
    await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    await superuser.execute("UPDATE key SET made_at = made_at - interval '2 days'")
    await custodian.sweep(DAY, only())
    young = await (await keys.store()).sealing_key("tip-1", "office", "tip-1")
    await custodian.sweep(DAY, only())
    row = await superuser.fetchrow("SELECT sealing, retired_at FROM key WHERE key_id = $1::uuid", young.key_id)
    assert row is not None
    assert (row["sealing"], row["retired_at"]) == (True, None)


async def test_streams_with_young_keys_only_are_not_even_asked_about(keys: Keys) -> None:
    await (await keys.store()).sealing_key("tip-1", "office", "tip-1")

    async def known(streams: Sequence[str]) -> set[str]:
        assert streams == []
        return set()

    assert await (await keys.store("keys_custodian")).sweep(DAY, known) == 0


async def test_a_sweep_may_not_overtake_the_memory_of_a_process(keys: Keys) -> None:
    with pytest.raises(ValueError, match="900"):
        await (await keys.store("keys_custodian")).sweep(timedelta(minutes=20), only())


def only(*streams: str) -> Callable[[Sequence[str]], Awaitable[set[str]]]:
    """These streams have an event."""

    async def known(asked_for: Sequence[str]) -> set[str]:
        return set(streams) & set(asked_for)

    return known
