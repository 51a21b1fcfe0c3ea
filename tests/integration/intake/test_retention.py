"""What has outlived the plan's term is proposed, by the campaign's clock, and erased by nobody but two persons."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from services.intake.read_models import tip_handling
from shared.contracts.envelope import read
from shared.read_model import write_all
from shared.sql import Tx
from tests.integration.intake.informants import (
    CUSTODIAN,
    ERASE,
    LEADER,
    TIPS,
    done,
    erased,
    named_tip,
)
from tests.support.plans import loaded
from tests.support.services import MONDAY, Ground, Town, a_service

TRUE = {
    "result": "substantiated",
    "village": "140181101207",
    "category": "abandoned_shaft",
    "violation": "unlicensed_digging",
    "summary": "老井口有新挖痕迹",
}
CLERK, INSPECTOR = {"post": "clerk"}, {"post": "inspector"}
RULE = next(r for r in loaded().plan.rules if r.code == "informant_retention")


@pytest.fixture
async def own_town(ground: Ground) -> AsyncIterator[Town]:
    async with a_service(ground, "intake") as made:
        yield made


async def due(town: Town, **query: Any) -> dict[str, datetime]:
    """tip -> when its informant's data was due."""
    told = await town.get("/intake/v1/retention", town.headers("custodian"), **query)
    return {item["tip"]: datetime.fromisoformat(item["due_at"]) for item in told["items"]}


async def closed(town: Town) -> str:
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/closing", CLERK, {"reason": "duplicate"})
    return tip


def test_the_term_stands_in_the_plan_with_its_source() -> None:
    assert (RULE.value, RULE.unit) == (6, "months")
    assert "个人信息保护法第十九条" in RULE.source.text


async def test_a_closed_tip_falls_due_when_the_plans_term_is_over_and_not_before(own_town: Town) -> None:
    town = own_town
    tip, open_tip = await closed(town), (await named_tip(town))[1]
    end = town.plan.due("informant_retention", MONDAY)
    assert end > MONDAY + timedelta(days=180)
    town.clock.move_to(end - timedelta(seconds=1))
    assert await due(town) == {}
    town.clock.move_to(end)
    assert await due(town) == {tip: end}
    await town.settled()
    line = await town.get(f"{TIPS}/{tip}", town.headers("clerk"))
    assert line["erasure"] is None and line["words"][0]["words"], "it proposes; it erases nothing"
    assert open_tip not in await due(town), "what never ended never falls due"


async def test_what_is_held_asked_for_or_erased_is_not_proposed_again(own_town: Town) -> None:
    town = own_town
    held, waits, refused, gone = [await closed(town) for _ in range(4)]
    town.clock.move_to(MONDAY + timedelta(days=200))
    assert set(await due(town)) == {held, waits, refused, gone}
    assert set(await due(town, limit=2)) < {held, waits, refused, gone}
    await done(town, f"{TIPS}/{held}/hold", LEADER, {"reason": "法院要用"})
    for tip in (waits, refused):
        await done(town, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE | {"ground": "retention_over"})
    await done(town, f"{TIPS}/{refused}/erasure/refusal", LEADER, {"reason": "再留一年"})
    await erased(town, gone)
    assert set(await due(town)) == {refused}
    await done(town, f"{TIPS}/{held}/release", LEADER, {"reason": "已结"})
    assert set(await due(town)) == {refused, held}


async def test_a_substantiated_tip_counts_from_the_end_of_its_last_hazard(own_town: Town) -> None:
    town = own_town
    _, tip = await named_tip(town)
    await done(town, f"{TIPS}/{tip}/screening", CLERK, {"outcome": "to_verify", "summary": "某井口夜间运煤"})
    await done(town, f"{TIPS}/{tip}/verification", INSPECTOR, TRUE)
    await town.settled()
    town.clock.move_to(MONDAY + timedelta(days=300))
    assert await due(town) == {}, "its hazard is open"
    [line] = (await town.get("/cases/v1/hazards", town.headers("clerk")))["items"]
    late = town.clock.now()
    await done(
        town, f"/cases/v1/hazards/{line['hazard']}/entered-in-error", {"post": "office_director"}, {"reason": "重复"}
    )
    await town.settled()
    assert await due(town) == {}
    end = town.plan.due("informant_retention", late)
    town.clock.move_to(end)
    assert await due(town) == {tip: end}
    await another_hazard(town)
    assert await due(town) == {}, "one of its hazards is open"


async def another_hazard(town: Town) -> None:
    """As if the same tip had been listed twice: its line is what the read model makes of such an event."""
    listed = "SELECT body FROM record.event WHERE type = 'cases.hazard.listed.v1'"
    told = read(await town.services["cases"].pool.fetchval(listed))
    async with town.services["intake"].pool.acquire() as connection:
        await write_all(Tx(connection), [tip_handling.READ_MODEL], replace(told, stream_id="hazard-other"))


async def test_only_those_who_oversee_see_the_list(own_town: Town) -> None:
    for post in ("clerk", "police_officer", "village_head", "inspector"):
        answer = await own_town.http.get("/intake/v1/retention", headers=own_town.headers(post))
        assert answer.status_code == 403
    for post in ("custodian", "group_leader", "auditor"):
        assert (await own_town.get("/intake/v1/retention", own_town.headers(post)))["items"] == []
