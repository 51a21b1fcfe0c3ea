"""A signer signs one history of a log; a restored log is another, and says which checkpoint it grew from."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.signer.memory import Memory
from shared.signer.signer import Request, Signer
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key, Note, NoteRefused
from shared.transparency.origin import After, Origin
from shared.witness.cosigner import Answer
from shared.witness.state import StateMissing
from tests.unit.transparency import rfc
from tests.unit.transparency.rfc import some_leaves

NOW = 1_800_000_000
PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
LEAVES = some_leaves(40)
FORK = [*LEAVES[:5], *some_leaves(60)[45:]]
FIRST = Origin("140181101", "cases", "aaaa")


def root(size: int, leaves: list[bytes] = LEAVES) -> bytes:
    return rfc.root(leaves[:size])


def proof(old: int, size: int, leaves: list[bytes] = LEAVES) -> tuple[int, tuple[bytes, ...]]:
    return old, tuple(rfc.subproof(old, leaves[:size])) if 0 < old < size else ()


def asked(old: int, size: int, leaves: list[bytes] = LEAVES, origin: Origin = FIRST) -> bytes:
    return bytes(Request(Checkpoint(str(origin), size, root(size, leaves)), proof(old, size, leaves)))


def restored(to: int, parent: str = "aaaa", lineage: str = "bbbb", leaves: list[bytes] = LEAVES) -> Origin:
    return Origin("140181101", "cases", lineage, After(parent, to, root(to, leaves)))


def first_of(child: Origin, after: int, size: int, leaves: list[bytes] = LEAVES) -> bytes:
    """The first checkpoint of a restored log, proved from where the signer says."""
    assert child.after is not None
    checkpoint = Checkpoint(str(child), size, root(size, leaves))
    return bytes(Request(checkpoint, proof(child.after.size, size, leaves), proof(after, child.after.size, leaves)))


def signature_on(answer: Answer, size: int, leaves: list[bytes] = LEAVES, origin: Origin = FIRST) -> bool:
    key = Key(str(origin), LOG, PRIVATE.public_key().public_bytes_raw())
    text = str(Checkpoint(str(origin), size, root(size, leaves)))
    return answer.status == 200 and key in Note.read(f"{text}\n{answer.body}".encode()).signed_by([key])


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    made = Memory.make(tmp_path / "state.sqlite")
    yield made
    made.close()


@pytest.fixture
def signer(memory: Memory) -> Signer:
    return Signer(PRIVATE, {"140181101/cases"}, memory, lambda: NOW)


@pytest.fixture
def used(signer: Signer) -> Signer:
    """It signed the log at 8, 20 and 33."""
    for old, size in ((0, 8), (8, 20), (20, 33)):
        assert signer.answer(asked(old, size)).status == 200
    return signer


def test_it_signs_what_grows_from_what_it_signed(signer: Signer) -> None:
    for old, size in ((0, 3), (3, 8), (8, 33)):
        assert signature_on(signer.answer(asked(old, size)), size)
    assert signer.memory.latest(str(FIRST)) == (33, root(33))
    assert signer.memory.refusals() == []


def test_the_same_checkpoint_again_gets_the_same_bytes(signer: Signer) -> None:
    first = signer.answer(asked(0, 8))
    assert signer.answer(asked(8, 8)) == first and first.status == 200


def test_who_does_not_know_what_was_signed_is_told(used: Signer) -> None:
    assert used.answer(asked(0, 40)) == used.answer(asked(20, 40)) == Answer(409, "old 33\n")
    assert signature_on(used.answer(asked(33, 40)), 40)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (asked(8, 20, FORK), "did not grow from the one of 8"),
        (asked(8, 8, [*LEAVES[:7], *some_leaves(50)[49:]]), "another root at size 8"),
        (asked(0, 8, FORK), "another root at size 8"),
    ],
)
def test_another_history_is_never_signed_and_kept_once(signer: Signer, body: bytes, why: str) -> None:
    signer.answer(asked(0, 8))
    for _ in range(3):
        answer = signer.answer(body)
        assert answer.status == 422 and why in answer.body
    assert [(at, origin, kept) for at, origin, _, kept in signer.memory.refusals()] == [(NOW, str(FIRST), body)]
    assert signer.memory.latest(str(FIRST)) == (8, root(8))


def test_a_log_that_lost_its_end_is_not_signed_under_the_same_name(used: Signer) -> None:
    assert used.answer(asked(20, 20)) == Answer(409, "old 33\n")
    assert used.answer(asked(20, 30)) == Answer(409, "old 33\n")
    assert used.answer(asked(33, 20)).status == 422
    assert used.memory.latest(str(FIRST)) == (33, root(33))


@pytest.mark.parametrize(("to", "after"), [(25, 20), (20, 20), (33, 33), (36, 33), (8, 8), (5, 0), (0, 0)])
def test_a_restored_log_is_signed_when_it_grew_from_what_was_signed(used: Signer, to: int, after: int) -> None:
    child = restored(to)
    size = to + 4
    assert used.answer(asked(to, size, origin=child)) == Answer(409, f"old {to}\nafter {after}\n")
    assert signature_on(used.answer(first_of(child, after, size)), size, origin=child)
    assert used.answer(asked(0, size + 1, origin=child)) == Answer(409, f"old {size}\n")
    assert signature_on(used.answer(asked(33, 40)), 40), "the parent's own name has its own memory"


def test_a_restored_log_that_has_nothing_new_yet_is_signed_too(used: Signer) -> None:
    assert signature_on(used.answer(first_of(restored(25), 20, 25)), 25, origin=restored(25))


@pytest.mark.parametrize("to", [9, 20, 25, 34])
def test_a_restored_log_of_another_history_is_refused(used: Signer, to: int) -> None:
    """Its name says a root that does not grow from what was signed."""
    forged = [*LEAVES[:7], *some_leaves(80)[40:]]
    after = max(size for size in (8, 20, 33) if size <= to)
    assert used.answer(first_of(restored(to, leaves=forged), after, to + 2, forged)).status == 422
    assert len(used.memory.refusals()) == 1


def test_a_name_that_says_one_thing_and_a_log_that_is_another_is_refused(used: Signer) -> None:
    """The name speaks the truth about the parent; the log does not begin with it."""
    child = restored(25)
    forged = [*LEAVES[:5], *some_leaves(80)[40:]]
    checkpoint = Checkpoint(str(child), 30, root(30, forged))
    request = Request(checkpoint, proof(25, 30, forged), proof(20, 25))
    assert used.answer(bytes(request)).status == 422


def test_nothing_has_one_root(used: Signer) -> None:
    child = Origin("140181101", "cases", "bbbb", After("aaaa", 0, bytes(32)))
    assert used.answer(bytes(Request(Checkpoint(str(child), 4, root(4)), (0, ()), (0, ())))).status == 422


def test_a_second_beginning_is_refused(used: Signer) -> None:
    other = Origin("140181101", "cases", "cccc")
    answer = used.answer(asked(0, 40, origin=other))
    assert answer.status == 422 and "has to name it" in answer.body
    assert used.memory.latest(str(other)) is None


def test_a_parent_that_was_never_signed_is_measured_by_what_was_signed_last(used: Signer) -> None:
    """Restored twice, and no checkpoint between."""
    grandchild = restored(22, parent="bbbb", lineage="cccc")
    assert used.answer(asked(22, 30, origin=grandchild)) == Answer(409, "old 22\nafter 20\n")
    forged = [*LEAVES[:7], *some_leaves(80)[40:]]
    other = restored(22, parent="bbbb", lineage="cccc", leaves=forged)
    assert used.answer(first_of(other, 20, 30, forged)).status == 422
    assert used.answer(first_of(grandchild, 20, 30)).status == 200


def test_a_new_signer_begins_with_the_log_as_it_is(signer: Signer) -> None:
    child = restored(25)
    assert signature_on(signer.answer(first_of(child, 0, 30)), 30, origin=child)


def test_it_signs_for_its_own_logs_only(signer: Signer) -> None:
    assert signer.answer(asked(0, 3, origin=Origin("140181101", "intake", "aaaa"))).status == 404
    assert signer.answer(asked(0, 3, origin=Origin("140181102", "cases", "aaaa"))).status == 404
    assert signer.memory.origins() == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"key",
        asked(0, 3).replace(b"old 0", b"old 00"),
        asked(0, 3).replace(b"old 0", b"new 0"),
        asked(0, 3) + b"an extension\n",
        asked(0, 3)[:-1],
        asked(0, 3).replace(b"140181101/cases/aaaa", b"cases"),
        asked(0, 3).replace(b"140181101/cases/aaaa", b"140181101/cases/aaaa/after/bbbb/03/" + b"0" * 64),
        bytes(Request(Checkpoint(str(FIRST), 0, root(0)), (0, ()))),
        bytes(Request(Checkpoint(str(FIRST), 10**18, root(0)), (0, ()))),
        bytes(
            Request(
                Checkpoint(str(Origin("140181101", "cases", "b", After("a", 10**18, root(3)))), 3, root(3)), (0, ())
            )
        ),
    ],
)
def test_what_is_no_request_is_refused(signer: Signer, body: bytes) -> None:
    assert signer.answer(body).status == 400
    assert signer.memory.origins() == []


def test_a_request_is_read_as_it_was_written() -> None:
    for body in (asked(8, 20), first_of(restored(25), 20, 30)):
        assert bytes(Request.read(body)) == body
    with pytest.raises(NoteRefused):
        Request.read(asked(8, 20)[:-1])


def test_what_it_signed_is_known_after_a_restart(used: Signer, tmp_path: Path) -> None:
    used.memory.close()
    again = Signer(PRIVATE, used.logs, Memory(tmp_path / "state.sqlite"), lambda: NOW)
    assert again.answer(asked(0, 40, FORK)).status == 409
    assert again.answer(asked(25, 30, origin=restored(25))) == Answer(409, "old 25\nafter 20\n")
    assert [key.name for key in again.vkeys()] == [str(FIRST)]
    again.memory.close()


def test_a_signer_that_lost_its_memory_does_not_sign(tmp_path: Path) -> None:
    with pytest.raises(StateMissing, match="must not sign again"):
        Memory(tmp_path / "state.sqlite")


@pytest.mark.parametrize(
    "written",
    ["a/b", "a/b/c/d", "a//c", "a/b/c/after/d/1/00", "a/b/c/after/c/1/" + "0" * 64, "a/b/c d", "a/b/c+d",
     "a/b/c/after/d/-1/" + "0" * 64, "a/b/c/after/d/1/" + "A" * 64],
)  # fmt: skip
def test_a_name_has_one_form(written: str) -> None:
    with pytest.raises(NoteRefused, match="no name of a log"):
        Origin.read(written)


@pytest.mark.parametrize("origin", [FIRST, restored(25), restored(0)])
def test_a_name_is_read_as_it_was_written(origin: Any) -> None:
    assert Origin.read(str(origin)) == origin
