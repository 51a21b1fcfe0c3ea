"""Erasing an informant on real servers: two persons decide, the keys go, then the fact is recorded; nothing else is touched."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from shared.contracts.envelope import read
from shared.contracts.event import Sealed
from shared.proving import inclusion_proof, root_at
from shared.service import Service
from shared.sql import Tx
from shared.stream import stream_name
from shared.transparency.checking import check_inclusion
from tests.integration.intake.informants import (
    CONTACT,
    CUSTODIAN,
    DEPUTY,
    ERASE,
    LEADER,
    NAME,
    POLICE,
    PUBLIC,
    TIPS,
    WORDS,
    approved,
    done,
    erased,
    named_tip,
    opens,
    send,
)
from tests.support.crash import dies, kill_at
from tests.support.services import Ground, Town, a_service
from tests.support.town import eventually


async def words(town: Town, tip: str) -> list[str | None]:
    return [w["words"] for w in (await town.get(f"{TIPS}/{tip}", town.headers("clerk")))["words"]]


async def subject_of(town: Town, tip: str) -> str:
    """The random id that stands for the informant."""
    body = await intake(town).pool.fetchval(
        "SELECT body FROM record.event WHERE stream_id = $1 AND version = 1", f"tip-{tip}"
    )
    return str(read(body).event.informant)  # type: ignore[attr-defined]


def intake(town: Town) -> Service:
    return town.services["intake"]


async def live_keys(town: Town, subject: str) -> int:
    """How many keys of the subject still have their bytes."""
    assert intake(town).custodians_pool is not None
    pool = intake(town).custodians_pool
    assert pool is not None
    return int(await pool.fetchval("SELECT count(*) FROM key WHERE subject = $1 AND wrapped IS NOT NULL", subject))


async def types_of(town: Town, tip: str) -> list[str]:
    rows = await intake(town).pool.fetch(
        "SELECT type FROM record.event WHERE stream_id = $1 ORDER BY version", f"tip-{tip}"
    )
    return [row[0] for row in rows]


# ------------------------------------------------------------------------------------------------ the whole way


async def test_two_persons_erase_and_nobody_reads_the_informant_again(town: Town) -> None:
    receipt, tip = await named_tip(town)
    await town.post(f"{PUBLIC}/supplements", {"receipt": receipt, "words": "又来了一次"})
    subject = await subject_of(town, tip)
    assert await words(town, tip) == [WORDS, "又来了一次"]
    await erased(town, tip)
    assert await eventually(lambda: _all_none(town, tip), 5), "the office's process heard of it, and forgot the keys"
    assert await live_keys(town, subject) == 0
    last = (
        await intake(town).pool.fetch(
            "SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version", f"tip-{tip}"
        )
    )[-1]
    event = read(last["body"])
    assert (event.type, event.event.model_dump(), event.actor) == (
        "intake.informant.erased.v1", {"subject": subject}, "system:intake",
    )  # fmt: skip
    line = await town.get(f"{TIPS}/{tip}", town.headers("clerk"))
    assert (line["erasure"], line["state"], line["channel"]) == ("erased", "received", "hotline")


async def _all_none(town: Town, tip: str) -> bool:
    return not any(await words(town, tip))


async def test_the_receipt_still_answers_and_says_what_happened(town: Town) -> None:
    receipt, tip = await named_tip(town)
    await erased(town, tip)
    status = await town.post(f"{PUBLIC}/status", {"receipt": receipt})
    assert (status["state"], status["detail"], status["may_supplement"]) == ("closed", "erased", False)
    assert "删除" in status["message"] and "erased" in status["message_en"]
    more = await town.http.post(
        f"{PUBLIC}/supplements", json={"receipt": receipt, "words": "还有"}, headers={"Idempotency-Key": "x"}
    )
    assert (more.status_code, more.json()["rule"]) == (410, "InformantErased")
    page = await town.http.post("/tip/status", data={"receipt": receipt}, headers={"Accept": "text/html"})
    assert page.status_code == 200 and "已按规定删除" in page.text and "提交补充" not in page.text


async def test_nobody_approves_their_own_request_and_not_everybody_decides(town: Town) -> None:
    _, tip = await named_tip(town)
    path = f"{TIPS}/{tip}/erasure"
    for who in (POLICE, LEADER, {"post": "auditor"}, {"post": "village_head"}):
        assert (await send(town, path, who, ERASE)).status_code == 403
    director = {"post": "office_director", "person": "p-director"}
    await done(town, path, director, ERASE)
    own = await send(town, f"{path}/approval", {"post": "deputy_leader", "person": "p-director"})
    assert (own.status_code, own.json()["rule"]) == (403, "SamePerson")
    assert (await send(town, f"{path}/approval", CUSTODIAN)).status_code == 403
    await done(town, f"{path}/refusal", DEPUTY, {"reason": "案件未结"})
    assert (await town.get(f"{TIPS}/{tip}", town.headers("clerk")))["erasure"] == "refused"
    assert await words(town, tip) == [WORDS]


async def test_what_is_held_is_not_erased(town: Town) -> None:
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/hold", POLICE, {"reason": "法院要用"})
    held = await send(town, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE)
    assert (held.status_code, held.json()["rule"]) == (409, "InformantIsHeld")
    assert (await send(town, f"{TIPS}/{tip}/release", CUSTODIAN, {"reason": "已结"})).status_code == 403
    await done(town, f"{TIPS}/{tip}/release", LEADER, {"reason": "已结"})
    await erased(town, tip)


# ------------------------------------------------------------------------------------------------ what stays


async def test_after_an_erasure_every_proof_still_verifies_and_no_byte_has_changed(town: Town) -> None:
    _, tip = await named_tip(town)
    await town.settled()
    pool = intake(town).pool
    rows = "SELECT position, event_id, l.leaf, e.body FROM record.log l JOIN record.event e USING (event_id) ORDER BY 1"
    before = await pool.fetch(rows)
    tx = Tx(pool)  # type: ignore[arg-type]
    root = await root_at(tx, len(before))
    await erased(town, tip)
    after = await pool.fetch(rows)
    assert after[: len(before)] == before
    assert await root_at(tx, len(before)) == root
    grown = await root_at(tx, len(after))
    for row in after:
        proof = await inclusion_proof(tx, row["position"], len(after))
        check_inclusion(read(row["body"]).leaf, row["position"] - 1, len(after), grown, proof)


async def test_the_bus_holds_ciphertext_alone(town: Town) -> None:
    await named_tip(town)
    await town.settled()
    service = intake(town)
    name = stream_name(service.settings.jurisdiction, "intake")
    last = (await service.nc.jetstream().stream_info(name)).state.last_seq
    message = await service.nc.jetstream().get_msg(name, last)
    event = read(message.data or b"").event
    assert isinstance(event.name, Sealed) and isinstance(event.words, Sealed)  # type: ignore[attr-defined]
    for text in (NAME, CONTACT, WORDS):
        assert text.encode() not in (message.data or b"")


TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema IN ('view', 'work', 'record') AND table_type = 'BASE TABLE'
"""


