"""What is checked across a whole log waits in files: of each event its place in its stream and its id, in buckets by the first
bits of their hashes, so that one bucket after another fits in memory whatever the length of the log.
"""

import hashlib
import struct
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path

from shared.verifier.bodies import Written

MOST_BITS = 8
IN_STREAM = struct.Struct(">Q32s40s40s")
"""(position, SHA-256 of the stream's id, the event as the stream's head, the head before it), 120 bytes."""
HEAD = struct.Struct(">Q32s")
"""(version, leaf), 40 bytes."""
NO_HEAD = bytes(HEAD.size)
BY_ID = struct.Struct(">16sQ")
"""(event id, position), 24 bytes."""
ONLY_ID = struct.Struct(">16s8x")
_PACKED = struct.Struct(">Q32sQ32sQ32s")
_OFFSET, _OFFSETS = struct.Struct(">Q"), struct.Struct(">3Q")
_NO_LEAF = bytes(32).hex()


def bits_for(events: int) -> int:
    """How many bits choose the bucket in a log of so many: about 8,000 to 16,000 fall in one, up to 4 million; then more do."""
    return min((events >> 14).bit_length(), MOST_BITS)


class Page:
    """The records of one piece of a log, still in memory, in 2^`bits` buckets."""

    def __init__(self, bits: int) -> None:
        self._shift = 8 - bits
        self._in_stream: list[list[bytes]] = [[] for _ in range(1 << bits)]
        self._by_id: list[list[bytes]] = [[] for _ in range(1 << bits)]

    def add(self, positions: Sequence[int], leaves: Sequence[bytes], events: Sequence[Written]) -> None:
        """The events in order, with their positions and leaves."""
        in_stream, by_id, shift = self._in_stream, self._by_id, self._shift
        ids = _cut(16, "".join([each[0] for each in events]).replace("-", ""))
        for event, record in zip(ids, map(BY_ID.pack, ids, positions), strict=True):
            by_id[event[15] >> shift].append(record)
        streams = [stream_hash(each[3]) for each in events]
        versions = [int(each[5]) for each in events]
        prevs = _cut(32, "".join([each[1] or _NO_LEAF for each in events]))
        before = [version - 1 for version in versions]
        for stream, record in zip(
            streams, map(_PACKED.pack, positions, streams, versions, leaves, before, prevs), strict=True
        ):
            in_stream[stream[0] >> shift].append(record)

    def write(self, path: Path) -> None:
        parts = [b"".join(each) for pair in zip(self._in_stream, self._by_id, strict=True) for each in pair]
        offsets = [_OFFSET.size * (len(parts) + 1)]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        with path.open("wb") as file:
            file.writelines(map(_OFFSET.pack, offsets))
            file.writelines(parts)


def _cut(size: int, hexadecimal: str) -> list[bytes]:
    """Bytes that stand side by side, `size` each."""
    return [each for (each,) in struct.iter_unpack(f"{size}s", bytes.fromhex(hexadecimal))]


@lru_cache(maxsize=8_192)
def stream_hash(stream: str) -> bytes:
    return hashlib.sha256(stream.encode()).digest()


def records(pages: Sequence[Path], bucket: int) -> Iterator[tuple[bytes, bytes]]:
    """Page by page one bucket's records, those IN_STREAM and those BY_ID; both in the order of positions when `pages` are."""
    for path in pages:
        with path.open("rb", buffering=0) as file:
            file.seek(2 * bucket * _OFFSET.size)
            begin, middle, end = _OFFSETS.unpack(file.read(_OFFSETS.size))
            file.seek(begin)
            found = file.read(end - begin)
        if len(found) != end - begin:
            raise OSError(f"{path} was cut off")
        yield found[: middle - begin], found[middle - begin :]
