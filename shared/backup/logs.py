"""One service's log as a backup holds it, walked once from end to end: each event in its place, and the tree over them.

Nothing is believed that can be computed: leaves from bodies, roots from leaves, and each row's columns from its body.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from shared.backup.manifest import Doubt, Part
from shared.backup.rows import octets, rows, text
from shared.contracts.envelope import leaf_of
from shared.transparency import tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.origin import After, Begun, Origin, grew_from

Row = dict[str, bytes | None]
Seen = Callable[[bytes], None]
"""Is shown every body."""


@dataclass
class Walked:
    """A log that fits. `leaf`, `frontier`: of its last event, and of the tree there; `roots`: size -> root, where somebody asked
    for it; `waiting`: ids of the events without a number; `last`: when the last one was recorded; `since`: size -> when the first
    event after it was recorded, for 0 and the sizes of `roots`."""

    position: int = 0
    leaf: bytes | None = None
    frontier: list[bytes] = field(default_factory=list)
    roots: dict[int, bytes] = field(default_factory=dict)
    waiting: set[str] = field(default_factory=set)
    last: str | None = None
    since: dict[int, str] = field(default_factory=dict)


@dataclass
class Log:
    """`inboxes`: what others received of this log, (whose inbox, position, body), each in the order of positions; `sizes`: at
    which roots are asked for."""

    folder: Path
    service: str
    part: Part
    jurisdiction: str
    sizes: frozenset[int] = frozenset()
    inboxes: tuple[Iterator[tuple[str, int, bytes]], ...] = ()
    leaves: frozenset[tuple[int, str]] = frozenset()

    def _rows(self, table: str) -> Iterator[Row]:
        about = self.part.table(table)
        return rows(self.folder / about.file, about.columns)

    def doubt(self, at: str, why: str) -> Doubt:
        return Doubt(f"{self.service}, {at}: {why}")

    def walk(self, seen: Seen = lambda _: None, progress: Callable[[int], None] = lambda _: None) -> Walked:
        """Raises Doubt at the first place that does not fit."""
        came = Walked()
        before = self._before()
        sizes = self.sizes | ({before[1]} if before is not None else frozenset())
        marks = _Expected(self)
        signed = self._checkpoints()
        digests: dict[int, Any] = {}
        events = self._rows("record.event")
        if 0 in sizes:
            came.roots[0] = tree.EMPTY_ROOT
        for entry in self._rows("record.log"):
            at = f"event {came.position + 1}"
            event = next(events, None)
            if event is None:
                raise self.doubt(at, "it is in the log and its body is gone")
            leaf = came.leaf = self._check(entry, event, came, at)
            if came.position in sizes or came.position == 0:
                came.since[came.position] = came.last or ""
            seen(octets(event["body"]))
            full: list[tree.Completed] = []
            came.position, came.frontier = tree.extend(came.position, came.frontier, (leaf,), full)
            for level, index, hash_ in full:
                digests.setdefault(level, hashlib.sha256()).update(index.to_bytes(8, "big") + hash_)
            marks.at(came.position, leaf, octets(event["body"]))
            signed.at(came)
            if came.position in sizes:
                came.roots[came.position] = tree.root(came.frontier)
            progress(came.position)
        self._waiting(events, came, seen)
        self._head(came)
        marks.all_met()
        signed.all_met()
        self._nodes(digests)
        self._name(before, came)
        return came

    def _check(self, entry: Row, event: Row, came: Walked, at: str) -> bytes:
        body = octets(event["body"])
        if int(text(entry["position"])) != came.position + 1:
            raise self.doubt(at, f"the log goes on with {text(entry['position'])}")
        if entry["event_id"] != event["event_id"]:
            raise self.doubt(at, f"the log names {text(entry['event_id'])}, the body is of {text(event['event_id'])}")
        if (leaf := leaf_of(body)) != octets(entry["leaf"]):
            raise self.doubt(at, "its bytes are not those that were numbered")
        came.last = self._columns(event, body, at)
        return leaf

    def _columns(self, event: Row, body: bytes, at: str) -> str:
        """What stands beside the body says the same as the body; when it was recorded."""
        try:
            said = json.loads(body)
            expected = (said["id"], said["subject"], str(said["version"]), said["type"])
            recorded_at = str(said["recordedat"])
            there = tuple(text(event[name]) for name in ("event_id", "stream_id", "version", "type"))
            source = str(said["source"])
            same_time = datetime.fromisoformat(text(event["recorded_at"])) == datetime.fromisoformat(recorded_at)
        except (ValueError, KeyError, TypeError):
            raise self.doubt(at, "its body is no event") from None
        if source.rsplit("/", 1)[-1] != self.service:
            raise self.doubt(at, f"it is of {source}")
        if there != expected or not same_time:
            raise self.doubt(at, "its row and its body say different things")
        return recorded_at

    def _waiting(self, events: Iterable[Row], came: Walked, seen: Seen) -> None:
        """Events behind the log are those of the queue, and no others."""
        queued = {text(row["event_id"]) for row in self._rows("work.pending")}
        for event in events:
            came.waiting.add(text(event["event_id"]))
            self._columns(event, octets(event["body"]), f"event {text(event['event_id'])}, which waits for a number")
            seen(octets(event["body"]))
        if came.waiting != queued:
            odd = min(came.waiting ^ queued)
            raise self.doubt(f"event {odd}", "it is in neither the log nor the queue, or in both, or its body is gone")

    def _head(self, came: Walked) -> None:
        head = next(self._rows("work.head"), None)
        root = tree.root(came.frontier)
        if head is None or int(text(head["position"])) != came.position or self.part.position != came.position:
            raise self.doubt(
                f"event {came.position + 1}", f"the log ends before it, and was taken up to {self.part.position}"
            )
        frontier = b"" if head["frontier"] == b"\\x" else octets(head["frontier"])
        said = (frontier, *(octets(head[name]) for name in ("root", "leaf") if came.position))
        if said != (tree.pack(came.frontier), *((root, came.leaf) if came.position else ())):
            raise self.doubt("its head", "the tree is not that of its events")
        if self.part.root != root.hex():
            raise self.doubt("its root", f"the events give {root.hex()}, taken was {self.part.root}")
        if text(head["lineage"]) != self.part.lineage:
            raise self.doubt("its head", f"it is of lineage {text(head['lineage'])}, taken was {self.part.lineage}")

    def _nodes(self, digests: dict[int, Any]) -> None:
        there: dict[int, Any] = {}
        for row in self._rows("record.node"):
            packed = int(text(row["index"])).to_bytes(8, "big") + octets(row["hash"])
            there.setdefault(int(text(row["level"])), hashlib.sha256()).update(packed)
        if {level: d.digest() for level, d in there.items()} != {level: d.digest() for level, d in digests.items()}:
            raise self.doubt("its tree", "kept nodes are not those of its events")

    def _before(self) -> tuple[str, int] | None:
        """The signed lineage that its own grew from, and up to which position."""
        signed = {of for row in self._rows("record.checkpoint") for of in text(row["origin"]).split("/")[2:3]}
        known = {
            text(row["lineage"]): Begun(
                None if row["parent"] is None else row["parent"].decode(),
                int(text(row["from_position"])),
                text(row["lineage"]) in signed,
            )
            for row in self._rows("record.lineage")
        }
        if self.part.lineage not in known:
            raise self.doubt("its lineage", f"{self.part.lineage} is not among those it knows")
        return grew_from(self.part.lineage, known)

    def _name(self, before: tuple[str, int] | None, came: Walked) -> None:
        after = None
        if before is not None:
            parent, size = before
            if size not in came.roots:
                raise self.doubt("its lineage", f"it begins at {size}, beyond its end")
            after = After(parent, size, came.roots[size])
        name = str(Origin(self.jurisdiction, self.service, self.part.lineage, after))
        if name != self.part.origin:
            raise self.doubt("its name", f"the events give {name}, taken was {self.part.origin}")

    def _checkpoints(self) -> "_Signed":
        return _Signed(
            self, (row for row in self._rows("record.checkpoint") if row["origin"] == self.part.origin.encode())
        )

    def known_lineages(self) -> dict[str, int]:
        """Lineage -> up to which position this log is one past with it; its own, and those it grew from."""
        grew = {
            text(row["lineage"]): (row["parent"], int(text(row["from_position"])))
            for row in self._rows("record.lineage")
        }
        known, at, shared = {}, self.part.lineage, self.part.position
        while at in grew and at not in known:
            known[at] = shared
            parent, begun = grew[at]
            at, shared = (parent or b"").decode(), min(shared, begun)
        return known


@dataclass
class _Signed:
    """Checkpoints of the present lineage in the order of sizes: each must be of the events as they are."""

    log: Log
    rows: Iterator[Row]

    def __post_init__(self) -> None:
        self._next = next(self.rows, None)

    def at(self, came: Walked) -> None:
        while self._next is not None and int(text(self._next["size"])) == came.position:
            place = f"its checkpoint of {came.position} events"
            try:
                said = Checkpoint.read(Note.read(text(self._next["note"]).encode()).text)
            except NoteRefused as error:
                raise self.log.doubt(place, str(error)) from None
            root = tree.root(came.frontier)
            if said != Checkpoint(self.log.part.origin, came.position, root) or octets(self._next["root"]) != root:
                raise self.log.doubt(place, "the events up to there are not those that were signed")
            self._next = next(self.rows, None)

    def all_met(self) -> None:
        if self._next is not None:
            size = text(self._next["size"])
            raise self.log.doubt(f"its checkpoint of {size} events", "the log is shorter than what was signed")


class _Expected:
    """What other services received of the log: the same bytes at the same place."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self._leaves: dict[int, set[str]] = {}
        for position, leaf in log.leaves:
            self._leaves.setdefault(position, set()).add(leaf)
        self._inboxes = [[next(inbox, None), inbox] for inbox in log.inboxes]

    def at(self, position: int, leaf: bytes, body: bytes) -> None:
        if self._leaves.pop(position, {leaf.hex()}) != {leaf.hex()}:
            raise self._log.doubt(f"event {position}", "another service received another event there")
        for pair in self._inboxes:
            ahead: Any = pair[0]
            if ahead is not None and ahead[1] == position:
                if ahead[2] != body:
                    raise self._log.doubt(f"event {position}", f"{ahead[0]} holds another event as received")
                inbox: Any = pair[1]
                pair[0] = next(inbox, None)

    def all_met(self) -> None:
        if self._leaves:
            raise self._log.doubt(f"event {min(self._leaves)}", "another service received it, and it is not here")
        for pair in self._inboxes:
            ahead: Any = pair[0]
            if ahead is not None:
                raise self._log.doubt(f"event {ahead[1]}", f"{ahead[0]} holds it as received, and it is not here")
