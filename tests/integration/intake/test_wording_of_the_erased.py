"""An informant is erased: what was written to have words erased, of the tip and of its hazard, goes with the same approval."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from shared.contracts.intake.opening import IntakeOpeningMade
from shared.decider import Actor
from shared.opening import record_opening
from tests.integration.intake.informants import CUSTODIAN, DEPUTY, ERASE, LEADER, TIPS, done
from tests.integration.intake.test_erasure import custodians_door
from tests.integration.intake.test_wording import (
    CLERK,
    GROUNDS,
    WORDS_ERASURES,
    approved,
    asked,
    facts_of,
    get,
    intake,
    line_of,
    screened_tip,
    verified,
)
from tests.integration.intake.test_wording_under_way import ALIVE
from tests.support.crash import dies, kill_at
from tests.support.services import Ground, Town, a_service
from tests.support.town import eventually

ERASED = "intake.words.erased.v1"


@pytest.fixture
async def office(ground: Ground) -> AsyncIterator[Town]:
    """The office's process: it has no custodian's keys."""
    async with a_service(ground, "intake", "cases", keys_custodian_dsn=None) as made:
        yield made


async def opened(town: Town, record: str) -> UUID:
    """An opening of the record, with a reason that names somebody."""
    who = Actor("p-auditor", "auditor", "audit_office")
    return await record_opening(intake(town).app, kind="pack", about=(record,), reason=GROUNDS, actor=who)


async def _stream_of(town: Town, event: UUID) -> str:
    return str(await intake(town).pool.fetchval("SELECT stream_id FROM record.event WHERE event_id = $1", event))


async def opening_streams(town: Town) -> set[str]:
    rows = await intake(town).pool.fetch("SELECT stream_id FROM record.event WHERE type = $1", IntakeOpeningMade.type)
    return {row["stream_id"] for row in rows}


async def alive(town: Town, *subjects: str) -> int:
    return len(await intake(town).keys_pool.fetch(ALIVE, list(subjects)))


async def test_requests_decided_or_not_go_with_the_informant_and_one_that_waited_is_closed(
    ground: Ground, office: Town
) -> None:
    """Killed before it could be said, it is done again, with what was written meanwhile, and names every key."""
    tip = await screened_tip(office)
    await done(office, f"{TIPS}/{tip}/verification", {"post": "inspector"}, verified(office))
    await office.settled()
    record = f"tip-{tip}"
    await asked(office, record)
    await done(office, f"{WORDS_ERASURES}/{record}/refusal", DEPUTY, {"reason": GROUNDS})
    (hazard,) = (await line_of(office, record))["copied_to"]
    await asked(office, hazard)
    await asked(office, f"words-{record}")
    await opened(office, f"words-{hazard}")
    reading = await _stream_of(office, await opened(office, record))
    await asked(office, reading)
    records = (record, hazard, f"words-{record}", reading)
    requests = [f"words-{each}" for each in records]
    readings = await opening_streams(office)
    assert await alive(office, *requests) == 4 and await alive(office, *readings) == len(readings) > 0
    await done(office, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE)
    await done(office, f"{TIPS}/{tip}/erasure/approval", LEADER)
    for point in ("timer: before the commit", "timer: after the commit"):
        async with custodians_door(ground, office) as door:
            door.clockwork.points = kill_at(point)
            await dies(door.clockwork)
        if point.endswith("before the commit"):
            assert await alive(office, *requests) == 0
            await done(office, f"{WORDS_ERASURES}/{reading}/refusal", DEPUTY, {"reason": GROUNDS})
            assert await alive(office, *requests) == 1
    assert await alive(office, *requests, *readings) == 0
    assert await alive(office, record) == 1, "the office's words in the tip stay"
    for stream in requests:
        said = [fact for fact in await facts_of(office, stream) if fact.type == ERASED]
        assert [(one.event.subject, len(one.event.keys)) for one in said] == [(stream, 1 + (stream == requests[-1]))]
    states = [(await line_of(office, each))["state"] for each in records]
    assert states == ["refused", "closed", "closed", "refused"]

    async def forgotten() -> bool:
        return (await line_of(office, record, "group_leader"))["grounds"] is None

    assert await eventually(forgotten, 30), "the office's process heard of it"
    page = (await get(office, f"/intake/words/{hazard}", CLERK)).text
    assert "已关闭" in page and "申请时写的理由一并删除" in page
    await asked(office, hazard)
    assert (await line_of(office, hazard))["state"] == "requested"


async def test_one_that_was_approved_goes_on_and_is_done(ground: Ground, office: Town) -> None:
    """Whichever of the two is done first."""
    tip = await screened_tip(office)
    record = f"tip-{tip}"
    await done(office, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE)
    await asked(office, record)
    await done(office, f"{TIPS}/{tip}/erasure/approval", LEADER)
    await done(office, f"{WORDS_ERASURES}/{record}/approval", LEADER)
    async with custodians_door(ground, office) as door:
        while await door.clockwork.once():
            pass
    assert await alive(office, record, f"words-{record}") == 0
    line = await line_of(office, record)
    assert (line["state"], line["keys_destroyed"]) == ("erased", 1)


async def test_what_a_record_erases_takes_the_reasons_for_which_its_request_was_read(
    ground: Ground, office: Town
) -> None:
    record = f"tip-{await screened_tip(office)}"
    await approved(office, record)
    opening = await _stream_of(office, await opened(office, f"words-{record}"))
    await asked(office, opening)
    assert await alive(office, opening, f"words-{opening}") == 2
    async with custodians_door(ground, office) as door:
        assert await door.clockwork.once()
    assert await alive(office, opening, f"words-{opening}", record, f"words-{record}") == 0
    for stream in (f"words-{record}", f"words-{opening}"):
        *_, last = await facts_of(office, stream)
        assert len(last.event.keys) == 1
        assert last.event.subject == (opening if stream == f"words-{record}" else stream)
    assert (await line_of(office, opening))["state"] == "closed"
