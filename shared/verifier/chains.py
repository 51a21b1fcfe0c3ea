"""What only the whole log can show: each stream's versions and previous leaves, ids that are there once, statements of heads."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from shared.verifier import scratch
from shared.verifier.doubts import Doubt, Doubts, doubt
from shared.verifier.roots import Growing, leaf_of, root_of

MOST_HEADS = 8 << 20
"""Bytes of head hashes that one bucket gives back at once; with more statements the buckets are walked again."""


@dataclass(frozen=True)
class Statement:
    """Of the event at `position`: after the first `size` events there were `streams` streams, their heads under `root`."""

    position: int
    size: int
    streams: int
    root: bytes


@dataclass
class Walked:
    """`heads`: per size asked for, the hashes of the bucket's heads side by side, in order."""

    doubts: Doubts = field(default_factory=Doubts)
    heads: list[bytes] = field(default_factory=list)


def walk(pages: Sequence[Path], sizes: Sequence[int], bucket: int) -> Walked:
    """One bucket of every page. `sizes` ascending."""
    walked = Walked()
    last: dict[bytes, bytes] = {}
    heads, waiting = Changing(), list(sizes)
    ids: set[tuple[bytes]] = set()
    events = 0
    for in_stream, by_id in scratch.records(pages, bucket):
        ids.update(scratch.ONLY_ID.iter_unpack(by_id))
        events += len(by_id) // scratch.BY_ID.size
        for position, stream, head, before in scratch.IN_STREAM.iter_unpack(in_stream):
            while waiting and position > waiting[0]:
                walked.heads.append(heads.hashes(last))
                del waiting[0]
            if last.get(stream, scratch.NO_HEAD) != before:
                walked.doubts.add(_broken(position, head, last.get(stream, scratch.NO_HEAD)))
            last[stream] = head
            if waiting:
                heads.changed.add(stream)
    if waiting:
        walked.heads += [heads.hashes(last)] * len(waiting)
    if len(ids) < events:
        walked.doubts.take(_twice(pages, bucket))
    return walked


def _broken(position: int, head: bytes, before: bytes) -> Doubt:
    """`before`: the head that the stream had, which is not the one that the event names."""
    version, wanted = scratch.HEAD.unpack(head)[0], scratch.HEAD.unpack(before)[0] + 1
    if version != wanted:
        return doubt("version", position, version=version, wanted=wanted)
    return doubt("prev", position, version=version)


def _twice(pages: Sequence[Path], bucket: int) -> Iterator[Doubt]:
    first: dict[bytes, int] = {}
    for _, by_id in scratch.records(pages, bucket):
        for event, position in scratch.BY_ID.iter_unpack(by_id):
            if first.setdefault(event, position) != position:
                yield doubt("event_id", position, event=event, first=first[event])


def sizes_at_once(streams: int, buckets: int) -> int:
    """How many statements one walk may serve, in a log of about so many streams."""
    return max(1, MOST_HEADS // (32 * (streams // buckets + 1)))


class Changing:
    """The hashes of one bucket's heads; from one size to the next only those of streams that changed are made anew."""

    def __init__(self) -> None:
        self.changed: set[bytes] = set()
        self._hashes: dict[bytes, bytes] = {}

    def hashes(self, last: Mapping[bytes, bytes]) -> bytes:
        """Side by side, in the order of the streams' hashes."""
        for stream in self.changed:
            self._hashes[stream] = leaf_of(stream + last[stream])
        self.changed.clear()
        return b"".join([self._hashes[stream] for stream in sorted(self._hashes)])


class Heads:
    """Grows the trees of several statements, bucket after bucket."""

    def __init__(self, statements: Sequence[Statement]) -> None:
        self._statements = statements
        self._trees = [Row() for _ in statements]

    def add(self, heads: Sequence[bytes]) -> None:
        for tree, hashes in zip(self._trees, heads, strict=True):
            tree.add(hashes)

    def doubts(self) -> list[Doubt]:
        found = []
        for statement, tree in zip(self._statements, self._trees, strict=True):
            if (tree.count, tree.root()) != (statement.streams, statement.root):
                values = {"size": statement.size, "said": statement.streams, "there": tree.count}
                found.append(doubt("heads", statement.position, **values))
        return found


class Row:
    """A tree over hashes that come side by side; keeps fewer than 256 of them and a row above."""

    def __init__(self) -> None:
        self.count = 0
        self._above = Growing(None)
        self._tail = b""

    def add(self, hashes: bytes) -> None:
        self.count += len(hashes) // 32
        self._tail += hashes
        whole = len(self._tail) & ~0x1FFF  # 256 hashes of 32 bytes
        for at in range(0, whole, 0x2000):
            self._above.add(root_of(self._tail[at : at + 0x2000]))
        self._tail = self._tail[whole:]

    def root(self) -> bytes | None:
        return self._above.root(root_of(self._tail) if self._tail else None)
