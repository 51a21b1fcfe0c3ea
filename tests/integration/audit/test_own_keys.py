"""Keys that open nothing any more: erased by two persons they are no fault, and by hand they are one, whatever else is gone."""

from collections.abc import AsyncIterator

import pytest

from shared.audit.own_keys import OwnKeys
from tests.integration.intake.informants import CUSTODIAN, ERASE, LEADER, TIPS, done, named_tip
from tests.support.services import Ground, Town, a_service
from tests.support.town import eventually

WORDS_ERASURES = "/intake/v1/words-erasures"
DESTROY = "UPDATE key SET wrapped = NULL, sealing = false, destroyed_at = now() WHERE subject = $1"


@pytest.fixture
async def town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, "intake") as town:
        yield town


async def screened(town: Town) -> tuple[str, str]:
    """(stream of a tip with words of the informant and of the office, the informant)."""
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/screening", {"post": "clerk"}, {"outcome": "to_verify", "summary": "夜间拉煤"})
    informant = await town.services["intake"].pool.fetchval(
        "SELECT convert_from(body, 'UTF8')::json -> 'data' ->> 'informant' FROM record.event "
        "WHERE stream_id = $1 AND version = 1",
        f"tip-{tip}",
    )
    return f"tip-{tip}", informant


async def found(town: Town) -> list[tuple[int | None, str]]:
    await town.settled()
    intake = town.services["intake"]
    own = OwnKeys(intake.pool, intake.keys_pool)
    for row in await intake.pool.fetch("SELECT position, body FROM record.log JOIN record.event USING (event_id)"):
        await own.read(row["position"], row["body"])
    return [(each.position, each.en) async for each in own.faults()]


async def forced(ground: Ground, town: Town, sql: str, *values: object) -> None:
    """In the key store, as superuser."""
    async with ground.templates._superuser(town.services["intake"].settings.keys_dsn.rsplit("/", 1)[1]) as connection:
        await connection.execute(sql, *values)


async def test_what_two_persons_erased_is_no_fault(town: Town) -> None:
    tip, informant = await screened(town)
    await done(town, f"{TIPS}/{tip.removeprefix('tip-')}/erasure", CUSTODIAN, ERASE)
    await done(town, f"{TIPS}/{tip.removeprefix('tip-')}/erasure/approval", LEADER)
    await town.settled()
    ask = {"record": tip, "ground": "names_informant", "grounds": "摘要里写出了姓名"}
    await done(town, WORDS_ERASURES, {"post": "clerk"}, ask)
    await done(town, f"{WORDS_ERASURES}/{tip}/approval", LEADER)

    async def all_erased() -> bool:
        pool = town.services["intake"].pool
        told = await pool.fetch(
            "SELECT convert_from(body, 'UTF8')::json -> 'data' ->> 'subject' FROM record.event WHERE type LIKE '%.erased.v1'"
        )
        return {tip, informant} <= {row[0] for row in told}

    assert await eventually(all_erased, 30)
    assert await found(town) == []


async def test_what_somebody_destroyed_by_hand_is_named_once_with_its_first_event(ground: Ground, town: Town) -> None:
    await screened(town)
    _, informant = await screened(town)
    assert await found(town) == []
    await forced(ground, town, DESTROY, informant)
    first = await town.services["intake"].pool.fetchval(
        "SELECT min(position) FROM record.log JOIN record.event USING (event_id) WHERE convert_from(body, 'UTF8') LIKE $1",
        f"%{informant}%",
    )
    told = await found(town)
    assert told and {position for position, _ in told} == {first}
    assert all(f"sealed about {informant} does not open" in words for _, words in told)


async def test_an_erasure_of_one_record_is_no_excuse_for_another(ground: Ground, town: Town) -> None:
    """Nor for a key of the same record that the erasure does not name: the record went on with it."""
    tip, _ = await screened(town)
    other, _ = await screened(town)
    ask = {"record": tip, "ground": "names_informant", "grounds": "摘要里写出了姓名"}
    await done(town, WORDS_ERASURES, {"post": "clerk"}, ask)
    await done(town, f"{WORDS_ERASURES}/{tip}/approval", LEADER)

    async def is_erased() -> bool:
        line = await town.get(f"{WORDS_ERASURES}/{tip}", town.headers("clerk"))
        return bool(line["state"] == "erased")

    assert await eventually(is_erased, 30)
    town.services["intake"].sealer.keys.forget()
    await town.post(
        f"{TIPS}/{tip.removeprefix('tip-')}/corrections",
        {"field": "summary", "value": {"text": "夜间有车"}, "reason": "看错"},
        town.headers("clerk"),
    )
    assert await found(town) == []
    await forced(ground, town, DESTROY, other)
    await forced(ground, town, DESTROY, tip)
    assert {words.split(" does not open")[0] for _, words in await found(town)} == {
        f"what is sealed about {tip}",
        f"what is sealed about {other}",
    }


async def test_a_key_whose_row_is_gone_is_named(ground: Ground, town: Town) -> None:
    tip, _ = await screened(town)
    await forced(ground, town, "DELETE FROM key WHERE subject = $1", tip)
    assert [words.split(" does not open")[0] for _, words in await found(town)] == [f"what is sealed about {tip}"]
