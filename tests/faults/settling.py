"""When the town is quiet: everything numbered, published, received, walked, fired and delivered. In words, what is not."""

import asyncio
import json
import time
from typing import Any

import asyncpg
import nats.errors
from nats.aio.client import Client

from shared.app import LOST
from shared.standing import Standing, standing
from shared.stream import connect, stream_name
from tests.faults.town import CARDS, Town

AWAY = (*LOST, asyncpg.PostgresError, nats.errors.Error)
SIGNED = """
SELECT coalesce(max(size), 0) FROM record.checkpoint
WHERE split_part(origin, '/', 3) = (SELECT lineage::text FROM work.head)
"""
STILL_PARKED = """
SELECT source, position, reaction, reason FROM work.parked WHERE state <> 'done' AND NOT subject = ANY($1::text[])
"""


async def quiet(town: Town, patience: float, still: float | None = None) -> list[str]:
    """Waits until nothing is under way, seen twice; what is after `patience` seconds, or when nothing has moved for `still`."""
    until, seen, moved, last = time.monotonic() + patience, 0, time.monotonic(), [""]
    nc = await connect(town.nats_url, "drill")
    try:
        while seen < 2:
            waiting = await waits(town, nc)
            seen = 0 if waiting else seen + 1
            if waiting != last:
                moved, last = time.monotonic(), waiting
            if waiting and (time.monotonic() > until or (still and time.monotonic() > moved + still)):
                return waiting
            await asyncio.sleep(0.3)
    finally:
        await nc.close()
    return []


async def waits(town: Town, nc: Client) -> list[str]:
    """What is still under way, service by service; empty when nothing is."""
    try:
        looks = {name: await _look(town, name) for name in town.services}
        return [line for name in town.services for line in await _of(town, nc, name, looks)]
    except AWAY as error:
        return [f"{type(error).__name__}: {error}"[:200]]


def followers_of(service: str) -> list[tuple[str, str]]:
    """(follower, source) of everything in this service that walks."""
    card = CARDS[service]
    found: list[tuple[str, str]] = []
    for source in (service, *card.consumes()):
        for group, models in card.projections.items():
            if any(e.type.startswith(f"{source}.") for model in models for e in model.events):
                found.append((f"projection:{group}", source))
        if any(type_.startswith(f"{source}.") for type_ in card.reactions.types()):
            found.append(("reactions", source))
    return found


async def _look(town: Town, name: str) -> Standing:
    card = CARDS[name]
    async with town.database(name) as connection:
        await connection.set_type_codec("json", schema="pg_catalog", encoder=str, decoder=json.loads)
        pool: Any = connection  # one statement, so a connection will do
        return await standing(
            pool, name, followers_of(name), card.timers.handlers, card.outside is not None, town.now(name)
        )


async def _of(town: Town, nc: Client, name: str, looks: dict[str, Standing]) -> list[str]:
    found = [f"{name}: {wait}" for wait in looks[name].waits]
    for source in [source for source in CARDS[name].consumes() if source in looks]:
        if (at := looks[name].received.get(source, 0)) != looks[source].head:
            found.append(f"{name}: received {at} of {looks[source].head} from {source}")
    last = (await nc.jetstream(timeout=3).stream_info(stream_name(town.jurisdiction, name))).state.last_seq
    if last != looks[name].head:
        found.append(f"{name}: its stream ends at {last}, its log at {looks[name].head}")
    async with town.database(name) as connection:
        if town.signed and (upto := await connection.fetchval(SIGNED)) != looks[name].head:
            found.append(f"{name}: signed up to {upto} of {looks[name].head}")
        expected = [poison.stream_id for poison in town.poison]
        for row in await connection.fetch(STILL_PARKED, expected):
            found.append(f"{name}: parked {dict(row)}")
    return found
