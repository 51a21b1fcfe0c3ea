"""The statement of heads, against its definition written down another way."""

import hashlib

import pytest

from shared.transparency import heads
from shared.transparency.checking import check_inclusion
from shared.transparency.heads import Head
from tests.unit.transparency import rfc

HEADS = [Head(f"流程-{n}", n + 1, hashlib.sha256(b"leaf %d" % n).digest()) for n in range(70)]


def by_hand(some: list[Head]) -> list[bytes]:
    """The entries, sorted by all of their bytes, which begin with those that count."""
    return sorted(
        hashlib.sha256(one.stream.encode("utf-8")).digest() + bytes.fromhex(f"{one.version:016x}") + one.leaf
        for one in some
    )


def leaves_of(entries: list[bytes]) -> list[bytes]:
    return [hashlib.sha256(b"\x00" + each).digest() for each in entries]


def test_an_entry_is_72_bytes_of_stream_version_and_leaf() -> None:
    written = heads.entry(Head("site-a", 258, b"\x07" * 32))
    assert written == hashlib.sha256(b"site-a").digest() + b"\0\0\0\0\0\0\x01\x02" + b"\x07" * 32


@pytest.mark.parametrize("count", [0, 1, 2, 3, 8, 37, 70])
def test_root_and_every_proof_are_those_of_the_definition_whatever_the_order(count: int) -> None:
    some = HEADS[:count]
    entries = by_hand(some)
    leaves = leaves_of(entries)
    assert heads.root(some) == heads.root(some[::-1]) == rfc.root(leaves)
    assert [heads.entry(one) for one in heads.ordered(some)] == entries
    for one in some:
        index, path = heads.proof(some[::-1], one.stream)
        assert entries[index] == heads.entry(one) and path == rfc.path(index, leaves)
        check_inclusion(leaves[index], index, count, rfc.root(leaves), path)


def test_a_head_that_is_older_other_or_missing_gives_another_root() -> None:
    whole = heads.root(HEADS)
    older = [*HEADS[:-1], Head(HEADS[-1].stream, HEADS[-1].version - 1, HEADS[-1].leaf)]
    other = [*HEADS[:-1], Head(HEADS[-1].stream, HEADS[-1].version, HEADS[0].leaf)]
    assert len({whole, heads.root(older), heads.root(other), heads.root(HEADS[:-1])}) == 4


def test_a_stream_has_one_head() -> None:
    with pytest.raises(ValueError, match="流程-3 has two heads"):
        heads.root([*HEADS[:5], HEADS[3]])
    with pytest.raises(KeyError):
        heads.proof(HEADS, "site-unknown")
