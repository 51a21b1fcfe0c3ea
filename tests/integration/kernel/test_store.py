"""Appending: one version once, all of a command or nothing."""

import asyncio
import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from shared.contracts.envelope import attribute, leaf_of
from shared.decider import Actor
from shared.errors import (
    OccurredInFuture,
    TooMuchForOneRecord,
    UniqueConflict,
    VersionConflict,
)
from shared.event_store import NewEvent, append
from shared.sql import Tx
from tests.support.kernel import Assign, OpenSite, Place, Strike, Struck, Templates, a_cause, a_place


async def test_a_command_becomes_an_event_a_queue_row_and_an_inline_row(place: Place) -> None:
    answer = await place.app.handle(OpenSite(site="a"), a_cause())
    assert (answer.stream_id, answer.version, len(answer.events)) == ("site-a", 1, 1)
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1
    assert await place.pool.fetchval("SELECT count(*) FROM work.pending") == 1
    assert await place.pool.fetchval("SELECT name FROM toy_line WHERE site = 'site-a'") == "一号井口"


async def test_each_event_names_the_leaf_before_it_in_its_stream(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    await place.app.handle(Assign(site="a", times=3), a_cause())
    bodies = [r[0] for r in await place.pool.fetch("SELECT body FROM record.event ORDER BY version")]
    assert attribute(bodies[0], "prev") is None
    for earlier, later in itertools.pairwise(bodies):
        assert attribute(later, "prev") == leaf_of(earlier).hex()
    leaves = [r[0] for r in await place.pool.fetch("SELECT leaf FROM record.event ORDER BY version")]
    assert leaves == [leaf_of(b) for b in bodies]


async def test_thirty_writers_of_one_stream_all_get_through(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    writers = [_stubborn(place) for _ in range(30)]
    await asyncio.gather(*writers)
    versions = [r[0] for r in await place.pool.fetch("SELECT version FROM record.event ORDER BY version")]
    assert versions == list(range(1, 32))
    assert await place.pool.fetchval("SELECT assigned FROM toy_line") == 30


async def _stubborn(place: Place) -> None:
    cause = a_cause()
    while True:
        try:
            await place.app.handle(Assign(site="a"), cause)
        except VersionConflict:
            continue
        return


async def test_an_expected_version_that_is_gone_is_a_conflict(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    await place.app.handle(Assign(site="a"), a_cause(expected_version=1))
    with pytest.raises(VersionConflict):
        await place.app.handle(Assign(site="a"), a_cause(expected_version=1))


async def test_a_reservation_taken_by_another_stream_is_a_named_conflict(place: Place) -> None:
    await place.app.handle(OpenSite(site="a", no=7), a_cause())
    with pytest.raises(UniqueConflict):
        await place.app.handle(OpenSite(site="b", no=7), a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1


async def test_several_commands_stand_or_fall_together(place: Place) -> None:
    with pytest.raises(Struck):
        await place.app.handle_all([OpenSite(site="a"), Strike(site="a"), Assign(site="a")], a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 0


async def test_the_future_is_refused_and_the_past_is_kept(place: Place) -> None:
    now = place.clock.now()
    with pytest.raises(OccurredInFuture):
        await place.app.handle(OpenSite(site="a", occurred_at=now + timedelta(minutes=6)), a_cause())
    await place.app.handle(OpenSite(site="a", occurred_at=now - timedelta(days=9)), a_cause())
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert attribute(body, "time") == "2018-01-07T00:00:00.000000Z"
    assert attribute(body, "recordedat") == "2018-01-16T00:00:00.000000Z"


@pytest.mark.parametrize("much", [{"name": "字" * 22_000}, {"no": 2**53}], ids=["text", "number"])
async def test_what_does_not_fit_one_event_is_refused_and_leaves_nothing(place: Place, much: dict[str, Any]) -> None:
    with pytest.raises(TooMuchForOneRecord):
        await place.app.handle(OpenSite(site="a", **much), a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 0


async def test_on_whose_behalf_stands_in_the_bytes(place: Place) -> None:
    actor = Actor("p-9", "clerk", "campaign_office", on_behalf_of="p-2", ground="no_phone")
    await place.app.handle(OpenSite(site="a"), replace(a_cause(), actor=actor))
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert attribute(body, "onbehalfof") == "p-2;no_phone"
    assert attribute(body, "inrole") == "clerk@campaign_office"


async def test_a_conflict_gives_way_inside_a_transaction_that_stays_usable(place: Place) -> None:
    """No row instead of an error: what stands around the append goes on."""
    await place.app.handle(OpenSite(site="a"), a_cause())
    row = await place.pool.fetchrow("SELECT * FROM record.event")
    assert row is not None
    again = NewEvent(uuid4(), row["stream_id"], 1, row["type"], row["body"], row["recorded_at"])
    async with place.pool.acquire() as connection, connection.transaction():
        with pytest.raises(VersionConflict):
            await append(Tx(connection), [again])
        assert await connection.fetchval("SELECT count(*) FROM record.event") == 1


async def test_texts_are_sealed_in_the_bytes_and_open_in_the_inline_rows(templates: Templates) -> None:
    async with a_place(templates) as sealed:
        await sealed.app.handle(OpenSite(site="a", name="某某的矿"), a_cause())
        body = await sealed.pool.fetchval("SELECT body FROM record.event")
        assert "某某的矿".encode() not in body
        assert await sealed.pool.fetchval("SELECT name FROM toy_line") == "某某的矿"
