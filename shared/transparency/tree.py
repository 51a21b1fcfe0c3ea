"""RFC 6962 trees that grow at the right edge, kept as their frontier: the roots of the full subtrees, largest first.

A tree of n leaves has one frontier root for each 1 in n's binary form; appending a leaf merges equals, like a carry. A node is
named by (height, index): it covers the leaves from index · 2^height on, 2^height of them.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()
TILE_HEIGHT = 8
"""A tile holds 256 hashes side by side; the tiles of level L hold the nodes of height 8 · L."""

Completed = tuple[int, int, bytes]
"""(level, index, hash) of a node that a tile of level 1 or higher holds."""


def node(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(
    size: int, frontier: Sequence[bytes], leaves: Iterable[bytes], completed: list[Completed] | None = None
) -> tuple[int, list[bytes]]:
    """(new size, new frontier) after appending 32-byte `leaves` to a tree of `size` leaves.

    Every node of a height of 8, 16 … that is full now is added to `completed`. Raises ValueError when `frontier` does not belong
    to `size`.
    """
    if len(frontier) != size.bit_count():
        raise ValueError(f"a tree of {size} leaves has {size.bit_count()} frontier roots, not {len(frontier)}")
    roots = list(frontier)
    for leaf in leaves:
        carry, grown, height = size, leaf, 0
        while carry & 1:
            grown = node(roots.pop(), grown)
            carry >>= 1
            height += 1
            if height % TILE_HEIGHT == 0 and completed is not None:
                completed.append((height // TILE_HEIGHT, size >> height, grown))
        roots.append(grown)
        size += 1
    return size, roots


def root(frontier: Sequence[bytes]) -> bytes:
    """The tree's root hash; of any row of full subtrees, largest first, the hash of the range they cover."""
    if not frontier:
        return EMPTY_ROOT
    result = frontier[-1]
    for left in reversed(frontier[:-1]):
        result = node(left, result)
    return result


def pack(frontier: Sequence[bytes]) -> bytes:
    """The frontier as one byte string, 32 bytes a root."""
    return b"".join(frontier)


def unpack(packed: bytes) -> list[bytes]:
    return [packed[i : i + 32] for i in range(0, len(packed), 32)]
