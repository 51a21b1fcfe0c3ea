"""Events whose reaction was refused, as a person looks at them: what waits, why, what waits behind it, and what was dismissed.

Dismissing says that a reaction will not be done. Who decided it, when and why stands in the row for good: the database refuses
to change or delete it (migration 0002), and tidying leaves it alone.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from shared.app import APPENDING, TAKE_APPENDING
from shared.errors import MinewatchError
from shared.reaction import APPLY_PARKED, BODY, HOLD_MARK
from shared.sql import Tx
from shared.telemetry import log

COLUMNS = """parked_id, source, lineage, position, reaction, subject, state, reason, attempts, parked_at,
    dismissed_by, dismissed_at, dismissed_because"""
WAITING = f"""
SELECT {COLUMNS}, count(*) OVER queue - row_number() OVER (queue ORDER BY parked_id) AS behind
FROM work.parked WHERE state <> 'done' WINDOW queue AS (PARTITION BY reaction, subject) ORDER BY parked_id
LIMIT $1
"""
DISMISSED = f"""
SELECT {COLUMNS}, 0 AS behind FROM work.parked WHERE dismissed_by IS NOT NULL ORDER BY dismissed_at DESC LIMIT $1
"""
ONE = f"""
SELECT {COLUMNS}, (
    SELECT count(*) FROM work.parked b
    WHERE b.reaction = p.reaction AND b.subject = p.subject AND b.state <> 'done' AND b.parked_id > p.parked_id
) AS behind FROM work.parked p WHERE parked_id = $1
"""
BEHIND = f"""
SELECT {COLUMNS}, 0 AS behind FROM work.parked
WHERE reaction = $1 AND subject = $2 AND state <> 'done' AND parked_id > $3 ORDER BY parked_id LIMIT $4
"""
FIRST = "SELECT min(parked_id) FROM work.parked WHERE reaction = $1 AND subject = $2 AND state <> 'done'"
DISMISS = """
UPDATE work.parked
SET state = 'done', dismissed_by = $2, dismissed_at = clock_timestamp(), dismissed_because = $3 WHERE parked_id = $1
"""

REASON_MOST = 500
SEALED = "(sealed)"


class NothingParked(MinewatchError):
    """No event waits under this number."""


class WaitsBehind(MinewatchError):
    """It waits behind another event of its subject, which has to be settled first."""


class NoReason(MinewatchError):
    """A dismissal needs a reason of at most 500 characters."""


@dataclass(frozen=True)
class Parked:
    """One reaction to one event that waits, or that was dismissed. `behind`: how many wait for it; `attempts`: tries so far."""

    parked_id: int
    source: str
    lineage: str
    position: int
    reaction: str
    subject: str
    state: str
    reason: str | None
    attempts: int
    parked_at: datetime
    dismissed_by: str | None
    dismissed_at: datetime | None
    dismissed_because: str | None
    behind: int


def _of(row: Any) -> Parked:
    return Parked(**{**dict(row), "lineage": str(row["lineage"])})


async def waiting(pool: asyncpg.Pool, most: int = 1000) -> list[Parked]:
    """What is parked or queued, oldest first."""
    return [_of(row) for row in await pool.fetch(WAITING, most)]


async def dismissed(pool: asyncpg.Pool, most: int = 1000) -> list[Parked]:
    """What was ever dismissed, newest first."""
    return [_of(row) for row in await pool.fetch(DISMISSED, most)]


async def one(pool: asyncpg.Pool, parked_id: int) -> Parked:
    """Raises NothingParked."""
    row = await pool.fetchrow(ONE, parked_id)
    if row is None:
        raise NothingParked(f"no event is parked under {parked_id}")
    return _of(row)


async def behind(pool: asyncpg.Pool, first: Parked, most: int = 20) -> list[Parked]:
    """What waits for it, in order."""
    return [_of(row) for row in await pool.fetch(BEHIND, first.reaction, first.subject, first.parked_id, most)]


async def event_of(pool: asyncpg.Pool, service: str, parked: Parked) -> dict[str, Any] | str:
    """The stored event with its sealed texts closed; for bytes that are no JSON object, what they are."""
    body = await pool.fetchval(BODY, parked.source, parked.lineage, parked.position, parked.source == service)
    if body is None:
        return "the event is not in this database any more"
    try:
        event = closed(json.loads(body))
    except ValueError:
        event = None
    return event if isinstance(event, dict) else f"{len(body)} bytes that are no JSON object"


def closed(value: Any) -> Any:
    """The same JSON with (sealed) in place of every encrypted text."""
    if isinstance(value, dict):
        return SEALED if value.keys() == {"k", "n", "c", "m"} else {name: closed(one) for name, one in value.items()}
    return [closed(one) for one in value] if isinstance(value, list) else value


async def dismiss(pool: asyncpg.Pool, service: str, parked_id: int, person: str, because: str) -> Parked:
    """Gives up this reaction to this event, for good. The next in its queue may then be retried (Reactor.retry).

    Raises NothingParked, WaitsBehind, NoReason. applied + parked + queued = mark holds before and after.
    """
    because = because.strip()
    if not 0 < len(because) <= REASON_MOST:
        raise NoReason(f"say in at most {REASON_MOST} characters why it will not be done")
    source = (await one(pool, parked_id)).source
    async with pool.acquire() as connection, connection.transaction():
        tx = Tx(connection)
        await tx.one(TAKE_APPENDING, (APPENDING,))
        await tx.one(HOLD_MARK, (source,))  # as a retry and the reactor do: from here on the queue stands still
        row = await tx.one(ONE, (parked_id,))
        if row is None or row["state"] == "done":
            raise NothingParked(f"{parked_id} does not wait any more")
        first = await tx.value(FIRST, (row["reaction"], row["subject"]))
        if first != parked_id:
            raise WaitsBehind(f"{parked_id} waits behind {first}, which has to be settled first")
        await tx.run(DISMISS, (parked_id, person, because))
        await tx.run(APPLY_PARKED, (row["source"], row["lineage"], row["position"]))
        done = _of(await tx.one(ONE, (parked_id,)))
    log("parked", service=service).warning(
        "dismissed",
        parked=parked_id,
        person=person,
        source=done.source,
        position=done.position,
        reaction=done.reaction,
        subject=done.subject,
    )
    return done
