"""Inclusion and consistency proofs (RFC 6962, 2.1): which nodes of the tree they need, and how these fold into a proof.

Nothing here checks a proof: whoever checks one does it with code that was not written beside this.
"""

from collections.abc import Mapping, Sequence

from shared.transparency import tree

Node = tuple[int, int]
"""(height, index) of a full subtree."""
Range = list[Node]
"""Full subtrees side by side, largest first; their hashes fold into one."""


def inclusion(index: int, size: int) -> list[Range]:
    """The path from leaf `index` (from 0) to the root of `size` leaves, lowest first. Raises ValueError."""
    if not 0 <= index < size:
        raise ValueError(f"no leaf {index} in a tree of {size}")
    path: list[Range] = []
    begin, end = 0, size
    while end - begin > 1:
        middle = begin + _split(end - begin)
        if index < middle:
            path.append(covering(middle, end))
            end = middle
        else:
            path.append(covering(begin, middle))
            begin = middle
    return path[::-1]


def consistency(old: int, size: int) -> list[Range]:
    """The proof that a tree of `size` leaves grew from one of `old`, lowest first; empty for equals. Raises ValueError."""
    if not 0 < old <= size:
        raise ValueError(f"no proof from {old} to {size} leaves")
    path: list[Range] = []
    begin, end, whole = 0, size, True
    while old < end:
        middle = begin + _split(end - begin)
        if old <= middle:
            path.append(covering(middle, end))
            end = middle
        else:
            path.append(covering(begin, middle))
            begin, whole = middle, False
    if not whole:
        path.append(covering(begin, end))
    return path[::-1]


def covering(begin: int, end: int) -> Range:
    """The full subtrees that cover the leaves from `begin` up to, not including, `end`. `begin` is a multiple of the largest."""
    nodes: Range = []
    while begin < end:
        height = (end - begin).bit_length() - 1
        nodes.append((height, begin >> height))
        begin += 1 << height
    return nodes


def wanted(ranges: Sequence[Range]) -> set[Node]:
    """Every node that has to be read."""
    return {node for each in ranges for node in each}


def folded(ranges: Sequence[Range], hashes: Mapping[Node, bytes]) -> list[bytes]:
    """The proof: one 32-byte hash a range."""
    return [tree.root([hashes[node] for node in each]) for each in ranges]


def _split(width: int) -> int:
    """The largest power of two below `width`."""
    return 1 << (width - 1).bit_length() - 1
