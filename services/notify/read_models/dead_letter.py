"""Deliveries that were given up, with the message they carried. No table of its own: work.delivery is the truth about them."""

from datetime import datetime

import asyncpg

from shared.sql import Tx

DEAD = """
SELECT l.*, d.channel, d.attempts, d.last_error FROM work.delivery d JOIN message_line l ON l.stream = d.stream_id
WHERE d.state = 'dead' AND ($1::timestamptz IS NULL OR (l.issued_at, l.stream, d.channel) < ($1, $2, $3))
ORDER BY l.issued_at DESC, l.stream DESC, d.channel DESC LIMIT $4
"""
COUNT = "SELECT count(*) FROM work.delivery WHERE state = 'dead'"


async def dead_letters(tx: Tx, before: tuple[datetime, str, str] | None = None, most: int = 50) -> list[asyncpg.Record]:
    """Rows of message_line with channel, attempts and last_error, newest first. `before`: (issued_at, stream, channel)."""
    return await tx.all(DEAD, (*(before or (None, None, None)), most))


async def number_of_dead(tx: Tx) -> int:
    return int(await tx.value(COUNT))
