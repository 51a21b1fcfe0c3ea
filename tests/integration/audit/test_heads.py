"""The heads of a log at any size it had are those that one finds by reading all of its events."""

import json

import pytest

from shared.audit.heads import heads_at
from shared.contracts.envelope import leaf_of
from shared.proving import NotInLog
from shared.sql import Tx
from shared.transparency import heads
from shared.transparency.heads import Head
from tests.support.kernel import Place


def read_through(bodies: list[bytes]) -> dict[str, Head]:
    found: dict[str, Head] = {}
    for body in bodies:
        event = json.loads(body)
        found[event["subject"]] = Head(event["subject"], event["version"], leaf_of(body))
    return found


async def a_mixed_log(place: Place) -> list[bytes]:
    for events, site in ((1, "a"), (2, "b"), (4, "a"), (1, "丙"), (3, "b"), (1, "a")):
        await place.fill(events, site)
    await place.number()
    return await place.bodies()


async def test_each_size_has_the_heads_that_reading_all_events_gives(place: Place) -> None:
    bodies, tx = await a_mixed_log(place), Tx(place.pool)  # type: ignore[arg-type]
    assert len(bodies) == 12
    for size in range(len(bodies) + 1):
        found = await heads_at(tx, size)
        wanted = read_through(bodies[:size])
        assert {head.stream: head for head in found} == wanted and len(found) == len(wanted)
        assert heads.root(found) == heads.root(wanted.values())


async def test_what_waits_for_a_number_has_no_head_yet(place: Place) -> None:
    await a_mixed_log(place)
    await place.fill(5, "later")
    tx = Tx(place.pool)  # type: ignore[arg-type]
    assert all(head.stream != "site-later" for head in await heads_at(tx, 12))
    for size in (13, -1):
        with pytest.raises(NotInLog):
            await heads_at(tx, size)
