"""RFC 6962 trees that grow at the right edge, kept as their frontier: the roots of the full subtrees, largest first.

A tree of n leaves has one frontier root for each 1 in n's binary form; appending a leaf merges equals, like a carry.
"""

import hashlib
from collections.abc import Iterable, Sequence

EMPTY_ROOT = hashlib.sha256(b"").digest()


def node(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def extend(size: int, frontier: Sequence[bytes], leaves: Iterable[bytes]) -> tuple[int, list[bytes]]:
    """(new size, new frontier) after appending 32-byte `leaves` to a tree of `size` leaves. Raises ValueError when
    `frontier` does not belong to `size`."""
    if len(frontier) != size.bit_count():
        raise ValueError(f"a tree of {size} leaves has {size.bit_count()} frontier roots, not {len(frontier)}")
    roots = list(frontier)
    for leaf in leaves:
        carry, grown = size, leaf
        while carry & 1:
            grown = node(roots.pop(), grown)
            carry >>= 1
        roots.append(grown)
        size += 1
    return size, roots


def root(frontier: Sequence[bytes]) -> bytes:
    """The tree's root hash."""
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
