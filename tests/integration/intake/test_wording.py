"""Erasing the office's own words in one record, on real servers: two persons decide, the keys go, and nothing else is touched."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.intake.route import MEDIA_TYPE, track_of
from shared.audit.models import differences
from shared.contracts.envelope import read
from shared.errors import NotReady
from shared.files import Files
from shared.proving import inclusion_proof, root_at
from shared.retention import Tidying
from shared.service import Service
from shared.settings import SERVICES
from shared.sql import Tx
from shared.transparency.checking import check_inclusion
from tests.integration.intake.informants import CUSTODIAN, DEPUTY, LEADER, POLICE, TIPS, done, named_tip, send
from tests.integration.intake.test_informant_pages import get
from tests.integration.intake.test_patrols import GPX
from tests.integration.intake.test_patrols import record as record_of
from tests.support.services import Ground, Town, a_service
from tests.support.town import eventually

WORDS_ERASURES = "/intake/v1/words-erasures"
CLERK = {"post": "clerk"}
SUMMARY, GROUNDS, OTHERS = "钱满仓家后坡夜间放炮", "摘要里写出了钱满仓", "老窑沟口有人拉煤"
ASK = {"ground": "names_informant", "grounds": GROUNDS}
SCREENED = {"outcome": "to_verify", "summary": SUMMARY}


def intake(town: Town) -> Service:
    return town.services["intake"]


async def screened_tip(town: Town) -> str:
    """A tip whose summary names somebody; its id."""
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/screening", CLERK, SCREENED)
    return tip


async def asked(town: Town, record: str, who: dict[str, str] = CLERK) -> Any:
    return await done(town, WORDS_ERASURES, who, {"record": record, **ASK})


async def approved(town: Town, record: str) -> None:
    await asked(town, record)
    await done(town, f"{WORDS_ERASURES}/{record}/approval", LEADER)


async def line_of(town: Town, record: str, post: str = "clerk") -> Any:
    return await town.get(f"{WORDS_ERASURES}/{record}", town.headers(post))


async def erased(town: Town, record: str) -> None:
    """Asked for by a clerk, approved by the group leader, and done."""
    await approved(town, record)
    assert await eventually(lambda: is_erased(town, record), 30)


async def is_erased(town: Town, record: str) -> bool:
    return bool((await line_of(town, record))["state"] == "erased")


KEYS = "SELECT key_id, wrapped FROM public.key WHERE subject = $1 AND wrapped IS NOT NULL ORDER BY key_id"
PUT_BACK = "UPDATE public.key SET wrapped = $2, destroyed_at = NULL WHERE key_id = $1"


@pytest.fixture
async def keys(ground: Ground, own_town: Town) -> AsyncIterator[Any]:
    """The key store of `own_town`, as nobody but a superuser sees it."""
    async with keys_of(ground, own_town) as connection:
        yield connection


def keys_of(ground: Ground, town: Town) -> Any:
    return ground.templates._superuser(intake(town).settings.keys_dsn.rsplit("/", 1)[1])


async def facts_of(town: Town, stream: str) -> list[Any]:
    rows = await intake(town).pool.fetch("SELECT body FROM record.event WHERE stream_id = $1 ORDER BY version", stream)
    return [read(row["body"]) for row in rows]


# ------------------------------------------------------------------------------------------------ two persons


async def test_two_persons_erase_and_the_keys_are_gone_with_what_was_written_to_ask_for_it(
    own_town: Town, keys: Any
) -> None:
    town, record = own_town, f"tip-{await screened_tip(own_town)}"
    opening = await keys.fetch(KEYS, record)
    await asked(town, record)
    told = await line_of(town, record, "group_leader")
    assert (told["state"], told["ground"], told["grounds"]) == ("requested", "names_informant", GROUNDS)
    assert (await line_of(town, record, "auditor"))["grounds"] is None
    await done(town, f"{WORDS_ERASURES}/{record}/approval", LEADER)
    assert await eventually(lambda: is_erased(town, record), 30)
    assert opening and not await keys.fetch(KEYS, record) and not await keys.fetch(KEYS, f"words-{record}")
    *_, of_record, of_request = await facts_of(town, f"words-{record}")
    assert (of_record.type, of_record.actor) == ("intake.words.erased.v1", "system:intake")
    assert of_record.event.subject == record and of_request.event.subject == f"words-{record}"
    assert list(of_record.event.keys) == [str(row["key_id"]) for row in opening]
    assert (await line_of(town, record))["keys_destroyed"] == len(opening)

    async def forgotten() -> bool:
        return (await line_of(town, record, "group_leader"))["grounds"] is None

    assert await eventually(forgotten, 30), "the office's process heard of it, and forgot the key of the grounds too"


async def test_nobody_approves_their_own_request_and_not_everybody_asks_or_decides(town: Town) -> None:
    record = f"tip-{await screened_tip(town)}"
    for who in (POLICE, LEADER, {"post": "auditor"}, {"post": "village_head"}):
        assert (await send(town, WORDS_ERASURES, who, {"record": record, **ASK})).status_code == 403
    await asked(town, record, {"post": "office_director", "person": "p-director"})
    approval = f"{WORDS_ERASURES}/{record}/approval"
    own = await send(town, approval, {"post": "deputy_leader", "person": "p-director"})
    assert (own.status_code, own.json()["rule"]) == (403, "SamePerson")
    assert (await send(town, approval, CUSTODIAN)).status_code == 403
    assert (await town.http.get(WORDS_ERASURES, headers=town.headers("village_head"))).status_code == 403
    await done(town, f"{WORDS_ERASURES}/{record}/refusal", DEPUTY, {"reason": "摘要里没有姓名"})
    told = await line_of(town, record)
    assert (told["state"], told["grounds"], told["reason"]) == ("refused", GROUNDS, "摘要里没有姓名")
    assert [step["type"].split(".")[2] for step in told["steps"]] == ["erasure_requested", "erasure_refused"]
    assert record in [line["record"] for line in await town.get(WORDS_ERASURES, town.headers("auditor"))]


@pytest.mark.parametrize(
    "record", ["tip-nobodys", "patrol-nobodys", "hazard-nobodys", "campaign-zhenchengdi-2018", "keys-1", "words-tip-1"]
)
async def test_what_cannot_be_erased_is_refused_and_says_why(town: Town, record: str) -> None:
    answer = await send(town, WORDS_ERASURES, CLERK, {"record": record, **ASK})
    assert (answer.status_code, answer.json()["rule"]) == (422, "RecordHasNoWords")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_while_an_informant_is_held_the_tips_words_stay_and_those_of_its_hazard(town: Town) -> None:
    tip = await screened_tip(town)
    await done(town, f"{TIPS}/{tip}/verification", {"post": "inspector"}, verified(town))
    await town.settled()
    (hazard,) = (await asked_for(town, tip))["copied_to"]
    await done(town, f"{WORDS_ERASURES}/tip-{tip}/refusal", LEADER, {"reason": "先保全"})
    await done(town, f"{TIPS}/{tip}/hold", POLICE, {"reason": "法院要用"})
    for record in (f"tip-{tip}", hazard):
        held = await send(town, WORDS_ERASURES, CLERK, {"record": record, **ASK})
        assert (held.status_code, held.json()["rule"]) == (409, "InformantIsHeld")


async def test_where_a_record_was_copied_to_and_from_is_told(town: Town) -> None:
    """A patrol's finding is copied into a hazard just as a tip's summary is."""
    patrol = await recorded_patrol(town)
    await town.settled()
    await asked(town, patrol)
    told = await line_of(town, patrol)
    (hazard,) = told["copied_to"]
    await asked(town, hazard)
    back = await line_of(town, hazard)
    assert hazard.startswith("hazard-") and told["copied_from"] == []
    assert patrol in back["copied_from"] and back["copied_to"] == []
    for record, other in ((patrol, hazard), (hazard, patrol)):
        assert other in (await get(town, f"/intake/words/{record}", CLERK)).text


async def recorded_patrol(town: Town) -> str:
    """A patrol with a finding and a track; its stream."""
    patrol = str(uuid4())
    head = town.headers("village_head", "dulan")
    await town.post(f"/intake/v1/patrols/{patrol}/record", record_of(town), head)
    return f"patrol-{patrol}"


async def asked_for(town: Town, tip: str) -> Any:
    await asked(town, f"tip-{tip}")
    return await line_of(town, f"tip-{tip}")


def verified(town: Town) -> dict[str, Any]:
    category, violation = (town.plan.codes(kind)[0] for kind in ("category", "violation"))
    village = town.plan.codes("village")[0]
    return {
        "result": "substantiated", "category": category, "violation": violation, "village": village, "summary": SUMMARY,
    }  # fmt: skip


# ------------------------------------------------------------------------------------------------ what stays


async def test_after_it_every_proof_still_verifies_and_no_byte_has_changed(town: Town) -> None:
    record = f"tip-{await screened_tip(town)}"
    await town.settled()
    pool = intake(town).pool
    rows = "SELECT position, event_id, l.leaf, e.body FROM record.log l JOIN record.event e USING (event_id) ORDER BY 1"
    before = await pool.fetch(rows)
    tx = Tx(pool)  # type: ignore[arg-type]
    root = await root_at(tx, len(before))
    await erased(town, record)
    await town.settled()
    after = await pool.fetch(rows)
    assert after[: len(before)] == before and len(after) > len(before)
    assert await root_at(tx, len(before)) == root
    grown = await root_at(tx, len(after))
    for row in after:
        proof = await inclusion_proof(tx, row["position"], len(after))
        check_inclusion(read(row["body"]).leaf, row["position"] - 1, len(after), grown, proof)


async def test_a_patrols_track_stays_and_is_another_patrols_too(own_town: Town) -> None:
    """A track in two records; one of before, under the patrol's key, goes, and is not said to be kept when it comes again."""
    town, (patrol, other) = own_town, [await recorded_patrol(own_town) for _ in range(2)]
    clerk, old = town.headers("clerk"), track_of(GPX.replace("37.901", "37.902").encode())
    async with intake(town).pool.acquire() as connection:
        await Files(intake(town).sealer).put(Tx(connection), old.content, MEDIA_TYPE, patrol)
    await erased(town, patrol)
    await forgets(town, patrol)
    for each in (patrol, other):
        route = f"/intake/v1/patrols/{each.removeprefix('patrol-')}/route.gpx"
        assert "37.9010000" in (await town.http.get(route, headers=clerk)).text
    gpx = {**town.headers("inspector"), "Content-Type": MEDIA_TYPE}
    again = await town.http.post("/intake/v1/routes", content=old.content, headers=gpx)
    assert (again.status_code, again.json()["rule"]) == (409, "FileKeyDestroyed")
    whole = record_of(town, gpx=old.content.decode())
    path = f"/intake/v1/patrols/{uuid4()}"
    answer = await town.http.post(f"{path}/record", json=whole, headers=town.headers("village_head", "dulan"))
    assert (answer.status_code, answer.json()["rule"]) == (409, "FileKeyDestroyed")
    assert (await town.http.get(path, headers=clerk)).status_code == 404


