"""What a database says of its own log, row by row, against the bytes that the rows are about; and the bytes as files.

The files have the form of an export, but nothing is mended or refused: leaves and nodes are those that stand in the database, so
that whoever verifies the files finds what was altered.
"""

import json
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg

from shared.audit.found import Found
from shared.audit.own_keys import OwnKeys
from shared.contracts.envelope import leaf_of, moment
from shared.files import kept_for
from shared.proving import NotInLog, tile
from shared.sql import Tx
from shared.transparency import tiles, tree
from shared.transparency.note import Note, NoteRefused
from shared.transparency.policy import Policy
from shared.transparency.tiles import WIDTH

AT_ONCE = 1000
SLACK = timedelta(minutes=5)
"""How far the clocks of a town's machines and of its witnesses may differ, or one may be set right, without a doubt."""

ROWS = """
SELECT l.position, l.event_id, l.leaf AS said, l.sequenced_at, e.stream_id, e.version, e.type, e.recorded_at, e.leaf, e.body
FROM record.log l LEFT JOIN record.event e USING (event_id) ORDER BY l.position
"""
UNNUMBERED = """
SELECT e.event_id, e.stream_id, e.version FROM record.event e
WHERE NOT EXISTS (SELECT FROM record.log l WHERE l.event_id = e.event_id)
    AND NOT EXISTS (SELECT FROM work.pending p WHERE p.event_id = e.event_id)
ORDER BY e.ingest_id LIMIT 20
"""
HEAD = "SELECT position, leaf, frontier, root FROM work.head"
# Times of numbering ascend, so that of a checkpoint's last event stands for all that it covers. `s.at` is signed by nobody;
# whoever puts it later hides a line, which he might have deleted as well.
SEEN_BEFORE = """
SELECT c.note || s.line AS note FROM record.cosignature s JOIN record.checkpoint c USING (origin, size)
JOIN record.log l ON l.position = c.size
WHERE split_part(c.origin, '/', 3) = (SELECT lineage::text FROM work.head) AND l.sequenced_at > s.at + $1::interval
ORDER BY c.size
"""
NUMBERED_AFTER = "SELECT min(position) FROM record.log WHERE sequenced_at > $1"


