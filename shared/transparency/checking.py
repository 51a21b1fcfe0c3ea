"""Checking what somebody proves: the algorithms of RFC 9162 (2.1.3.2 and 2.1.4.2), written apart from those that make proofs.

Size and root come from one checkpoint whose signature was checked, never from the proof: with another size some wrong proofs
would pass.
"""

import hashlib
from collections.abc import Sequence


class ProofRefused(ValueError):
    """What was given does not prove it."""


def check_inclusion(leaf: bytes, index: int, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """Leaf hash `leaf` is entry `index` (from 0) of the tree of `size` entries under `root`. Raises ProofRefused."""
    if not 0 <= index < size:
        raise ProofRefused(f"a log of {size} entries has no entry {index}")
    here, last, hashed = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            raise ProofRefused("the path is too long")
        if here & 1 or here == last:
            hashed = _node(sibling, hashed)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            hashed = _node(hashed, sibling)
        here, last = here >> 1, last >> 1
    if last != 0 or hashed != root:
        raise ProofRefused(f"entry {index} is not in the log")


def check_consistency(old: int, old_root: bytes, size: int, root: bytes, path: Sequence[bytes]) -> None:
    """The tree of `size` entries under `root` grew from that of `old` entries under `old_root`. Raises ProofRefused.

    From nothing everything grows, and a tree grows from itself, both without a proof.
    """
    if old == 0 or old == size:
        expected = hashlib.sha256(b"").digest() if old == 0 else root
        if path or old_root != expected:
            raise ProofRefused(f"another log of {old} entries was known")
        return
    if not 0 < old < size:
        raise ProofRefused(f"a log of {size} entries does not grow from {old}")
    row = list(path) if old & (old - 1) else [old_root, *path]  # a power of two is its own first node
    if not row:
        raise ProofRefused("the proof is empty")
    here, last = old - 1, size - 1
    while here & 1:
        here, last = here >> 1, last >> 1
    before = after = row[0]
    for each in row[1:]:
        if last == 0:
            raise ProofRefused("the proof is too long")
        if here & 1 or here == last:
            before, after = _node(each, before), _node(each, after)
            while not here & 1 and here:
                here, last = here >> 1, last >> 1
        else:
            after = _node(after, each)
        here, last = here >> 1, last >> 1
    if last != 0 or before != old_root or after != root:
        raise ProofRefused(f"the log of {size} entries did not grow from the one of {old} that was known")


def _node(left: bytes, right: bytes) -> bytes:
    return hashlib.sha256(b"\x01" + left + right).digest()
