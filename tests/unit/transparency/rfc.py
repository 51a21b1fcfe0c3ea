"""Roots, proofs and their checks as RFC 6962 and RFC 9162 write them down, another way than the code under test."""

import hashlib
from collections.abc import Sequence


def some_leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + str(i).encode()).digest() for i in range(count)]


def both(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(count: int) -> int:
    at = 1
    while at * 2 < count:
        at *= 2
    return at


def root(leaves: Sequence[bytes]) -> bytes:
    """MTH of RFC 6962, 2.1."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    at = split(len(leaves))
    return both(root(leaves[:at]), root(leaves[at:]))


def path(index: int, leaves: Sequence[bytes]) -> list[bytes]:
    """PATH of RFC 6962, 2.1.1."""
    if len(leaves) == 1:
        return []
    at = split(len(leaves))
    if index < at:
        return [*path(index, leaves[:at]), root(leaves[at:])]
    return [*path(index - at, leaves[at:]), root(leaves[:at])]


def subproof(old: int, leaves: Sequence[bytes], whole: bool = True) -> list[bytes]:
    """SUBPROOF of RFC 6962, 2.1.2."""
    if old == len(leaves):
        return [] if whole else [root(leaves)]
    at = split(len(leaves))
    if old <= at:
        return [*subproof(old, leaves[:at], whole), root(leaves[at:])]
    return [*subproof(old - at, leaves[at:], False), root(leaves[:at])]


def holds(leaf: bytes, index: int, size: int, proof: Sequence[bytes], wanted: bytes) -> bool:
    """RFC 9162, 2.1.3.2."""
    if index >= size:
        return False
    here, last, hashed = index, size - 1, leaf
    for each in proof:
        if last == 0:
            return False
        if here & 1 or here == last:
            hashed = both(each, hashed)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            hashed = both(hashed, each)
        here, last = here >> 1, last >> 1
    return last == 0 and hashed == wanted
