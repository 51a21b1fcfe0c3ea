"""The heads of a log's streams, as one root: whoever is given a stream's events then sees whether the last of them is missing.

One entry a stream, 72 bytes: SHA-256 of its id, the version of its last event (8 bytes, big-endian), that event's leaf. Entries
are sorted by their first 32 bytes and are the leaves of a tree of RFC 6962: SHA-256(0x00 ‖ entry).
"""

import hashlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from shared.transparency import proofs, tree


@dataclass(frozen=True, slots=True)
class Head:
    """A stream's last event: `version` from 1, `leaf` 32 bytes."""

    stream: str
    version: int
    leaf: bytes


def entry(head: Head) -> bytes:
    return _name(head.stream) + head.version.to_bytes(8, "big") + head.leaf


def ordered(heads: Iterable[Head]) -> list[Head]:
    """As the tree has them. Raises ValueError for a stream that is there twice."""
    row = sorted(heads, key=lambda head: _name(head.stream))
    for head, following in itertools.pairwise(row):
        if head.stream == following.stream:
            raise ValueError(f"{head.stream} has two heads")
    return row


def root(heads: Iterable[Head]) -> bytes:
    """Of a log without events: that of the empty tree. Raises ValueError for a stream that is there twice."""
    return _folded(_leaves(ordered(heads)))


def proof(heads: Iterable[Head], stream: str) -> tuple[int, list[bytes]]:
    """(index from 0, path, lowest hash first) of `stream` in the tree over `heads`. Raises KeyError when it has no head, and
    ValueError for a stream that is there twice."""
    row = ordered(heads)
    found = [index for index, head in enumerate(row) if head.stream == stream]
    if not found:
        raise KeyError(stream)
    leaves = _leaves(row)
    return found[0], [_folded(leaves[_covered(each)]) for each in proofs.inclusion(found[0], len(leaves))]


def _name(stream: str) -> bytes:
    return hashlib.sha256(stream.encode()).digest()


def _leaves(row: Sequence[Head]) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + entry(head)).digest() for head in row]


def _folded(leaves: Sequence[bytes]) -> bytes:
    return tree.root(tree.extend(0, [], leaves)[1])


def _covered(nodes: proofs.Range) -> slice:
    height, index = nodes[0]
    begin = index << height
    return slice(begin, begin + sum(1 << height for height, _ in nodes))
