"""The superuser of the database alters the demo's log, row by row and guard by guard: each is found, and its place is named.

The verifying person has a policy and one checkpoint of each service, kept outside. Nothing else is trusted.
"""

import pytest

from shared.settings import SERVICES
from tests.support.attacks import Ground, attacked, attacked_keys, says

AT = 100
"""A position in the middle of the log of cases, in its first tile."""


@pytest.mark.parametrize("service", SERVICES)
async def test_the_untouched_copy_passes(ground: Ground, service: str) -> None:
    async with attacked(ground, service) as at:
        assert await at.found() == []
        assert await at.found_in_read_models() == []


async def test_an_altered_event(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(
            "UPDATE record.event SET body = convert_to(replace(convert_from(body, 'UTF8'), '2018-', '2019-'), 'UTF8') "
            "WHERE event_id = (SELECT event_id FROM record.log WHERE position = $1)",
            AT,
        )
        found = await at.found()
    says(found, "its bytes are not those that were numbered", AT)
    says(found, "the event's bytes are not those whose hash stands in tile/0", AT)
    says(found, "altered, dropped, inserted or swapped")


async def test_a_row_that_queries_read_beside_the_bytes(ground: Ground) -> None:
    """Every column that says what the bytes say; the bytes and their leaf are as they were."""
    async with attacked(ground, "cases") as at:
        await at.run(
            "WITH of AS (SELECT event_id FROM record.log WHERE position = $1), fresh AS (SELECT gen_random_uuid() AS id), "
            "log AS (UPDATE record.log SET event_id = fresh.id FROM fresh WHERE position = $1) "
            "UPDATE record.event e SET event_id = fresh.id, stream_id = 'hazard-another', version = 77, "
            "type = 'cases.hazard.another.v1', recorded_at = recorded_at - interval '1 day' "
            "FROM of, fresh WHERE e.event_id = of.event_id",
            AT,
        )
        found = await at.found()
    says(found, "its row says otherwise than its bytes: id, subject, version, type, recordedat", AT)
    assert len(found) == 1


async def test_a_leaf_that_is_no_longer_computed(ground: Ground) -> None:
    """The event's own column is what the next append chains to."""
    async with attacked(ground, "cases") as at:
        await at.run("ALTER TABLE record.event ALTER COLUMN leaf DROP EXPRESSION")
        await at.run(
            "UPDATE record.event SET leaf = sha256(body) WHERE event_id = "
            "(SELECT event_id FROM record.log WHERE position = $1)",
            AT,
        )
        says(await at.found(), "its bytes are not those that were numbered", AT)


async def test_a_dropped_event(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(
            "WITH gone AS (DELETE FROM record.log WHERE position = $1 RETURNING event_id) "
            "DELETE FROM record.event USING gone WHERE event.event_id = gone.event_id",
            AT,
        )
        says(await at.found(), f"the log has no events {AT} to {AT}", AT)


async def test_an_event_that_was_emptied_of_its_bytes(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(
            "DELETE FROM record.event WHERE event_id = (SELECT event_id FROM record.log WHERE position = $1)", AT
        )
        says(await at.found(), "its bytes are gone", AT)


async def test_bytes_that_nobody_can_read(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(
            "UPDATE record.event SET body = '{' WHERE event_id = (SELECT event_id FROM record.log WHERE position = $1)",
            AT,
        )
        says(await at.found(), "its bytes cannot be read", AT)


async def test_a_time_of_numbering_that_was_altered(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run("UPDATE record.log SET sequenced_at = sequenced_at - interval '9 years' WHERE position = $1", AT)
        says(await at.found(), "it was numbered before the event before it", AT)


async def test_events_that_were_put_into_an_earlier_week(ground: Ground) -> None:
    """The office would have known on Friday what it recorded on Monday; times of numbering ascend as before."""
    async with attacked(ground, "cases") as at:
        first = await at.value(
            "SELECT min(position) FROM (SELECT position, sequenced_at - lag(sequenced_at) OVER (ORDER BY position) AS later "
            "FROM record.log) l WHERE position > $1 AND later > interval '1 hour'",
            AT,
        )
        await at.run(
            "UPDATE record.log SET sequenced_at = (SELECT sequenced_at FROM record.log WHERE position = $1 - 1) "
            "WHERE position BETWEEN $1 AND $1 + 10",
            first,
        )
        says(found := await at.found(), "it was numbered before it was recorded", first)
    assert len(found) == 11


async def test_events_that_were_put_behind_the_signature_of_a_witness(ground: Ground) -> None:
    """The office would not have known what it knew."""
    async with attacked(ground, "cases") as at:
        end = await at.value("SELECT position FROM work.head")
        await at.run("UPDATE record.log SET sequenced_at = now() + interval '1 day' WHERE position > $1", end - 5)
        says(found := await at.found(), "had signed for it, at ", end - 4)
    assert len(found) == 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("position = position + 1", "the head is at "),
        ("root = sha256('another')", "the head's root is not that of the events"),
        ("frontier = ''", "the head's root is not that of the events"),
    ],
    ids=["position", "root", "frontier"],
)
async def test_a_head_that_was_altered(ground: Ground, change: str, words: str) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(f"UPDATE work.head SET {change}")
        says(await at.found(), words)


async def test_an_event_taken_out_of_the_log_alone(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        event = await at.value("SELECT event_id FROM record.log WHERE position = $1", AT)
        await at.run("DELETE FROM record.log WHERE position = $1", AT)
        says(await at.found(), f"event {event} (")


async def test_two_events_that_changed_places(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run(f"""
            CREATE TABLE swapped AS SELECT {AT} + {AT + 1} - position AS position, event_id, leaf, sequenced_at
                FROM record.log WHERE position IN ({AT}, {AT + 1});
            DELETE FROM record.log WHERE position IN ({AT}, {AT + 1});
            INSERT INTO record.log SELECT * FROM swapped; DROP TABLE swapped;
        """)
        says(await at.found(), "altered, dropped, inserted or swapped")


async def test_everything_was_deleted(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        await at.run("TRUNCATE record.event, record.log, record.node CASCADE")
        says(await at.found(), "the log ends at 0: its end was cut off", 1)


HOLLOW = "CREATE OR REPLACE FUNCTION record.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"
GUARDS = {
    "switched_off": ("ALTER TABLE record.event DISABLE TRIGGER event_rows", "the guard event_rows is off or gone"),
    "of_another_function": (
        "CREATE FUNCTION record.allow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';"
        "CREATE OR REPLACE TRIGGER event_rows BEFORE UPDATE OR DELETE ON record.event FOR EACH ROW "
        "EXECUTE FUNCTION record.allow()",
        "the guard event_rows is another than it was made",
    ),
    "hollowed_out": (HOLLOW, "the function record.refuse is another than it was made"),
    "on_no_condition": (
        "CREATE OR REPLACE TRIGGER event_rows BEFORE UPDATE OR DELETE ON record.event FOR EACH ROW WHEN (false) "
        "EXECUTE FUNCTION record.refuse()",
        "the guard event_rows is another than it was made",
    ),
    "against_updates_alone": (
        "CREATE OR REPLACE TRIGGER event_rows BEFORE UPDATE ON record.event FOR EACH ROW EXECUTE FUNCTION record.refuse()",
        "the guard event_rows is another than it was made",
    ),
    "by_the_way": (
        "GRANT UPDATE, TRIGGER ON record.event TO cases_app",
        "cases_app may UPDATE in record.event, and must not",
    ),
    "altogether": (
        "DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET session_replication_role = replica', current_database()); END $$",
        "no guard need act",
    ),
}


@pytest.mark.parametrize("how", GUARDS)
async def test_a_guard_that_guards_no_more(ground: Ground, how: str) -> None:
    """All else is as it was: the record is to be altered later."""
    change, words = GUARDS[how]
    async with attacked(ground, "cases") as at:
        await at.run(change)
        says(await at.found(), words)


EXCHANGED = """
WITH two AS (SELECT sha256, row_number() OVER (ORDER BY sha256) AS n, stream_id, content FROM record.file LIMIT 2)
UPDATE record.file f SET content = o.content, stream_id = o.stream_id FROM two t JOIN two o ON o.n <> t.n
WHERE f.sha256 = t.sha256
"""


async def test_two_routes_that_changed_places(ground: Ground) -> None:
    """Each opens, sealed for the patrol that now stands beside it."""
    async with attacked(ground, "intake") as at:
        both = await at.value("SELECT array_agg(sha256) FROM (SELECT sha256 FROM record.file ORDER BY 1 LIMIT 2)")
        await at.run(EXCHANGED)
        found = await at.found()
    for sha256 in both:
        says(found, f"the file {sha256} holds other bytes")
    assert len(found) == 2


async def test_a_route_that_was_deleted(ground: Ground) -> None:
    async with attacked(ground, "intake") as at:
        gone = await at.value("SELECT min(sha256) FROM record.file")
        await at.run("DELETE FROM record.file WHERE sha256 = $1", gone)
        says(await at.found(), f"the file {gone} is gone")


DESTROY = "UPDATE public.key SET wrapped = NULL, sealing = false, destroyed_at = now() WHERE subject = $1"


async def test_the_keys_of_a_tipster_destroyed_by_hand(ground: Ground) -> None:
    """As an erasure leaves them, and nobody asked for one."""
    async with attacked_keys(ground, "intake") as (at, keys):
        tip = "FROM record.log JOIN record.event USING (event_id) WHERE type = 'intake.tip.received.v1' ORDER BY position LIMIT 1"
        first = await at.value(f"SELECT position {tip}")
        informant = await at.value(f"SELECT convert_from(body, 'UTF8')::json -> 'data' ->> 'informant' {tip}")
        await keys.run(DESTROY, informant)
        found = await at.found()
    says(found, f"what is sealed about {informant} does not open", first)
    assert all("the record tells of no such erasure" in each.en for each in found)


async def test_a_key_of_which_not_even_the_row_is_left(ground: Ground) -> None:
    async with attacked_keys(ground, "cases") as (at, keys):
        await keys.run("DELETE FROM public.key WHERE subject LIKE 'hazard-%'")
        found = await at.found()
    says(found, "what is sealed about hazard-")
    says(found, "and more than 20 such keys besides")


async def test_a_key_store_that_does_not_say_what_was_destroyed(ground: Ground) -> None:
    async with attacked_keys(ground, "cases") as (at, keys):
        await keys.run("DROP FUNCTION public.lost_keys")
        says(await at.found(), "nobody looked whether keys were destroyed")