async def test_the_record_goes_on_and_its_new_words_outlive_a_start_that_erases_again(
    own_town: Town, keys: Any
) -> None:
    """Keys of before that an older copy put back are destroyed; the key that came afterwards is nobody's business."""
    town, tip = own_town, await screened_tip(own_town)
    record = f"tip-{tip}"
    kept = await keys.fetch(KEYS, record)
    await erased(town, record)
    await forgets(town, record)
    await done(town, f"{TIPS}/{tip}/closing", CLERK, {"reason": "duplicate", "note": "与前一条重复"})
    new = await keys.fetch(KEYS, record)
    assert kept and len(new) == 1 and new[0]["key_id"] not in {row["key_id"] for row in kept}

    await keys.executemany(PUT_BACK, kept)
    custodian = intake(town).custodian
    assert custodian is not None
    tidying = Tidying("intake", intake(town).pool, keys=custodian)
    assert await tidying.erased_again() == len(kept)
    assert await keys.fetch(KEYS, record) == new and await tidying.erased_again() == 0


async def forgets(town: Town, subject: str) -> None:
    """Until the office's process has no key of it in memory."""
    opening = intake(town).sealer.keys._opening._values

    async def empty() -> bool:
        return not [one for _, one in opening.values() if one.subject == subject]

    assert await eventually(empty, 30)


