"""Proofs and tiles, against RFC 6962 and RFC 9162 written down another way."""

import pytest

from shared.transparency import proofs, tiles, tree
from tests.unit.transparency import rfc
from tests.unit.transparency.rfc import some_leaves

LEAVES = some_leaves(70)


def nodes_of(leaves: list[bytes]) -> dict[proofs.Node, bytes]:
    """Every full subtree."""
    every = {(0, index): leaf for index, leaf in enumerate(leaves)}
    height, row = 0, leaves
    while len(row) > 1:
        height, row = height + 1, [rfc.both(row[i], row[i + 1]) for i in range(0, len(row) - 1, 2)]
        every |= {(height, index): hashed for index, hashed in enumerate(row)}
    return every


NODES = nodes_of(LEAVES)


def test_every_leaf_of_every_tree_up_to_seventy_has_the_path_of_the_definition() -> None:
    for size in range(1, 71):
        leaves, root = LEAVES[:size], rfc.root(LEAVES[:size])
        for index in range(size):
            proof = proofs.folded(proofs.inclusion(index, size), NODES)
            assert proof == rfc.path(index, leaves)
            assert rfc.holds(leaves[index], index, size, proof, root)
            assert not rfc.holds(rfc.both(leaves[index], root), index, size, proof, root)


def test_every_pair_of_sizes_up_to_seventy_has_the_consistency_proof_of_the_definition() -> None:
    for size in range(1, 71):
        for old in range(1, size + 1):
            proof = proofs.folded(proofs.consistency(old, size), NODES)
            assert proof == rfc.subproof(old, LEAVES[:size])


def test_a_proof_reads_full_subtrees_of_its_own_tree_only() -> None:
    for size in range(1, 71):
        for index in range(size):
            for height, at in proofs.wanted(proofs.inclusion(index, size)):
                assert (at + 1) << height <= size


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 3)])
def test_a_leaf_outside_the_tree_has_no_path(index: int, size: int) -> None:
    with pytest.raises(ValueError, match="no leaf"):
        proofs.inclusion(index, size)


@pytest.mark.parametrize(("old", "size"), [(0, 3), (4, 3)])
def test_there_is_no_proof_from_nothing_nor_backwards(old: int, size: int) -> None:
    with pytest.raises(ValueError, match="no proof"):
        proofs.consistency(old, size)


@pytest.mark.parametrize(
    ("level", "index", "width", "written"),
    [
        (0, 0, 256, "tile/0/000"),
        (1, 7, 3, "tile/1/007.p/3"),
        (0, 1234067, 256, "tile/0/x001/x234/067"),
        ("entries", 999, 256, "tile/entries/999"),
        ("entries", 1000, 1, "tile/entries/x001/000.p/1"),
    ],
)
def test_a_tile_has_the_path_of_the_standard(level: int | str, index: int, width: int, written: str) -> None:
    assert tiles.path(level, index, width) == written


def test_a_tree_has_every_tile_once() -> None:
    assert list(tiles.of_tree(0)) == []
    assert list(tiles.of_tree(255)) == [(0, 0, 255)]
    assert list(tiles.of_tree(256)) == [(0, 0, 256), (1, 0, 1)]
    assert list(tiles.of_tree(600)) == [(0, 0, 256), (0, 1, 256), (0, 2, 88), (1, 0, 2)]
    assert list(tiles.of_tree(600, before=300)) == [(0, 1, 256), (0, 2, 88), (1, 0, 2)]
    assert [t for t in tiles.of_tree(65537) if t[0] > 0] == [(1, 0, 256), (2, 0, 1)]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 700, 65_537])
def test_tiles_give_every_hash_that_a_proof_needs(size: int) -> None:
    leaves = some_leaves(size)
    held: list[tree.Completed] = []
    _, frontier = tree.extend(0, [], leaves, held)
    at = {(0, index): leaf for index, leaf in enumerate(leaves)} | {(level, index): h for level, index, h in held}
    content = {
        (level, index, width): [at[level, index * 256 + n] for n in range(width)]
        for level, index, width in tiles.of_tree(size)
    }
    root = tree.root(frontier)
    for index in {0, size // 3, size - 1}:
        ranges = proofs.inclusion(index, size)
        assert tiles.holding(proofs.wanted(ranges), size) <= content.keys()
        hashes = {node: tiles.hash_of(node, content, size) for node in proofs.wanted(ranges)}
        assert rfc.holds(leaves[index], index, size, proofs.folded(ranges, hashes), root)


def test_entries_stand_behind_their_length() -> None:
    assert tiles.bundle([b"a", b"bcd"]) == b"\x00\x01a\x00\x03bcd"
    with pytest.raises(OverflowError):
        tiles.bundle([bytes(65_536)])
