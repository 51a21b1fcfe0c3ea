"""Who holds which post on which day, from the campaign's own commands and events."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.cases.campaign import CAMPAIGN, AdoptPlan, Appoint, EndAppointment
from shared.contracts.cases.campaign import PhaseSpan
from shared.contracts.envelope import read
from shared.decider import Actor, Command
from shared.identity import posts
from shared.identity.posts import Holder
from shared.sql import Tx
from tests.support.kernel import Place, Templates, a_cause, a_place

DULAN = "140181101207"
FIRST, LAST, DAY = date(2018, 1, 16), date(2018, 3, 26), date(2018, 2, 1)
HEAD = Actor("p-head", "village_head", "dulan", village=DULAN)
ADOPT = AdoptPlan(
    plan="campaign-2018",
    version="campaign-2018@1",
    sha256="ab",
    jurisdiction="140181101000",
    starts_on=FIRST,
    ends_on=LAST,
    phases=(
        PhaseSpan(
            phase="work",
            starts_on=FIRST,
            ends_on=LAST,
            starts_at=datetime(2018, 1, 15, 16, tzinfo=UTC),
            ends_at=datetime(2018, 3, 26, 16, tzinfo=UTC),
        ),
    ),
)


@pytest.fixture
async def place(templates: Templates) -> AsyncIterator[Place]:
    """A campaign in force, with the post book inline."""
    async with a_place(templates, inline=(posts.READ_MODEL,)) as made:
        made.app = replace(made.app, deciders=(CAMPAIGN,))
        for statement in posts.READ_MODEL.ddl():
            await made.pool.execute(statement)
        await done(made, ADOPT)
        yield made


async def done(place: Place, *commands: Command) -> None:
    for command in commands:
        await place.app.handle(command, a_cause())


def appoint(assignment: str = "a-1", **changes: Any) -> Appoint:
    told = {"person": "p-1", "post": "clerk", "unit": "campaign_office", "from_on": FIRST, "name": "甲文书"}
    return Appoint(plan="campaign-2018", assignment=assignment, **(told | changes))


def end(on: date, assignment: str = "a-1") -> EndAppointment:
    return EndAppointment(plan="campaign-2018", assignment=assignment, on=on, reason="transferred")


@asynccontextmanager
async def looking(place: Place) -> AsyncIterator[Tx]:
    async with place.pool.acquire() as connection:
        yield Tx(connection)


async def people(place: Place, post: str, on: date = DAY, unit: str | None = None) -> list[str]:
    async with looking(place) as tx:
        return [holder.person for holder in await posts.holders(tx, post, unit=unit, on=on)]


async def test_a_holder_is_told_with_every_address_in_clear(place: Place) -> None:
    await done(place, appoint(email="a@example.org", phone="13900000000", channels=("in_app", "email")))
    async with looking(place) as tx:
        [holder] = await posts.holders(tx, "clerk", on=DAY)
    assert holder == Holder(
        "p-1", "clerk", "campaign_office", None, "甲文书", "a@example.org", "13900000000", ("in_app", "email")
    )
    body = (await place.pool.fetch("SELECT body FROM record.event ORDER BY ingest_id"))[-1][0]
    assert not [text for text in ("甲文书", "a@example.org", "13900000000") if text.encode() in body]


@pytest.mark.parametrize(
    ("on", "held"),
    [
        (date(2018, 1, 31), False),
        (date(2018, 2, 1), True),
        (date(2018, 2, 10), True),
        (date(2018, 2, 11), False),
    ],
)
async def test_the_first_and_the_last_day_are_in_post(place: Place, on: date, held: bool) -> None:
    await done(place, appoint(from_on=date(2018, 2, 1), until_on=date(2018, 2, 10)))
    assert bool(await people(place, "clerk", on)) is held


@pytest.mark.parametrize(("on", "held"), [(date(2018, 2, 5), True), (date(2018, 2, 6), False)])
@pytest.mark.parametrize("until", [None, LAST])
async def test_the_day_it_ends_is_still_in_post(place: Place, until: date | None, on: date, held: bool) -> None:
    await done(place, appoint(until_on=until), end(date(2018, 2, 5)))
    assert bool(await people(place, "clerk", on)) is held


async def test_who_is_appointed_again_holds_again(place: Place) -> None:
    await done(place, appoint(), end(date(2018, 2, 5)), appoint(unit="leading_group"))
    assert await people(place, "clerk", LAST, "leading_group") == ["p-1"]
    assert await people(place, "clerk", LAST, "campaign_office") == []


async def test_holders_come_by_post_and_unit_in_order_of_person(place: Place) -> None:
    await done(
        place,
        appoint("a-1", person="p-2", post="inspector", unit="safety_office"),
        appoint("a-2", person="p-1", post="inspector", unit="safety_office"),
        appoint("a-3", person="p-0", post="inspector", unit="land_bureau"),
        appoint("a-4", person="p-3"),
    )
    assert await people(place, "inspector") == ["p-0", "p-1", "p-2"]
    assert await people(place, "inspector", unit="safety_office") == ["p-1", "p-2"]
    assert await people(place, "keeper") == []
    async with looking(place) as tx:
        assert [h.person for h in await posts.everybody(tx, on=DAY)] == ["p-0", "p-1", "p-2", "p-3"]


async def test_one_person_may_hold_two_posts(place: Place) -> None:
    await done(
        place,
        appoint("a-1", person="p-director", post="office_director"),
        appoint("a-2", person="p-director", post="deputy_leader", unit="leading_group"),
    )
    async with looking(place) as tx:
        held = await posts.held_by(tx, "p-director", on=DAY)
    assert [(h.post, h.unit) for h in held] == [
        ("deputy_leader", "leading_group"),
        ("office_director", "campaign_office"),
    ]


async def test_two_appointments_to_one_post_that_overlap_are_one_holder_by_the_later(place: Place) -> None:
    await done(
        place,
        appoint("a-9", phone="1", until_on=date(2018, 2, 10)),
        appoint("a-1", phone="2", from_on=date(2018, 2, 1)),
    )
    async with looking(place) as tx:
        assert [h.phone for h in await posts.held_by(tx, "p-1", on=DAY)] == ["2"]
        assert [h.phone for h in await posts.held_by(tx, "p-1", on=FIRST)] == ["1"]


# ------------------------------------------------------------------------------------------------ may they act?


@pytest.fixture
async def town(place: Place) -> Place:
    await done(
        place,
        appoint("a-1", person="p-clerk", until_on=date(2018, 2, 10)),
        appoint("a-2", person="p-head", post="village_head", unit="dulan", village=DULAN, until_on=date(2018, 2, 20)),
    )
    return place


async def holds(place: Place, actor: Actor, on: date = DAY) -> bool:
    async with looking(place) as tx:
        return await posts.holds(tx, actor, on)


async def test_the_post_held_is_held(town: Place) -> None:
    assert await holds(town, HEAD)
    assert await holds(town, Actor("p-clerk", "clerk", "campaign_office"))


@pytest.mark.parametrize(
    "actor",
    [
        replace(HEAD, person="p-clerk"),
        replace(HEAD, person="p-nobody"),
        replace(HEAD, post="keeper"),
        replace(HEAD, unit="xiyan"),
        replace(HEAD, unit=""),
        replace(HEAD, village=None),
        replace(HEAD, village="140181101208"),
        Actor("p-clerk", "clerk", "campaign_office", village=DULAN),
    ],
)
async def test_person_post_unit_and_village_must_all_match(town: Place, actor: Actor) -> None:
    assert not await holds(town, actor)


async def test_a_post_is_held_on_its_days_only(town: Place) -> None:
    assert not await holds(town, HEAD, date(2018, 1, 15))
    assert await holds(town, HEAD, date(2018, 2, 20))
    assert not await holds(town, HEAD, date(2018, 2, 21))


async def test_who_acts_for_another_needs_a_post_and_so_does_the_other(town: Place) -> None:
    clerk = Actor("p-clerk", "clerk", "campaign_office", on_behalf_of="p-head", ground="no_phone")
    assert await holds(town, clerk)
    assert not await holds(town, replace(clerk, on_behalf_of="p-nobody"))
    assert not await holds(town, replace(clerk, unit="dulan"))
    assert not await holds(town, clerk, date(2018, 2, 11)), "the clerk is no longer in post, the head still is"
    head = replace(HEAD, on_behalf_of="p-clerk", ground="deputy")
    assert await holds(town, head, date(2018, 2, 10))
    assert not await holds(town, head, date(2018, 2, 11)), "nobody acts for somebody who has left"


# ------------------------------------------------------------------------------------------------ names


async def test_a_name_outlives_the_post_and_the_latest_counts(place: Place) -> None:
    await done(
        place,
        appoint("a-2", name="甲", until_on=date(2018, 2, 1)),
        appoint("a-1", name="甲改", from_on=date(2018, 2, 2), until_on=date(2018, 2, 3)),
        appoint("a-3", person="p-2", name="乙"),
    )
    async with looking(place) as tx:
        assert await posts.name_of(tx, "p-1") == "甲改"
        assert await posts.name_of(tx, "p-9") is None
        assert await posts.names(tx) == {"p-1": "甲改", "p-2": "乙"}


async def test_an_erased_person_still_holds_the_post_without_a_name(place: Place) -> None:
    """As a rebuild finds it: the texts are sealed for good."""
    await done(place, appoint(email="a@example.org"))
    async with looking(place) as tx:
        rows = await tx.all("SELECT body FROM record.event ORDER BY ingest_id")
        for statement, params in posts.READ_MODEL.project(read(rows[-1]["body"])):
            await tx.run(statement, params)
        [holder] = await posts.holders(tx, "clerk", on=DAY)
        assert (holder.person, holder.name, holder.email) == ("p-1", None, None)
        assert await posts.name_of(tx, "p-1") is None
        assert await posts.names(tx) == {}
