"""Every right proof passes; nothing that was changed does."""

import random

import pytest

from shared.transparency.checking import ProofRefused, check_consistency, check_inclusion
from tests.unit.transparency import rfc
from tests.unit.transparency.rfc import some_leaves

LEAVES = some_leaves(66)
ROOTS = [rfc.root(LEAVES[:size]) for size in range(67)]
OTHER = rfc.both(ROOTS[1], ROOTS[2])


def test_every_inclusion_proof_of_the_definition_passes() -> None:
    for size in range(1, 67):
        for index in range(size):
            check_inclusion(LEAVES[index], index, size, ROOTS[size], rfc.path(index, LEAVES[:size]))


def test_every_consistency_proof_of_the_definition_passes() -> None:
    for size in range(67):
        check_consistency(0, ROOTS[0], size, ROOTS[size], [])
        for old in range(1, size + 1):
            check_consistency(old, ROOTS[old], size, ROOTS[size], rfc.subproof(old, LEAVES[:size]))


def changed(path: list[bytes], chosen: random.Random) -> list[list[bytes]]:
    at = chosen.randrange(len(path)) if path else 0
    ways = [[*path, OTHER], [OTHER, *path]]
    if path:
        ways += [path[:at] + path[at + 1 :], [*path[:at], OTHER, *path[at + 1 :]], [*path, path[-1]]]
    if len(set(path)) > 1:
        ways.append(path[::-1])
    return ways


def test_no_changed_inclusion_proof_passes() -> None:
    chosen = random.Random(6962)
    for size in range(1, 67):
        for index in range(size):
            path = rfc.path(index, LEAVES[:size])
            for wrong in changed(path, chosen):
                with pytest.raises(ProofRefused):
                    check_inclusion(LEAVES[index], index, size, ROOTS[size], wrong)
            with pytest.raises(ProofRefused):
                check_inclusion(LEAVES[(index + 1) % 66], index, size, ROOTS[size], path)
            with pytest.raises(ProofRefused):
                check_inclusion(LEAVES[index], index, size, OTHER, path)


def test_no_changed_consistency_proof_passes() -> None:
    chosen = random.Random(9162)
    for size in range(1, 67):
        for old in range(1, size + 1):
            path = rfc.subproof(old, LEAVES[:size])
            for wrong in changed(path, chosen):
                with pytest.raises(ProofRefused):
                    check_consistency(old, ROOTS[old], size, ROOTS[size], wrong)
            with pytest.raises(ProofRefused):
                check_consistency(old, OTHER, size, ROOTS[size], path)
            with pytest.raises(ProofRefused):
                check_consistency(old, ROOTS[old], size, OTHER, path)


@pytest.mark.parametrize(("index", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_an_entry_outside_the_log_is_refused(index: int, size: int) -> None:
    with pytest.raises(ProofRefused, match="has no entry"):
        check_inclusion(LEAVES[0], index, size, ROOTS[size], [])


@pytest.mark.parametrize(("old", "size"), [(4, 3), (-1, 3)])
def test_a_log_never_shrinks(old: int, size: int) -> None:
    with pytest.raises(ProofRefused, match="does not grow"):
        check_consistency(old, OTHER, size, ROOTS[size], [OTHER])


def test_nothing_known_is_the_empty_tree_and_no_other() -> None:
    with pytest.raises(ProofRefused, match="another log of 0 entries"):
        check_consistency(0, OTHER, 5, ROOTS[5], [])


def test_a_node_is_not_passed_off_as_a_leaf_nor_an_old_root_as_the_new_one() -> None:
    """The hashes fit; only the number of steps tells."""
    with pytest.raises(ProofRefused):
        check_inclusion(ROOTS[2], 0, 2, ROOTS[2], [])
    with pytest.raises(ProofRefused):
        check_consistency(2, ROOTS[2], 4, ROOTS[2], [])
