"""What a service received of another: nothing of it is hidden, doubled or made up, and nobody stops receiving unseen."""

from typing import Any

import pytest
from nats.aio.client import Client

from shared.audit import inboxes
from shared.lineage import accept_lineage
from shared.log_feed import NatsFeed
from tests.support.kernel import FeedOf, Place, running, until
from tests.support.restoring import head_of, lineage_of, received, relayed, restored
from tests.support.toy import TYPES

FORGET = "INSERT INTO record.forgotten (source, lineage, shared) VALUES ('cases', '{lineage}', {shared})"
AGAIN = """
INSERT INTO record.inbox (source, lineage, position, type, body)
SELECT source, gen_random_uuid(), position, type, {body} FROM record.inbox WHERE position = 3
"""
HIDDEN = "UPDATE record.inbox SET type = 'cases.nothing.happened.v1' WHERE position = 3"


async def found(source: Place, reader: Place) -> list[tuple[int | None, str]]:
    wanted = frozenset(TYPES)
    said = inboxes.faults(source.name, source.pool, reader.name, reader.pool, wanted)
    return [(each.position, each.en) async for each in said]


async def filled(source: Place, reader: Place, nc: Client) -> str:
    """Six events, all received; the source's lineage."""
    await source.fill(6)
    await received(reader, source, nc, await relayed(source, nc))
    assert await found(source, reader) == []
    return str(await lineage_of(source))


async def test_facts_hidden_by_a_restore_that_never_was(source: Place, reader: Place, nc: Client) -> None:
    lineage = await filled(source, reader, nc)
    await reader.forced(FORGET.format(lineage=lineage, shared=4))
    said = await found(source, reader)
    assert said[0] == (5, f"reporting hides what came after 4 of lineage {lineage}, which never ended there")
    assert said[1:] == [(n, "reporting must have received it and does not have it") for n in (5, 6)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (AGAIN.format(body="body"), "reporting counts it twice"),
        (AGAIN.format(body="body || ' '"), "reporting received other bytes: one of the two was altered"),
        (HIDDEN, "reporting has it under another type than its bytes say"),
    ],
    ids=["twice", "another beside it", "another type"],
)
async def test_rows_that_were_added_or_altered(
    source: Place, reader: Place, nc: Client, change: str, words: str
) -> None:
    await filled(source, reader, nc)
    await reader.forced(change)
    assert await found(source, reader) == [(3, words)]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("DELETE FROM work.mark", "it was taken away, or nothing was received yet"),
        ("UPDATE work.mark SET lineage = NULL, position = 0", "it was taken away, or nothing was received yet"),
        ("UPDATE work.mark SET lineage = gen_random_uuid()", "which this log did not grow from"),
    ],
    ids=["gone", "emptied", "of nobody"],
)
async def test_a_mark_that_was_taken_away(source: Place, reader: Place, nc: Client, change: str, words: str) -> None:
    await filled(source, reader, nc)
    await reader.forced(change)
    ((position, said),) = await found(source, reader)
    assert position is None and said.endswith(words)


async def test_of_a_log_without_events_nothing_is_missed(source: Place, reader: Place) -> None:
    assert await found(source, reader) == []


async def test_a_restore_that_was_accepted_is_no_fault_and_what_is_made_of_it_is(
    source: Place, reader: Place, nc: Client
) -> None:
    """Ten events were received, the source was restored to six and wrote three others."""
    before = str(await reader_knew(source, reader, nc))
    lineage = await lineage_of(source)
    assert await found(source, reader) == [
        (7, "reporting has received event 10, and the log was restored and knows 6 of them: accept-lineage is due")
    ]
    await accepted(source, reader, nc)
    assert await found(source, reader) == []
    await received(reader, source, nc, await relayed(source, nc))
    assert await found(source, reader) == []

    await reader.forced("DELETE FROM record.forgotten")
    said = await found(source, reader)
    assert [each[0] for each in said] == [7, 8, 9] and all("received other bytes" in each[1] for each in said)
    for of, shared in ((before, 5), (str(lineage), 6)):
        await reader.forced("DELETE FROM record.forgotten", FORGET.format(lineage=before, shared=6))
        await reader.forced(FORGET.format(lineage=of, shared=shared))
        said = await found(source, reader)
        assert said[0] == (
            shared + 1,
            f"reporting hides what came after {shared} of lineage {of}, which never ended there",
        )


async def test_what_an_earlier_restore_ended_stays_ended_by_it(source: Place, reader: Place, nc: Client) -> None:
    """Restored once more, further back: both ends are known, and no third one."""
    before = str(await reader_knew(source, reader, nc))
    await accepted(source, reader, nc)
    await received(reader, source, nc, await relayed(source, nc))
    grown = "INSERT INTO record.lineage (lineage, parent, from_position) SELECT gen_random_uuid(), lineage, 4 FROM work.head"
    await source.forced(
        grown, "UPDATE work.head SET lineage = (SELECT lineage FROM record.lineage WHERE from_position = 4)"
    )
    log = await inboxes._Log.of(source.pool)
    assert {str(of): set(ends) for of, ends in log.ends.items()}[before] == {6, 4}
    assert not any("never ended there" in each[1] for each in await found(source, reader))


async def reader_knew(source: Place, reader: Place, nc: Client) -> Any:
    """The lineage that the reader knows after the source was restored and went on."""
    await restored(source, nc, reader)
    await source.fill(3, "new")
    await relayed(source, nc)
    return await reader.pool.fetchval("SELECT lineage FROM work.mark WHERE follower = 'receiver'")


async def accepted(source: Place, reader: Place, nc: Client) -> None:
    async with running(FeedOf(source, nc)):
        await until(lambda: head_of(source, nc))
        await accept_lineage(reader.owner_dsn, source.name, NatsFeed(nc, source.jurisdiction, source.name))
