"""Which events a service had at a moment: a position of its own log, and one of every source it receives from.

recorded   what this service had recorded by then, by `sequenced_at`; of another service's facts those up to the first that was
           recorded there later. The inbox keeps no time of receipt, so this is the most that can have been known (docs/adr/0020)
occurred   what had happened by then, as it is known today; of each stream the events up to the first that happened later
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, get_args
from uuid import UUID

from shared.contracts.envelope import moment as utc
from shared.errors import MinewatchError
from shared.plan.calendar import TOWN_TIME
from shared.sql import Tx

Clock = Literal["recorded", "occurred"]
CLOCKS: tuple[Clock, ...] = get_args(Clock)

OWN_AT = """
SELECT h.lineage, coalesce((
    SELECT l.position FROM record.log l WHERE l.sequenced_at <= $1 ORDER BY l.position DESC LIMIT 1
), 0) AS position FROM work.head h
"""
OWN_POSITION = """
SELECT h.lineage, h.position AS head, (SELECT l.sequenced_at FROM record.log l WHERE l.position = $1) AS at FROM work.head h
"""
OWN_CUTS = """
SELECT e.type, e.body, l.position, l.sequenced_at, h.lineage FROM record.event e JOIN record.log l USING (event_id), work.head h
WHERE e.stream_id = $1 ORDER BY e.version
"""

# What counts of the inbox at $2: without what its source had forgotten by then (lineage.py); and before it was accepted that a
# source had forgotten, only what came of the pasts forgotten in that step. One step's rows are written within a moment.
KNOWN = """
i.source = $1 AND NOT EXISTS (
    SELECT FROM record.forgotten f
    WHERE f.source = i.source AND f.lineage = i.lineage AND i.position > f.shared AND f.accepted_at <= $2
) AND NOT EXISTS (
    SELECT FROM (SELECT min(accepted_at) AS at FROM record.forgotten WHERE source = $1 AND accepted_at > $2) later
    WHERE later.at IS NOT NULL AND i.lineage NOT IN (
        SELECT lineage FROM record.forgotten
        WHERE source = $1 AND accepted_at > $2 AND accepted_at < later.at + interval '1 minute')
)
"""
# Bytes without a type are no envelope, and say no time.
RECEIVED_AT = f"""
SELECT i.lineage, i.position FROM record.inbox i WHERE {KNOWN} AND i.position < coalesce((
    SELECT i.position FROM record.inbox i
    WHERE {KNOWN} AND i.type IS NOT NULL AND convert_from(i.body, 'UTF8')::json ->> 'recordedat' > $3
    ORDER BY i.position LIMIT 1
), 9223372036854775807) ORDER BY i.position DESC LIMIT 1
"""
RECEIVED = f"SELECT i.lineage, i.position FROM record.inbox i WHERE {KNOWN} ORDER BY i.position DESC LIMIT 1"


class NoSuchMoment(MinewatchError):
    """A moment that cannot be read, or that this service never had; says in Chinese and English what to give."""

    def __init__(self, zh: str, en: str) -> None:
        super().__init__(f"{zh} {en}")
        self.zh, self.en = zh, en


@dataclass(frozen=True)
class At:
    """The last event of a source that counts; position 0 when none does."""

    lineage: UUID
    position: int


@dataclass(frozen=True)
class Moment:
    """`upto`: (source, its last event that counts), the own log first; a source of which nothing had come is left out."""

    service: str
    clock: Clock
    at: datetime
    upto: tuple[tuple[str, At], ...]

    @property
    def key(self) -> tuple[object, ...]:
        """Equal where the read models are equal."""
        return (self.clock, self.upto, self.at if self.clock == "occurred" else None)

    @property
    def own(self) -> int:
        return dict(self.upto)[self.service].position

    @property
    def vector(self) -> str:
        """source=lineage/position, …; as a header's value."""
        return ", ".join(f"{source}={at.lineage}/{at.position}" for source, at in self.upto)

    @property
    def text(self) -> str:
        return f"as of {self.clock} {self.at.astimezone(TOWN_TIME).isoformat()}"


_ZONED = re.compile(
    r"(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?) ?(Z|[+-]\d\d:?\d\d| \d\d:\d\d)?", re.ASCII
)


def read_moment(text: str) -> datetime:
    """`2018-02-09T17:00`, with seconds or without; town time unless it ends with its offset. Raises NoSuchMoment.

    A blank before the offset is taken for the + that an address turns into one.
    """
    found = _ZONED.fullmatch(text.strip())
    try:
        if found is None:
            raise ValueError
        day, hour, zone = found.groups()
        read = datetime.fromisoformat(f"{day}T{hour}{(zone or '').replace(' ', '+')}")
    except ValueError:
        raise NoSuchMoment(
            "时刻应写成 2018-02-09T17:00（本镇时间），或带时区 2018-02-09T17:00+08:00。",
            "Give the moment as 2018-02-09T17:00 (town time), or with its offset, 2018-02-09T17:00+08:00.",
        ) from None
    return read.replace(tzinfo=read.tzinfo or TOWN_TIME).astimezone(UTC)


async def as_of(tx: Tx, service: str, sources: Sequence[str], at: datetime, clock: Clock = "recorded") -> Moment:
    """`sources`: the other services it receives from."""
    far = datetime.max.replace(tzinfo=UTC) if clock == "occurred" else at
    own = await tx.one(OWN_AT, (far,))
    assert own is not None
    upto = [(service, At(own["lineage"], own["position"]))]
    for source in sources:
        if clock == "occurred":
            row = await tx.one(RECEIVED, (source, far))
        else:
            row = await received_at(tx, source, at)
        if row is not None:
            upto.append((source, At(row["lineage"], row["position"])))
    return Moment(service, clock, at.astimezone(UTC), tuple(upto))


async def received_at(tx: Tx, source: str, at: datetime) -> Any:
    """(lineage, position) of the last event of `source` that can have been known here at `at`; None before the first."""
    return await tx.one(RECEIVED_AT, (source, at, utc(at)))


async def at_position(tx: Tx, service: str, sources: Sequence[str], position: int) -> Moment:
    """When the own log ended with the event at `position`. Raises NoSuchMoment."""
    row = await tx.one(OWN_POSITION, (position,))
    assert row is not None
    if row["at"] is None:
        raise NoSuchMoment(
            f"{service} 的记录只有第 1 至 {row['head']} 号事件。",
            f"The log of {service} has the events 1 to {row['head']}.",
        )
    at = await as_of(tx, service, sources, row["at"])
    return Moment(service, "recorded", at.at, ((service, At(row["lineage"], position)), *at.upto[1:]))


async def at_cut(tx: Tx, service: str, sources: Sequence[str], stream: str) -> Moment:
    """When the record `stream` said what was filed of it (or, not filed, what it said last): its event and that event's cut.

    A source that the cut does not name stands as recorded then. Raises NoSuchMoment.
    """
    said = filed = None
    for row in await tx.all(OWN_CUTS, (stream,)):
        cut = json.loads(row["body"])["data"].get("cut")
        said = (row, cut) if cut else said
        filed = said if row["type"].rsplit(".", 2)[-2] == "filed" else filed
    if said is None:
        raise NoSuchMoment(f"{service} 没有 {stream} 的截点。", f"{service} knows no cut of {stream}.")
    row, cut = filed or said
    at = await as_of(tx, service, sources, row["sequenced_at"])
    named = {one["source"]: At(UUID(one["lineage"]), one["position"]) for one in cut}
    upto = {service: At(row["lineage"], row["position"])} | (dict(at.upto[1:]) | named)
    return Moment(service, "recorded", at.at, tuple(upto.items()))
