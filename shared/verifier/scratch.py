"""What is checked across a whole log waits in files: of each event its place in its stream and its id, in buckets by the first
bits of their hashes, so that one bucket after another fits in memory whatever the length of the log.
"""

import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

BUCKETS = 64
IN_STREAM = struct.Struct(">Q32sQ32s32s")
"""(position, SHA-256 of the stream's id, version, leaf, prev or zeros), 112 bytes."""
BY_ID = struct.Struct(">16sQ")
"""(event id, position), 24 bytes."""
_OFFSETS = struct.Struct(f">{2 * BUCKETS + 1}Q")


@dataclass
class Page:
    """The records of one piece of a log, still in memory."""

    in_stream: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(BUCKETS)])
    by_id: list[list[bytes]] = field(default_factory=lambda: [[] for _ in range(BUCKETS)])

    def write(self, path: Path) -> None:
        parts = [b"".join(each) for pair in zip(self.in_stream, self.by_id, strict=True) for each in pair]
        offsets = [_OFFSETS.size]
        for part in parts:
            offsets.append(offsets[-1] + len(part))
        with path.open("wb") as file:
            file.write(_OFFSETS.pack(*offsets))
            file.writelines(parts)


def records(pages: Sequence[Path], bucket: int) -> Iterator[tuple[bytes, bytes]]:
    """Page by page one bucket's records, those IN_STREAM and those BY_ID; both in the order of positions when `pages` are."""
    for path in pages:
        with path.open("rb", buffering=0) as file:
            offsets = _OFFSETS.unpack(file.read(_OFFSETS.size))
            begin, middle, end = offsets[2 * bucket : 2 * bucket + 3]
            file.seek(begin)
            found = file.read(end - begin)
        if len(found) != end - begin:
            raise OSError(f"{path} was cut off")
        yield found[: middle - begin], found[middle - begin :]
