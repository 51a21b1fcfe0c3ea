"""What a service received of another and still counts, against that one's log and the pasts that it grew from."""

from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.audit.found import Found
from shared.contracts.envelope import attribute

PAGE = 5000
MOST_NAMED = 20

LOG = """
SELECT l.position, e.body, e.type FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $2
"""
HEAD = "SELECT lineage, position FROM work.head"
LINEAGES = "SELECT lineage, parent, from_position FROM record.lineage"
MARK = "SELECT lineage, position FROM work.mark WHERE follower = 'receiver' AND source = $1"
FORGOTTEN = "SELECT lineage, shared FROM record.forgotten WHERE source = $1 ORDER BY shared, lineage"
# What read models and reactions are made from (follower.py).
COUNTED = """
SELECT position, type, body FROM record.inbox i WHERE source = $1 AND position > $2 AND position <= $3 AND NOT EXISTS (
    SELECT FROM record.forgotten f WHERE f.source = i.source AND f.lineage = i.lineage AND i.position > f.shared)
"""


@dataclass(frozen=True)
class _Log:
    """`ends`: each lineage that the present one grew from -> where it ended, by every restore since."""

    lineage: UUID
    position: int
    ends: dict[UUID, frozenset[int]]

    @staticmethod
    async def of(pool: asyncpg.Pool) -> "_Log":
        head = await pool.fetchrow(HEAD)
        assert head is not None
        known = {row["lineage"]: row for row in await pool.fetch(LINEAGES)}
        ends: dict[UUID, frozenset[int]] = {}
        at, before = known.get(head["lineage"]), frozenset[int]()
        while at is not None and at["parent"] is not None and at["parent"] not in ends:
            before = frozenset({at["from_position"], *(min(each, at["from_position"]) for each in before)})
            ends[at["parent"]] = before
            at = known.get(at["parent"])
        return _Log(head["lineage"], head["position"], ends)

    def known(self, lineage: UUID) -> int | None:
        """The last position of that lineage that still counts; None for one that is no part of this past."""
        return self.position if lineage == self.lineage else min(self.ends.get(lineage, ()), default=None)


async def faults(
    source: str, own: asyncpg.Pool, reader: str, there: asyncpg.Pool, wanted: frozenset[str]
) -> AsyncIterator[Found]:
    """What `reader` received of `source`, up to its mark, against the log `own`, which is read later: the town may be at work."""
    mark = await there.fetchrow(MARK, source)
    forgotten = await there.fetch(FORGOTTEN, source)
    log = await _Log.of(own)
    for row in forgotten:
        if row["shared"] not in log.ends.get(row["lineage"], ()):
            yield Found(
                f"{reader} 不再计入第 {row['shared']} 号以后的事件，而日志并未在那里被恢复过：事实被隐去",
                f"{reader} hides what came after {row['shared']} of lineage {row['lineage']}, which never ended there",
                row["shared"] + 1,
            )
    if mark is None or mark["lineage"] is None:
        if log.position:
            yield Found(
                f"{reader} 没有接收位置：被删去，或者从未接收",
                f"{reader} has no mark of how far it received: it was taken away, or nothing was received yet",
            )
        return
    upto = log.known(mark["lineage"])
    if upto is None:
        yield Found(
            f"{reader} 收到的属于 {mark['lineage']}，这份日志并非由它而来",
            f"{reader} received of lineage {mark['lineage']}, which this log did not grow from",
        )
        return
    if mark["position"] > upto:
        yield _beyond(reader, mark["position"], upto, mark["lineage"] == log.lineage)
    async for found in _compared(source, own, reader, there, wanted, min(mark["position"], upto)):
        yield found


def _beyond(reader: str, mark: int, upto: int, present: bool) -> Found:
    if present:
        zh, en = f"日志却只到 {upto}：尾部被删去", f"the log ends at {upto}: its end was cut off"
    else:
        zh, en = f"日志恢复后只承认到 {upto}", f"the log was restored and knows {upto} of them: accept-lineage is due"
    return Found(f"{reader} 已收到第 {mark} 号事件，{zh}", f"{reader} has received event {mark}, and {en}", upto + 1)


async def _compared(
    source: str, own: asyncpg.Pool, reader: str, there: asyncpg.Pool, wanted: frozenset[str], upto: int
) -> AsyncIterator[Found]:
    named = 0
    for begin in range(0, upto, PAGE):
        end = min(begin + PAGE, upto)
        log = {row["position"]: (row["body"], row["type"]) for row in await own.fetch(LOG, begin, end)}
        held: dict[int, list[tuple[bytes, str | None]]] = defaultdict(list)
        for row in await there.fetch(COUNTED, source, begin, end):
            held[row["position"]].append((row["body"], row["type"]))
        for position in range(begin + 1, end + 1):
            body, type_ = log.get(position, (None, None))
            words = _fault(held.get(position, ()), body, type_ in wanted)
            if words is not None:
                named += 1
                yield Found(f"{reader} {words[0]}", f"{reader} {words[1]}", position)
            if named == MOST_NAMED:
                return


def _fault(held: Sequence[tuple[bytes, str | None]], body: bytes | None, wanted: bool) -> tuple[str, str] | None:
    if any(each != body for each, _ in held):
        return "收到的是另一内容：二者必有一个被改动", "received other bytes: one of the two was altered"
    if any(type_ != attribute(each, "type") for each, type_ in held):
        return "收件箱里的类型与内容不符", "has it under another type than its bytes say"
    if len(held) > 1:
        return "把它计入了两次", "counts it twice"
    if wanted and not held:
        return "应已收到，收件箱里却没有", "must have received it and does not have it"
    return None
