"""Where a service stands, in one look: its head, how far it has received, and what is still under way.

One statement, so one snapshot: with several, work could slip from a place not yet looked at to one that was found empty.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

import asyncpg

STANDING = """
SELECT (SELECT position FROM work.head) AS head,
    EXISTS (SELECT FROM work.pending) AS pending,
    EXISTS (SELECT FROM work.delivery WHERE state = 'open') AS sending,
    (SELECT min(due_at) FROM work.due WHERE failed IS NULL AND timer = ANY($1::text[])) AS due_at,
    (SELECT coalesce(json_agg(json_build_array(follower, source, position)), '[]') FROM work.mark) AS marks
"""


@dataclass(frozen=True)
class Standing:
    """`received`: source -> position; `waits`: what is under way, in words for a log; empty when all is quiet."""

    head: int
    received: dict[str, int]
    waits: tuple[str, ...]

    @property
    def quiet(self) -> bool:
        return not self.waits


async def standing(
    pool: asyncpg.Pool,
    service: str,
    followers: Iterable[tuple[str, str]],
    timers: Iterable[str],
    sends: bool,
    now: datetime,
) -> Standing:
    """`followers`: (name, source) of those that ought to reach their source's end; `sends`: whether deliveries count."""
    row = await pool.fetchrow(STANDING, list(timers))
    assert row is not None
    at = {(follower, source): position for follower, source, position in row["marks"]}
    received = {source: position for (follower, source), position in at.items() if follower == "receiver"}
    waits = ["events wait for a number"] if row["pending"] else []
    for follower, source in followers:
        end = row["head"] if source == service else received.get(source, 0)
        if at.get((follower, source), 0) < end:
            waits.append(f"{follower} of {source} at {at.get((follower, source), 0)} of {end}")
    if row["due_at"] is not None and row["due_at"] <= now:
        waits.append(f"a deadline of {row['due_at'].isoformat()}")
    if sends and row["sending"]:
        waits.append("a delivery")
    return Standing(row["head"], received, tuple(waits))
