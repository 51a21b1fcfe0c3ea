"""A witness signs what extends what it signed before, and keeps what does not."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Note, NoteRefused, sign
from shared.witness.cosigner import Answer, Cosigner, Offer
from shared.witness.memory import WitnessMemory
from shared.witness.state import StateMissing
from tests.unit.transparency import rfc
from tests.unit.transparency.rfc import some_leaves

ORIGIN, NAME, NOW = "town.example/cases", "police.example", 1_800_000_000
LOG_PRIVATE, OTHER_PRIVATE, PRIVATE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3))
LOG_KEY = Key(ORIGIN, LOG, LOG_PRIVATE.public_key().public_bytes_raw())
WITNESS_KEY = Key(NAME, WITNESS, PRIVATE.public_key().public_bytes_raw())
LEAVES = some_leaves(40)
FORK = [*LEAVES[:5], *some_leaves(60)[45:]]


def offer(old: int, size: int, leaves: list[bytes] = LEAVES, private: Any = LOG_PRIVATE, origin: str = ORIGIN) -> bytes:
    text = str(Checkpoint(origin, size, rfc.root(leaves[:size])))
    proof = rfc.subproof(old, leaves[:size]) if 0 < old <= size else []
    return bytes(Offer(old, tuple(proof), Note(text, (sign(text, origin, private),)), Checkpoint.read(text)))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[WitnessMemory]:
    made = WitnessMemory.make(tmp_path / "state.sqlite")
    yield made
    made.close()


@pytest.fixture
def witness(state: WitnessMemory) -> Cosigner:
    return Cosigner(NAME, PRIVATE, {ORIGIN: [LOG_KEY]}, state, lambda: NOW)


def test_it_signs_what_grows_from_what_it_signed(witness: Cosigner) -> None:
    for old, size in ((0, 3), (3, 3), (3, 8), (8, 33)):
        answer = witness.answer(offer(old, size))
        assert answer.status == 200
        text = str(Checkpoint(ORIGIN, size, rfc.root(LEAVES[:size])))
        assert Note.read(f"{text}\n{answer.body}".encode()).signed_by([WITNESS_KEY]) == {WITNESS_KEY: NOW}
    assert witness.state.latest(ORIGIN) == (33, rfc.root(LEAVES[:33]))
    assert witness.state.kept() == []


def test_a_log_that_does_not_know_what_was_signed_is_told(witness: Cosigner) -> None:
    witness.answer(offer(0, 8))
    for old in (0, 5, 9):
        assert witness.answer(offer(old, 20)) == Answer(409, "8\n", "text/x.tlog.size")
    assert witness.state.latest(ORIGIN) == (8, rfc.root(LEAVES[:8]))


def test_another_history_is_refused(witness: Cosigner) -> None:
    witness.answer(offer(0, 8))
    assert witness.answer(offer(8, 20, FORK)).status == 422
    assert witness.state.latest(ORIGIN) == (8, rfc.root(LEAVES[:8]))
    assert witness.answer(offer(8, 20)).status == 200


def test_two_roots_of_one_size_are_refused(witness: Cosigner) -> None:
    witness.answer(offer(0, 8))
    assert witness.answer(offer(8, 8, FORK)) == Answer(409, "8\n", "text/x.tlog.size")
    assert witness.answer(offer(0, 8, FORK)) == Answer(409, "8\n", "text/x.tlog.size")
    assert witness.state.latest(ORIGIN) == (8, rfc.root(LEAVES[:8]))


def test_a_shorter_log_is_not_signed(witness: Cosigner) -> None:
    witness.answer(offer(0, 8))
    assert witness.answer(offer(8, 5)).status == 400
    assert witness.answer(offer(5, 5)).status == 409
    assert witness.state.latest(ORIGIN) == (8, rfc.root(LEAVES[:8]))


def test_it_speaks_to_the_logs_it_knows_only(witness: Cosigner) -> None:
    assert witness.answer(offer(0, 3, origin="city.example/cases")).status == 404
    assert witness.answer(offer(0, 3, private=OTHER_PRIVATE)).status == 403
    assert witness.answer(offer(0, 3).replace(b"\n3\n", b"\n4\n")).status == 403
    assert witness.state.latest(ORIGIN) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"new 0\n\n",
        offer(0, 3).replace(b"old 0", b"old 00"),
        offer(0, 3).replace(b"old 0", b"old -1"),
        offer(3, 8).replace(b"\n\n", b"\nAAAA\n\n", 1),
        offer(3, 8).replace(b"\n\n", b"\n" + b"A" * 43 + b"=" + b"\n\n", 1).replace(b"A" * 43 + b"=", b"A" * 42 + b"B="),
        offer(0, 3).replace(b"\n\n", b"\n" + b"\n".join([b"A" * 43 + b"="] * 64) + b"\n\n", 1),
        offer(0, 3)[:-1],
    ],
)  # fmt: skip
def test_what_is_no_request_is_refused(witness: Cosigner, body: bytes) -> None:
    assert witness.answer(body).status == 400
    assert witness.state.latest(ORIGIN) is None


def test_what_it_signed_is_known_after_a_restart(witness: Cosigner, tmp_path: Path) -> None:
    witness.answer(offer(0, 8))
    witness.state.close()
    again = Cosigner(NAME, PRIVATE, {ORIGIN: [LOG_KEY]}, WitnessMemory(tmp_path / "state.sqlite"), lambda: NOW)
    assert again.answer(offer(0, 20, FORK)).status == 409
    assert again.answer(offer(8, 20)).status == 200
    again.state.close()


def test_two_processes_cannot_sign_past_each_other(state: WitnessMemory, tmp_path: Path) -> None:
    """The second waits for the first, and then knows what it signed."""
    logs = {ORIGIN: [LOG_KEY]}
    first, second = (
        Cosigner(NAME, PRIVATE, logs, s, lambda: NOW) for s in (state, WitnessMemory(tmp_path / "state.sqlite"))
    )
    with state.held():
        state.put(Checkpoint(ORIGIN, 20, rfc.root(LEAVES[:20])))
        second.state._db.execute("PRAGMA busy_timeout = 10")
        with pytest.raises(Exception, match="locked"):
            second.answer(offer(0, 8, FORK))
    assert second.answer(offer(0, 8, FORK)).status == 409
    assert first.answer(offer(20, 33)).status == 200
    second.state.close()


def test_what_fails_half_way_was_never_remembered(state: WitnessMemory) -> None:
    with pytest.raises(OSError, match="disk"), state.held():
        state.put(Checkpoint(ORIGIN, 8, rfc.root(LEAVES[:8])))
        raise OSError("disk")
    assert state.latest(ORIGIN) is None


def test_a_witness_that_lost_its_memory_does_not_start(tmp_path: Path) -> None:
    with pytest.raises(StateMissing, match="must not sign again"):
        WitnessMemory(tmp_path / "state.sqlite")
    WitnessMemory.make(tmp_path / "state.sqlite").close()
    with pytest.raises(FileExistsError):
        WitnessMemory.make(tmp_path / "state.sqlite")
    for left, why in ((b"", "is empty; without what it held"), (b"nonsense" * 100, "cannot be read")):
        (tmp_path / "state.sqlite").write_bytes(left)
        with pytest.raises(StateMissing, match=why):
            WitnessMemory(tmp_path / "state.sqlite")


def test_an_offer_is_read_as_it_was_written() -> None:
    body = offer(3, 8)
    assert bytes(Offer.read(body)) == body
    with pytest.raises(NoteRefused):
        Offer.read(body[:-1])