# ------------------------------------------------------------------------------------------------ what people read


TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema IN ('view', 'work', 'record', 'shadow') AND table_type = 'BASE TABLE'
"""


async def holding(town: Town, text: str) -> set[str]:
    """service.table of every table with a row that holds the text."""
    found = set()
    for service in town.services.values():
        for schema, table in await service.pool.fetch(TABLES):
            try:
                held = str(await service.pool.fetch(f'SELECT t::text FROM {schema}."{table}" t'))
            except asyncpg.UndefinedTableError:  # a shadow that took a table's place meanwhile
                continue
            if text in held or text.encode().hex() in held or ascii(text)[1:-1] in held:
                found.add(f"{service.name}.{table}")
    return found


@pytest.fixture
async def whole_town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, *SERVICES) as made:
        yield made


async def gone(town: Town, *still: str) -> None:
    """Until no service but `still` holds the summary in any table."""

    async def only_there() -> bool:
        return {place.partition(".")[0] for place in await holding(town, SUMMARY)} == set(still)

    assert await eventually(only_there, 60)


async def test_the_words_leave_the_read_models_of_every_service_and_nothing_else_does(whole_town: Town) -> None:
    """Nobody types a command. A summary was copied into the hazard, which is a record of its own: it is asked for apart."""
    town, tip, other = whole_town, await screened_tip(whole_town), str((await named_tip(whole_town))[1])
    await done(town, f"{TIPS}/{other}/screening", CLERK, SCREENED | {"summary": OTHERS})
    await done(town, f"{TIPS}/{tip}/verification", {"post": "inspector"}, verified(town))
    await town.settled()
    (hazard,) = (await asked_for(town, tip))["copied_to"]
    assert await holding(town, SUMMARY) == {
        "intake.tip_line", "intake.step", "cases.hazard_page", "cases.hazard_source", "cases.hazard_timeline",
    }  # fmt: skip
    assert await holding(town, GROUNDS) == set(), "the grounds stand in no read model"
    await done(town, f"{WORDS_ERASURES}/tip-{tip}/approval", LEADER)
    await gone(town, "cases")
    await erased(town, hazard)
    await gone(town)
    await town.settled()
    assert await holding(town, OTHERS) == {"intake.tip_line", "intake.step"}
    line = await town.get(f"{TIPS}/{tip}", town.headers("inspector"))
    assert (line["summary"], line["state"]) == (None, "substantiated")
    assert (await town.get(f"{TIPS}/{other}", town.headers("inspector")))["summary"] == OTHERS
    for service in town.services.values():
        assert [line async for line in differences(service)] == []


async def test_a_rebuild_that_was_killed_is_done_again_and_none_is_made_without_need(own_town: Town) -> None:
    town, record = own_town, f"tip-{await screened_tip(own_town)}"
    (running,) = [task for task in intake(town)._tasks if task.get_name() == "intake rebuilding"]
    running.cancel()
    await erased(town, record)
    await town.settled()
    made: list[str] = []

    async def rebuild() -> None:
        made.append("rebuilt")
        if len(made) == 1:
            raise NotReady("killed")

    part = replace(intake(town).rebuilding, rebuild=rebuild)
    with pytest.raises(NotReady):
        await part.once()
    assert await part.once() and len(made) == 2, "it waited still"
    assert not await part.once()
    await intake(town).pool.execute("INSERT INTO work.due VALUES ('rebuilding', 'site-elsewhere', now())")
    assert await part.once() and len(made) == 2, "a record of another service"


async def test_what_was_erased_is_in_no_copy_of_a_moment_before_it(own_town: Town) -> None:
    """A copy that is kept for further questions is dropped when the erasure is heard of."""
    town, tip = own_town, await screened_tip(own_town)
    await town.settled()
    town.clock.move_to(town.clock.now() + timedelta(hours=1))
    then = (town.clock.now() - timedelta(minutes=30)).isoformat()

    async def summary_then() -> Any:
        (line,) = (await town.get(TIPS, town.headers("auditor"), as_of=then))["items"]
        return line["summary"]

    assert await summary_then() == SUMMARY
    await erased(town, f"tip-{tip}")

    async def none_then() -> bool:
        return await summary_then() is None

    assert await eventually(none_then, 30)
