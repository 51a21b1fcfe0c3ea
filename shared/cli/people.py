"""Who gives a command: somebody in a post, who will stand in the record for it."""

from collections.abc import Collection
from datetime import UTC, datetime

import asyncpg

from shared.decider import Actor
from shared.errors import NotPermitted
from shared.identity import posts
from shared.plan.calendar import town_day
from shared.sql import Tx


async def acting(pool: asyncpg.Pool, person: str, allowed: Collection[str]) -> Actor:
    """`person` in the first post they hold today of those allowed. Raises NotPermitted."""
    async with pool.acquire() as connection:
        held = await posts.held_by(Tx(connection), person, on=town_day(datetime.now(UTC)))
    for holder in held:
        if holder.post in allowed and holder.village is None:
            return Actor(person=person, post=holder.post, unit=holder.unit)
    raise NotPermitted(f"{person} holds none of these posts today: {', '.join(allowed)}")