async def test_neither_a_table_nor_the_log_holds_a_text_of_the_informant_before_or_after(
    town: Town, capfd: pytest.CaptureFixture[str]
) -> None:
    """So there is nothing to clear when the keys are gone. Searched: every row of every schema, as text, and what was logged."""
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    assert (await opens(town, disclosure)).json()["name"] == NAME
    await done(
        town, f"{TIPS}/{tip}/screening", {"post": "clerk"}, {"outcome": "to_verify", "summary": "某井口夜间运煤"}
    )
    await town.settled()
    told = (NAME, CONTACT, WORDS, "刑事案件需要核对时间", ERASE["grounds"])
    for _ in ("before", "after"):
        for service in town.services.values():
            for schema, table in await service.pool.fetch(TABLES):
                held = str(await service.pool.fetch(f'SELECT t::text FROM {schema}."{table}" t'))
                for text in told:
                    assert text not in held and text.encode().hex() not in held, f"{service.name}: {schema}.{table}"
        if (await town.get(f"{TIPS}/{tip}", town.headers("clerk")))["erasure"] is None:
            await erased(town, tip)
    logged = "".join(capfd.readouterr())
    assert not [text for text in told if text in logged or ascii(text)[1:-1] in logged]
    assert (await town.get(f"/intake/v1/disclosures/{disclosure}", town.headers("custodian")))["grounds"] is None


# ------------------------------------------------------------------------------------------------ killed in between


