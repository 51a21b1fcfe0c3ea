"""The log feed: any position of the log, in pages that fit a message, and an answer to every question."""

import base64
import json
from typing import Any

import nats.errors
import pytest
from nats.aio.client import Client

from shared import log_feed
from shared.errors import NotReady
from shared.log_feed import FeedEvent, NatsFeed
from tests.support.kernel import FeedOf, Place, running


def the_feed(place: Place, nc: Client) -> NatsFeed:
    return NatsFeed(nc, place.jurisdiction, place.name)


async def asked(place: Place, nc: Client, question: bytes) -> dict[str, Any]:
    """The raw answer, once the feed listens."""
    for _ in range(50):
        try:
            reply = await nc.request(log_feed.feed_subject(place.jurisdiction, place.name), question, timeout=5)
        except nats.errors.NoRespondersError:
            continue
        answer: dict[str, Any] = json.loads(reply.data)
        return answer
    raise AssertionError("nobody answers")


async def test_a_page_holds_the_bytes_after_a_position_in_order(source: Place, nc: Client) -> None:
    await source.fill(10)
    await source.number()
    lineage = await source.pool.fetchval("SELECT lineage FROM work.head")
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        events = await the_feed(source, nc).after(3, 4)
        bodies = await source.bodies()
        assert events == [FeedEvent(n, lineage, bodies[n - 1]) for n in (4, 5, 6, 7)]
        assert await the_feed(source, nc).after(10, 4) == []


async def test_what_waits_for_a_number_is_not_in_the_feed(source: Place, nc: Client) -> None:
    await source.fill(3)
    await source.number()
    await source.fill(3, "b")
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        assert (await the_feed(source, nc).head()).position == 3
        assert len(await the_feed(source, nc).after(0, 100)) == 3


async def test_the_head_of_an_empty_log_is_nought(source: Place, nc: Client) -> None:
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        head = await the_feed(source, nc).head()
    assert (head.position, head.ancestors) == (0, {})
    assert head.lineage == await source.pool.fetchval("SELECT lineage FROM work.head")


async def test_pages_end_at_a_number_of_bytes_and_together_hold_everything(source: Place, nc: Client) -> None:
    await source.fill(60)
    await source.forced("UPDATE record.event SET body = body || repeat(' ', 60000)::bytea WHERE version % 2 = 0")
    await source.number()
    read: list[FeedEvent] = []
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        while page := await the_feed(source, nc).after(len(read), 1000):
            assert len(page) < 60
            assert sum(len(base64.b64encode(e.body)) for e in page) <= log_feed.PAGE_BYTES
            read += page
    assert [e.body for e in read] == await source.bodies()


async def test_one_event_is_always_given_however_long_it_is(
    source: Place, nc: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_feed, "PAGE_BYTES", 10)
    await source.fill(3)
    await source.number()
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        assert [e.position for e in await the_feed(source, nc).after(1, 100)] == [2]


BAD = {
    "no json": b"what?",
    "no object": b"[]",
    "nothing": b"",
    "no number": b'{"after": "x", "most": 1}',
    "infinite": b'{"after": 1e999, "most": 1}',
    "too large": b'{"after": 99999999999999999999999, "most": 1}',
    "nothing asked": b"{}",
    "too deep": b"[" * 100_000,
    "null": b'{"after": null, "most": null}',
}


@pytest.mark.parametrize("question", BAD)
async def test_a_bad_question_gets_an_error_and_the_feed_lives_on(source: Place, nc: Client, question: str) -> None:
    async with running(FeedOf(source, nc)):
        assert "error" in await asked(source, nc, BAD[question])
        assert (await the_feed(source, nc).head()).position == 0


@pytest.mark.parametrize(("after", "most", "given"), [(-5, 2, 2), (0, -1, 0), (0, 100_000, 1000), (0, 0, 0)])
async def test_odd_numbers_are_answered_within_bounds(
    source: Place, nc: Client, after: int, most: int, given: int
) -> None:
    await source.fill(1003)
    await source.forced("UPDATE record.event SET body = '{}'")
    await source.number()
    async with running(FeedOf(source, nc)):
        answer = await asked(source, nc, json.dumps({"after": after, "most": most}).encode())
    assert len(answer["events"]) == given


async def test_a_source_without_its_database_says_that_it_is_not_ready(source: Place, nc: Client) -> None:
    async with running(FeedOf(source, nc)):
        await asked(source, nc, b"{}")
        async with source.away():
            with pytest.raises(NotReady):
                await the_feed(source, nc).head()
        assert (await the_feed(source, nc).head()).position == 0


async def test_nobody_answers_for_a_source_that_is_not_there(source: Place, nc: Client) -> None:
    with pytest.raises(nats.errors.NoRespondersError):
        await the_feed(source, nc).head()
