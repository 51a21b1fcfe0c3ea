"""The demo's read models, the copies that other services received, and its stream: altered, they are found beside the log."""

from collections.abc import AsyncIterator, Callable

import pytest

from shared.audit.found import Found
from shared.audit.live import verify_inboxes
from shared.stream import connect, stream_name
from tests.support.attacks import Attacked, Ground, attacked, cut, says


@pytest.fixture(scope="module", autouse=True)
async def stream_put_back(ground: Ground) -> AsyncIterator[None]:
    """Others attack the same town after these."""
    yield
    async with attacked(ground, "intake") as at:
        await at.refill(lambda bodies: [*bodies])


async def test_a_read_model_that_was_edited(ground: Ground) -> None:
    async with attacked(ground, "cases") as at:
        hazard = await at.value(
            "SELECT hazard FROM view.hazard_line WHERE state <> 'closed_out' ORDER BY hazard LIMIT 1"
        )
        await at.run("UPDATE view.hazard_line SET state = 'closed_out' WHERE hazard = $1", hazard)
        found = await at.found_in_read_models()
    says(found, "hazard_line [")
    says(found, f"{str(hazard)[:8]}")
    says(found, "other than the record: state")


async def test_a_copy_in_an_inbox_that_was_altered(ground: Ground) -> None:
    async with attacked(ground, "reporting") as reader, attacked(ground, "cases") as source:
        last = await reader.value("SELECT max(position) FROM record.inbox WHERE source = 'cases'")
        change = (
            "UPDATE record.inbox SET body = convert_to(replace(convert_from(body, 'UTF8'), '2018-', '2019-'), 'UTF8')"
        )
        await reader.run(f"{change} WHERE source = 'cases' AND position = $1", last)
        await reader.run("DELETE FROM record.inbox WHERE source = 'cases' AND position = $1", first := await reader.value(
            "SELECT min(position) FROM record.inbox WHERE source = 'cases'"))  # fmt: skip
        async with reader.opened() as there, source.opened() as own:
            found = [each async for _, each in verify_inboxes({"reporting": there, "cases": own})]
    says(found, "reporting received other bytes", last)
    says(found, "reporting must have received it and does not have it", first)
    assert len(found) == 2


async def test_an_end_that_others_have_received(ground: Ground) -> None:
    """Without any signature the inboxes of others tell it, too."""
    async with attacked(ground, "reporting") as reader, attacked(ground, "cases") as source:
        size = await cut(source, 20)
        async with reader.opened() as there, source.opened() as own:
            says(
                [each async for _, each in verify_inboxes({"reporting": there, "cases": own})],
                "its end was cut off",
                size + 1,
            )


async def beside(ground: Ground, reader: Attacked) -> list[Found]:
    async with reader.opened() as there, attacked(ground, "cases") as source, source.opened() as own:
        return [each async for _, each in verify_inboxes({"reporting": there, "cases": own})]


async def test_facts_hidden_by_a_restore_that_never_was(ground: Ground) -> None:
    """And every read model built anew without them, by what the town itself runs."""
    async with attacked(ground, "reporting") as at:
        await at.run(
            "INSERT INTO record.forgotten (source, lineage, shared) SELECT source, lineage, 50 FROM work.mark "
            "WHERE follower = 'receiver' AND source = 'cases'"
        )
        async with at.opened() as service:
            await service.rebuild()
        assert await at.found_in_read_models() == []
        says(await beside(ground, at), "reporting hides what came after 50", 51)


async def test_a_mark_that_was_taken_away(ground: Ground) -> None:
    """With it went the comparison, whatever the inbox held."""
    async with attacked(ground, "reporting") as at:
        await at.run("UPDATE record.inbox SET body = body || ' ' WHERE source = 'cases'")
        await at.run("DELETE FROM work.mark WHERE follower = 'receiver' AND source = 'cases'")
        found = await beside(ground, at)
    says(found, "reporting has no mark of how far it received")
    assert len(found) == 1


async def test_a_forged_copy_under_a_name_of_its_own(ground: Ground) -> None:
    """Beside what was received stands another with the same number, and it counts as well."""
    async with attacked(ground, "reporting") as at:
        place = await at.value("SELECT min(position) FROM record.inbox WHERE source = 'cases'")
        await at.run(
            "INSERT INTO record.inbox SELECT source, '00000000-0000-4000-8000-000000000000', position, type, body "
            "FROM record.inbox WHERE source = 'cases' AND position = $1",
            place,
        )
        says(await beside(ground, at), "reporting counts it twice", place)


async def test_a_copy_that_is_passed_by_for_its_type(ground: Ground) -> None:
    async with attacked(ground, "reporting") as at:
        place = await at.value("SELECT min(position) FROM record.inbox WHERE source = 'cases'")
        await at.run(
            "UPDATE record.inbox SET type = 'cases.nothing.happened.v1' WHERE source = 'cases' AND position = $1", place
        )
        says(await beside(ground, at), "under another type than its bytes say", place)


def shortened(bodies: list[bytes]) -> list[bytes | None]:
    return [*bodies[:-2]]


def beheaded(bodies: list[bytes]) -> list[bytes | None]:
    return [None, None, *bodies[2:]]


def without_its_last(bodies: list[bytes]) -> list[bytes | None]:
    return [*bodies[:-1], None]


def with_a_gap(bodies: list[bytes]) -> list[bytes | None]:
    return [*bodies[:2], None, *bodies[3:]]


def with_another(bodies: list[bytes]) -> list[bytes | None]:
    return [*bodies[:2], bodies[2] + b" ", *bodies[3:]]


def with_one_more(bodies: list[bytes]) -> list[bytes | None]:
    return [*bodies, bodies[-1] + b" "]


@pytest.mark.parametrize(
    ("forge", "words", "place"),
    [
        (shortened, "it was deleted, and no relay has refilled it", None),
        (beheaded, "its beginning was deleted", 1),
        (without_its_last, "the stream lacks", None),
        (with_a_gap, "the stream lacks 3 to 3", 3),
        (with_another, "the stream has other bytes", 3),
        (with_one_more, "the stream has it, the log does not", None),
    ],
    ids=["shortened", "beheaded", "without_its_last", "with_a_gap", "with_another", "with_one_more"],
)
async def test_a_stream_that_was_made_anew(
    ground: Ground, forge: Callable[[list[bytes]], list[bytes | None]], words: str, place: int | None
) -> None:
    async with attacked(ground, "intake") as at:
        await at.refill(forge)
        found = await at.found()
        says(found, words, place)
    assert len(found) == 1


async def test_a_stream_that_was_deleted(ground: Ground) -> None:
    settings = ground.settings_of("intake")
    nc = await connect(settings.nats_url, "attacker")
    try:
        await nc.jetstream().delete_stream(name := stream_name(settings.jurisdiction, "intake"))
    finally:
        await nc.close()
    async with attacked(ground, "intake") as at:
        says(await at.found(), f"NATS has no stream {name}: it was deleted")
