"""The heads of a service's streams at a size of its log, read from its database."""

from shared.proving import NotInLog
from shared.sql import Tx
from shared.transparency.heads import Head

# The last event of each stream among the first $1 of the log. Its leaf is the log's, which is the one in the tree.
HEADS = """
SELECT DISTINCT ON (e.stream_id) e.stream_id, e.version, l.leaf FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position <= $1 ORDER BY e.stream_id, e.version DESC
"""
THERE = "SELECT $1 = 0 OR EXISTS (SELECT FROM record.log WHERE position = $1)"


async def heads_at(tx: Tx, size: int) -> list[Head]:
    """One per stream that has events among the first `size` of the log, in no order. Raises NotInLog for a shorter log."""
    if size < 0 or not await tx.value(THERE, (size,)):
        raise NotInLog(f"the log has no {size} events yet")
    return [Head(row[0], row[1], row[2]) for row in await tx.all(HEADS, (size,))]