@dataclass
class OwnBytes:
    """`folder`: where the first `size` events go, as files; `marks`: size -> the root that the log's key once signed for it;
    `keys` hears of every event that has its bytes.

    Afterwards `whole`: whether every event had its bytes and its place; `ends`: the last position; `files`: SHA-256 of each file
    that has to be kept -> the first event that names it.
    """

    folder: Path
    size: int
    marks: Mapping[int, bytes]
    keys: OwnKeys
    whole: bool = True
    ends: int = 0
    files: dict[str, int] = field(default_factory=dict)
    _agreed: int = 0
    _entries: list[bytes] = field(default_factory=list)
    _leaves: list[bytes] = field(default_factory=list)
    _frontier: list[bytes] = field(default_factory=list)

    async def read(self, tx: Tx) -> AsyncIterator[Found]:
        """`tx` sees one moment."""
        times = None
        async for row in tx.connection.cursor(ROWS, prefetch=AT_ONCE):
            position = self.ends + 1
            if row["position"] != position:
                self.whole = False
                yield Found(
                    f"编号 {position} 至 {row['position'] - 1} 的事件不在日志中",
                    f"the log has no events {position} to {row['position'] - 1}",
                    position,
                )
            self.ends = row["position"]
            if times is not None and row["sequenced_at"] < times:
                yield Found("编号的时间早于前一事件", "it was numbered before the event before it", self.ends)
            times = row["sequenced_at"]
            if row["recorded_at"] is not None and times < row["recorded_at"] - SLACK:
                yield Found("编号的时间早于记录的时间", "it was numbered before it was recorded", self.ends)
            for zh, en in self._row(row):
                yield Found(zh, en, self.ends)
            if row["body"] is not None:
                await self.keys.read(self.ends, row["body"])
            if (between := self._mark()) is not None:
                yield between
        signed = max((self.size, *self.marks))
        if self.ends < signed:
            self.whole = False
            yield Found(
                f"有签名的检查点到第 {signed} 号事件，日志只到 {self.ends}：尾部被删去",
                f"a signed checkpoint is about {signed} events, the log ends at {self.ends}: its end was cut off",
                self.ends + 1,
            )
        async for found in self._around(tx):
            yield found
        if self.whole:
            await self._nodes(tx)

    def _mark(self) -> Found | None:
        """Tells the first signed root that is another than that of the events, and between which places the reason lies."""
        signed = self.marks.get(self.ends)
        if signed is None or not self.whole or self._agreed < 0:
            return None
        if signed == tree.root(self._frontier):
            self._agreed = self.ends
            return None
        begin, self._agreed = self._agreed + 1, -1
        return Found(
            f"第 {begin} 至 {self.ends} 号事件之间有改动：前 {self.ends} 个事件的树根不是当时签名的那个",
            f"something among events {begin} to {self.ends} was altered: their root is not the one that was signed then",
            begin,
        )

    def _row(self, row: asyncpg.Record) -> Iterator[tuple[str, str]]:
        body: bytes | None = row["body"]
        if body is None:
            self.whole = False
            yield "内容已被删除", "its bytes are gone"
            return
        if not leaf_of(body) == row["leaf"] == row["said"]:
            yield "内容与编号时的散列值不符：已被改动", "its bytes are not those that were numbered: they were altered"
        yield from _told(row, body)
        for sha256 in kept_for(body):
            self.files.setdefault(sha256, self.ends)
        if not self.whole:
            return
        _, self._frontier = tree.extend(row["position"] - 1, self._frontier, [leaf_of(body)])
        if row["position"] <= self.size:
            self._entries.append(body)
            self._leaves.append(row["said"])
            if len(self._entries) == WIDTH or row["position"] == self.size:
                self._write(row["position"])

    def _write(self, position: int) -> None:
        index, width = (position - 1) // WIDTH, len(self._entries)
        self._put(tiles.path("entries", index, width), tiles.bundle(self._entries))
        self._put(tiles.path(0, index, width), tree.pack(self._leaves))
        self._entries, self._leaves = [], []

    async def _around(self, tx: Tx) -> AsyncIterator[Found]:
        for row in await tx.all(UNNUMBERED):
            what = f"{row['stream_id']}#{row['version']}"
            yield Found(
                f"事件 {row['event_id']}（{what}）没有编号，也不在待编号之列：日志中删去了它",
                f"event {row['event_id']} ({what}) has no number and waits for none: it was taken out of the log",
            )
        head = await tx.one(HEAD)
        assert head is not None
        if head["position"] != self.ends:
            yield Found(
                f"日志头在 {head['position']}，日志到 {self.ends}",
                f"the head is at {head['position']}, the log ends at {self.ends}",
            )
        elif (
            self.whole
            and self.ends
            and (head["root"], head["frontier"]) != (tree.root(self._frontier), tree.pack(self._frontier))
        ):
            yield Found("日志头的树根与事件不符", "the head's root is not that of the events")

    async def _nodes(self, tx: Tx) -> None:
        for level, index, width in tiles.of_tree(self.size):
            if level:
                try:
                    hashes = await tile(tx, (level, index, width))
                except NotInLog:
                    hashes = []
                self._put(tiles.path(level, index, width), tree.pack(hashes))

    def _put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


async def seen_before(tx: Tx, policy: Policy) -> AsyncIterator[Found]:
    """The first event that was numbered, by its row, after a witness of the policy had signed that it is there."""
    async for row in tx.connection.cursor(SEEN_BEFORE, SLACK):
        try:
            signed = Note.read(row["note"].encode()).signed_by(policy.witnesses.values())
        except NoteRefused:
            continue  # it says nothing about a time
        for witness, at in signed.items():
            seen = datetime.fromtimestamp(at or 0, UTC)
            position = await tx.value(NUMBERED_AFTER, (seen + SLACK,)) if at else None  # 0: it says no time
            if position is not None:
                yield Found(
                    f"编号的时间晚于 {witness.name} 已为它签名的时间 {seen}",
                    f"it was numbered after {witness.name} had signed for it, at {seen}",
                    position,
                )
                return


def _told(row: asyncpg.Record, body: bytes) -> Iterator[tuple[str, str]]:
    """What the row says otherwise than its bytes: queries read the row."""
    try:
        told: dict[str, Any] = json.loads(body)
    except ValueError:
        yield "内容无法读取", "its bytes cannot be read"
        return
    said = {
        "id": str(row["event_id"]),
        "subject": row["stream_id"],
        "version": row["version"],
        "type": row["type"],
        "recordedat": moment(row["recorded_at"]),
    }
    other = [name for name, value in said.items() if told.get(name) != value]
    if other:
        names = ", ".join(other)
        yield f"数据库行与内容不符：{names}", f"its row says otherwise than its bytes: {names}"