@pytest.fixture
async def own_town(ground: Ground) -> AsyncIterator[Town]:
    """The office's process: it has no custodian's keys."""
    async with a_service(ground, "intake", keys_custodian_dsn=None) as made:
        yield made


@asynccontextmanager
async def custodians_door(ground: Ground, town: Town, *parts: str) -> AsyncIterator[Service]:
    """A second process of intake, which has the custodian's keys; running nothing but `parts`."""
    office = intake(town).settings
    app, keys = (dsn.rsplit("/", 1)[1] for dsn in (office.app_dsn, office.keys_dsn))
    given = ground.settings("intake", app, keys, town.folder, office.jurisdiction)
    door = Service(intake(town).card, given, town.clock, frozenset(parts))
    await door.open()
    try:
        door.start()
        yield door
    finally:
        await door.close()


async def left_of(door: Service, subject: str) -> int:
    """How many keys of the subject still have their bytes."""
    assert door.custodians_pool is not None
    keys = "SELECT count(*) FROM key WHERE subject = $1 AND wrapped IS NOT NULL"
    return int(await door.custodians_pool.fetchval(keys, subject))


async def approved_erasure(town: Town) -> tuple[str, str]:
    """(tip, subject) of an erasure that waits to be done."""
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE)
    await done(town, f"{TIPS}/{tip}/erasure/approval", LEADER)
    return tip, await subject_of(town, tip)


async def test_an_approved_erasure_waits_for_the_process_that_has_the_custodians_keys(
    ground: Ground, own_town: Town
) -> None:
    """The office's process neither opens nor erases. The custodian's does both, whenever it comes; the office hears of it."""
    town = own_town
    tip, subject = await approved_erasure(town)
    await town.settled()
    assert intake(town).custodian is None
    assert await words(town, tip) == [WORDS]
    async with custodians_door(ground, town, "web", "timers") as door:
        assert await left_of(door, subject) > 0 or await _is_erased(town, tip)
        assert await eventually(lambda: _is_erased(town, tip), 10)
        assert await left_of(door, subject) == 0
        assert await eventually(lambda: _all_none(town, tip), 10), "the office's process heard of it on the bus"


async def test_killed_at_any_point_an_erasure_is_done_once_and_never_lost(ground: Ground, own_town: Town) -> None:
    """Between the two commits the keys are gone and nothing says so: the work is still there, and the next one does it."""
    town = own_town
    tip, subject = await approved_erasure(town)
    for point, events in (
        ("timer: before the commit", 0),
        ("timer: before the commit", 0),
        ("timer: after the commit", 1),
    ):
        async with custodians_door(ground, town) as door:
            door.clockwork.points = kill_at(point)
            await dies(door.clockwork)
            assert await left_of(door, subject) == 0
            assert (await types_of(town, tip)).count("intake.informant.erased.v1") == events
            assert await intake(town).pool.fetchval(WAITING) == 1 - events
    async with custodians_door(ground, town) as door:
        assert not await door.clockwork.once(), "nothing is left to do"
    assert (await types_of(town, tip))[-2:] == ["intake.informant.erasure_approved.v1", "intake.informant.erased.v1"]


WAITING = "SELECT count(*) FROM work.due WHERE timer = 'erasure'"


async def _is_erased(town: Town, tip: str) -> bool:
    return (await types_of(town, tip))[-1] == "intake.informant.erased.v1"


async def test_an_office_that_does_not_hear_of_it_forgets_within_a_quarter_of_an_hour(town: Town) -> None:
    """What stands in the key store's memory has an end; nothing has to be heard."""
    keys = intake(town).sealer.keys
    assert keys._opening._seconds == keys._sealing._seconds == timedelta(minutes=15).total_seconds()


async def test_words_that_come_while_the_keys_go_are_refused_and_leave_no_key(town: Town) -> None:
    """A supplement decided before the approval, appended after the keys are gone."""
    receipt, tip = await named_tip(town)
    subject = await subject_of(town, tip)
    custodian = intake(town).custodian
    assert custodian is not None
    await custodian.destroy(subject)
    intake(town).sealer.keys.forget(subject)
    late: Any = await town.http.post(
        f"{PUBLIC}/supplements", json={"receipt": receipt, "words": "还有"}, headers={"Idempotency-Key": "x"}
    )
    assert (late.status_code, late.json()["rule"]) == (410, "SubjectErased")
    assert await live_keys(town, subject) == 0
