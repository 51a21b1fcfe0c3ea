"""The Merkle tree is RFC 6962's, checked against its definition written out another way."""

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from shared.transparency import tree


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962, 2.1, literally: split at the largest power of two below n."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return hashlib.sha256(b"\x01" + by_definition(leaves[:split]) + by_definition(leaves[split:])).digest()


def some_leaves(count: int) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + str(i).encode()).digest() for i in range(count)]


def test_every_size_up_to_seventy_has_the_root_of_the_definition() -> None:
    for count in range(71):
        leaves = some_leaves(count)
        size, frontier = tree.extend(0, [], leaves)
        assert size == count
        assert tree.root(frontier) == by_definition(leaves)


@given(st.lists(st.integers(0, 9), max_size=12))
def test_growing_in_any_batches_gives_the_same_frontier(batches: list[int]) -> None:
    leaves = some_leaves(sum(batches))
    size, taken = 0, 0
    frontier: list[bytes] = []
    for count in batches:
        size, frontier = tree.extend(size, tree.unpack(tree.pack(frontier)), leaves[taken : taken + count])
        taken += count
    assert (size, frontier) == tree.extend(0, [], leaves)


def test_a_frontier_of_another_size_is_refused() -> None:
    _, frontier = tree.extend(0, [], some_leaves(3))
    try:
        tree.extend(4, frontier, some_leaves(1))
    except ValueError as error:
        assert "4 leaves" in str(error)
    else:
        raise AssertionError("accepted")
