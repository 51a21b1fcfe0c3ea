"""Erasing a record's words while it is written in, while whoever erases is killed, and while somebody holds it up."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper
from shared.retention import Tidying
from tests.integration.intake.informants import DEPUTY, LEADER, POLICE, TIPS, done, send
from tests.integration.intake.test_erasure import custodians_door
from tests.integration.intake.test_wording import (
    CLERK,
    WORDS_ERASURES,
    approved,
    facts_of,
    intake,
    is_erased,
    keys_of,
    screened_tip,
)
from tests.support.crash import dies, kill_at
from tests.support.services import MASTER_KEY, Ground, Town, a_service


@pytest.fixture
async def office(ground: Ground) -> AsyncIterator[Town]:
    """The office's process: it has no custodian's keys."""
    async with a_service(ground, "intake", keys_custodian_dsn=None) as made:
        yield made


ALIVE = "SELECT key_id FROM key WHERE subject = ANY($1) AND wrapped IS NOT NULL"


async def test_killed_at_any_point_it_is_done_once_and_never_said_too_early(ground: Ground, office: Town) -> None:
    """Nor does it take the key of what is written in the record while whoever erases is down."""
    tip = await screened_tip(office)
    record, stream = f"tip-{tip}", f"words-tip-{tip}"
    await approved(office, record)
    before, after = "timer: before the commit", "timer: after the commit"
    kept: list[Any] = []
    for point, events in ((before, 0), (before, 0), (after, 2)):
        async with custodians_door(ground, office) as door:
            door.clockwork.points = kill_at(point)
            await dies(door.clockwork)
            assert await intake(office).keys_pool.fetch(ALIVE, [record, stream]) == kept
            said = [fact for fact in await facts_of(office, stream) if fact.type == "intake.words.erased.v1"]
            assert len(said) == events
        if not kept:
            await done(office, f"{TIPS}/{tip}/closing", CLERK, {"reason": "duplicate", "note": "与前一条重复"})
            kept = await intake(office).keys_pool.fetch(ALIVE, [record, stream])
    assert len(said[0].event.keys) == 1, "named although they had been destroyed by the one that was killed"
    assert len(kept) == 1 and str(kept[0]["key_id"]) not in said[0].event.keys
    async with custodians_door(ground, office) as door:
        assert not await door.clockwork.once(), "nothing is left to do"


async def test_a_text_written_while_the_keys_go_is_sealed_with_another_and_stays(ground: Ground, office: Town) -> None:
    """By a process that hears of nothing. Who was given a key before it was retired still has a moment to store the text."""
    record = f"tip-{await screened_tip(office)}"

    def process() -> KeyStore:
        return KeyStore(
            intake(office).keys_pool, EnvironmentWrapper(MASTER_KEY), "intake", frozenset({"all", "office"})
        )

    deaf = process()
    old = await deaf.sealing_key(record, "office", record)
    await approved(office, record)
    async with custodians_door(ground, office) as door:
        erasing = asyncio.create_task(door.clockwork.once())
        async with asyncio.timeout(20):
            while (new := await deaf.sealing_key(record, "office", record)) == old:
                await asyncio.sleep(0.02)
        assert await process().opening_keys([old.key_id, new.key_id]) == {k.key_id: k.secret for k in (old, new)}
        assert await erasing
    assert await process().opening_keys([old.key_id, new.key_id]) == {new.key_id: new.secret}
    assert (await facts_of(office, f"words-{record}"))[-2].event.keys == (old.key_id,)
    assert await deaf.sealing_key(record, "office", record) == new


async def test_an_informant_who_is_held_after_the_approval_keeps_the_erasure_waiting(
    ground: Ground, office: Town
) -> None:
    tip = await screened_tip(office)
    record = f"tip-{tip}"
    await approved(office, record)
    await done(office, f"{TIPS}/{tip}/hold", POLICE, {"reason": "法院要用"})
    there = await intake(office).keys_pool.fetch(ALIVE, [record])
    async with custodians_door(ground, office) as door:
        assert await door.clockwork.once() and not await door.clockwork.once()
        assert await intake(office).keys_pool.fetch(ALIVE, [record]) == there and not await is_erased(office, record)
        await done(office, f"{TIPS}/{tip}/release", LEADER, {"reason": "已结案"})
        office.clock.move_to(office.clock.now() + timedelta(hours=1, seconds=1))
        assert await door.clockwork.once() and await is_erased(office, record)


async def test_what_was_destroyed_leaves_the_files_after_the_erasure_and_undoes_none_where_it_cannot(
    ground: Ground, office: Town
) -> None:
    """Not in its own transaction: Postgres would carry the destroyed keys along."""
    record = f"tip-{await screened_tip(office)}"
    await approved(office, record)
    async with custodians_door(ground, office) as door, keys_of(ground, office) as keys:
        uncleared = "SELECT cardinality(uncleared())"
        assert await door.clockwork.once() and await is_erased(office, record)
        assert await keys.fetchval(uncleared) == 2
        await keys.execute("REVOKE MAINTAIN ON public.key FROM keys_custodian")
        tidying = Tidying("intake", intake(office).pool, keys=door.custodian)
        await tidying.once()
        assert await keys.fetchval(uncleared) == 2 and not await door.clockwork.once()
        await keys.execute("GRANT MAINTAIN ON public.key TO keys_custodian")
        clearing = asyncio.create_task(tidying.clears())
        async with asyncio.timeout(30):
            while await keys.fetchval(uncleared):
                await asyncio.sleep(0.1)
        clearing.cancel()


async def test_an_approval_sent_again_and_one_too_late_change_nothing(office: Town) -> None:
    record = f"tip-{await screened_tip(office)}"
    await approved(office, record)
    assert (await send(office, f"{WORDS_ERASURES}/{record}/approval", DEPUTY)).is_success
    late = await send(office, f"{WORDS_ERASURES}/{record}/refusal", DEPUTY, {"reason": "反悔"})
    assert (late.status_code, late.json()["rule"]) == (409, "WordsBeingErased")
