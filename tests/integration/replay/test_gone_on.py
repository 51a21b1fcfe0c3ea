"""What was built of one moment is used again for another only where that is right: each time it is what a fresh copy shows."""

from datetime import timedelta
from typing import Any

from shared.audit.copies import SETTLED, Copies
from shared.audit.moment import Clock, Moment, as_of
from shared.audit.past import Past, past_of
from shared.sql import Tx
from tests.integration.replay.week import MINUTE, Week


async def moment(week: Week, at: Any, clock: Clock = "recorded") -> Moment:
    service = week.reporting
    async with service.pool.acquire() as connection:
        return await as_of(Tx(connection), service.name, list(service.card.consumes()), at, clock)


async def shown(past: Past) -> dict[str, list[str]]:
    tables = [table.name for model in past.of.card.models() for table in model.tables]
    sql = 'SELECT to_jsonb(t)::text FROM view."{}" t ORDER BY 1'
    return {table: [row[0] for row in await past.scratch.pool.fetch(sql.format(table))] for table in tables}


async def test_a_copy_goes_on_from_what_it_has_built_forwards_by_what_was_recorded_and_never_otherwise(
    week: Week,
) -> None:
    now = week.desk.town.clock.now()
    moments = {
        "evening": await moment(week, week.evening),
        "friday": await moment(week, week.friday + 6 * MINUTE),
        "friday as it had happened": await moment(week, week.friday, "occurred"),
        "now": await moment(week, now),
    }
    fresh = {}
    for name, each in moments.items():
        async with past_of(week.reporting, each) as past:
            await past.move_to(each)
            fresh[name] = await shown(past)
    assert len({str(rows) for rows in fresh.values()}) == len(moments), "each moment shows something else"

    begun: list[str] = []
    walked = (
        ("evening", True),
        ("friday", False),
        ("now", False),
        ("evening", True),  # backwards
        ("friday as it had happened", True),  # of which the copy holds more than happened
        ("now", True),  # of which something was put aside
        ("now", False),
    )
    async with past_of(week.reporting, moments["now"]) as past:
        for name, anew in walked:

            async def noted(name: str = name) -> None:
                begun.append(name)

            past.begun = noted
            begun.clear()
            await past.move_to(moments[name])
            assert begun == [name] * anew, name
            assert await shown(past) == fresh[name], name


async def test_a_moment_is_looked_up_anew_while_facts_of_it_may_be_on_their_way(week: Week) -> None:
    copies, now = Copies(week.reporting), week.desk.town.clock.now()
    try:
        for at, clock, kept in (
            (now - SETTLED - timedelta(seconds=1), "recorded", True),
            (now - SETTLED + timedelta(seconds=1), "recorded", False),
            (week.friday, "occurred", False),  # what is entered late changes it
        ):
            first = await copies.moment(at, clock, now)
            assert (await copies.moment(at, clock, now) is first) == kept, (at, clock)
    finally:
        await copies.close()
