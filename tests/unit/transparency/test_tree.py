"""The Merkle tree is RFC 6962's, checked against its definition written out another way."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.transparency import tree
from tests.unit.transparency import rfc
from tests.unit.transparency.rfc import some_leaves


def test_every_size_up_to_seventy_has_the_root_of_the_definition() -> None:
    for count in range(71):
        leaves = some_leaves(count)
        size, frontier = tree.extend(0, [], leaves)
        assert size == count
        assert tree.root(frontier) == rfc.root(leaves)


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
    with pytest.raises(ValueError, match="4 leaves"):
        tree.extend(4, frontier, some_leaves(1))


def test_nodes_that_tiles_hold_are_given_once_when_they_are_full() -> None:
    leaves = some_leaves(256 * 256 + 300)
    completed: list[tree.Completed] = []
    size, frontier = tree.extend(0, [], leaves[:700], completed)
    assert [(level, index) for level, index, _ in completed] == [(1, 0), (1, 1)]
    tree.extend(size, frontier, leaves[700:], completed)
    assert [(level, index) for level, index, _ in completed if level == 1] == [(1, i) for i in range(257)]
    assert completed[1] == (1, 1, rfc.root(leaves[256:512]))
    assert [each for each in completed if each[0] == 2] == [(2, 0, rfc.root(leaves[:65536]))]
