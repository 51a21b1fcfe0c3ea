"""Roots of RFC 6962 from the tiles up: rows of hashes paired level by level, the odd last one carried up as it is.

No frontier is kept as the writer keeps one; of each level of tiles only the row that is not full yet.
"""

import hashlib
from collections.abc import Callable

from shared.verifier.doubts import Doubt, Refused, doubt
from shared.verifier.files import WIDTH

ReadTile = Callable[[int, int], bytes]


def leaf_of(body: bytes) -> bytes:
    return hashlib.sha256(b"\x00" + body).digest()


def root_of(row: bytes) -> bytes:
    """Of hashes side by side, 32 bytes each, at least one."""
    sha256 = hashlib.sha256
    while len(row) > 32:
        odd = row[len(row) & ~63 :]
        pairs = range(0, len(row) & ~63, 64)
        row = b"".join([sha256(b"\x01" + row[at : at + 64]).digest() for at in pairs]) + odd
    return row


class Growing:
    """The tree above the level-0 tiles. `tile`: reads one to compare with, None when there are none to compare."""

    def __init__(self, tile: ReadTile | None) -> None:
        self._tile = tile
        self._rows: list[list[bytes]] = []
        self._full: list[int] = []
        self.doubts: list[Doubt] = []
        self.known = True

    def add(self, node: bytes | None) -> None:
        """The root over the next 256 entries; None when they could not be read: no root is known from there on."""
        if node is None:
            self.known = False
        if self.known and node is not None:
            self._put(0, node)

    def root(self, tail: bytes | None) -> bytes | None:
        """Of all so far, with the root of the fewer than 256 entries that follow; None when it is not known."""
        if not self.known:
            return None
        for row in self._rows:
            row = [*row, tail] if tail is not None else row
            tail = root_of(b"".join(row)) if row else None
        return tail if tail is not None else hashlib.sha256(b"").digest()

    def end(self) -> None:
        """Compares the tiles that are not full."""
        if self.known:
            for above, row in enumerate(self._rows):
                if row:
                    self._compare(above, row)

    def _put(self, above: int, node: bytes) -> None:
        if above == len(self._rows):
            self._rows.append([])
            self._full.append(0)
        row = self._rows[above]
        row.append(node)
        if len(row) == WIDTH:
            self._compare(above, row)
            self._put(above + 1, root_of(b"".join(row)))
            self._full[above] += 1
            row.clear()

    def _compare(self, above: int, row: list[bytes]) -> None:
        if self._tile is None:
            return
        level, index = above + 1, self._full[above]
        try:
            there = self._tile(level, index)
        except Refused as error:
            self.doubts.append(error.doubt)
            return
        for nth, node in enumerate(row):
            if there[32 * nth : 32 * nth + 32] != node:
                position = (index * WIDTH + nth << 8 * level) + 1
                self.doubts.append(doubt("tile_hash", position, level=level, index=index, nth=nth))
                return
