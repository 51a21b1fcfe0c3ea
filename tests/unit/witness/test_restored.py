"""A restored log goes on from what a witness signed under its former name, or is not signed under the new one."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from shared.transparency.note import LOG, Key
from shared.transparency.origin import After, Origin
from shared.witness.cosigner import Answer, Cosigner, Offer
from shared.witness.memory import Kind, WitnessMemory
from shared.witness.report import accuses
from tests.unit.transparency import rfc
from tests.unit.witness.test_cosigner import FORK, LEAVES, LOG_PRIVATE, NAME, NOW, OTHER_PRIVATE, PRIVATE, offer

FIRST = Origin("140181101", "cases", "aaaa")
ANEW = OTHER_PRIVATE
"""The key of the signer that was made when the first was lost."""


def restored(to: int, leaves: list[bytes] = LEAVES, parent: str = "aaaa") -> str:
    return str(Origin("140181101", "cases", "bbbb", After(parent, to, rfc.root(leaves[:to]))))


def told(witness: Cosigner, origin: str) -> str:
    """By the department: the new line in `logs`."""
    public = ANEW.public_key().public_bytes_raw()
    witness.logs[origin] = [Key(origin, LOG, public)]  # type: ignore[index]
    return origin


def opened(file: Path) -> Cosigner:
    state = WitnessMemory(file) if file.exists() else WitnessMemory.make(file)
    first = [Key(str(FIRST), LOG, LOG_PRIVATE.public_key().public_bytes_raw())]
    return Cosigner(NAME, PRIVATE, {str(FIRST): first}, state, lambda: NOW)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Cosigner]:
    """It signed 8, 12 and 20 events."""
    made = opened(tmp_path / "state.sqlite")
    for old, size in ((0, 8), (8, 12), (12, 20)):
        assert made.answer(offer(old, size, origin=str(FIRST))).status == 200
    yield made
    made.state.close()


@pytest.mark.parametrize(("to", "signed"), [(20, 20), (25, 20), (15, 12), (12, 12), (9, 8), (8, 8)])
def test_its_first_checkpoint_grows_from_the_last_that_was_signed_of_its_parent(
    witness: Cosigner, to: int, signed: int
) -> None:
    origin = told(witness, restored(to))
    assert witness.answer(offer(0, 30, private=ANEW, origin=origin)) == Answer(409, f"{signed}\n", "text/x.tlog.size")
    assert witness.answer(offer(signed, 30, private=ANEW, origin=origin)).status == 200
    assert witness.answer(offer(30, 33, private=ANEW, origin=origin)).status == 200
    assert witness.state.kept() == []


def test_one_that_has_nothing_new_yet_is_signed_too(witness: Cosigner) -> None:
    origin = told(witness, restored(20))
    assert witness.answer(offer(20, 20, private=ANEW, origin=origin)).status == 200


@pytest.mark.parametrize("to", [12, 20])
def test_another_root_in_its_name_than_was_signed_is_refused_and_kept_as_evidence(witness: Cosigner, to: int) -> None:
    """Whichever key signs it: the name is the lie. The note of the parent is there as long as it was the last."""
    origin = told(witness, restored(to, FORK))
    for old in (0, to):
        answer = witness.answer(offer(old, 30, FORK, private=ANEW, origin=origin))
        assert answer == Answer(422, f"its name says another root at size {to} of {FIRST} than was signed\n")
    kept = witness.state.kept()
    assert {(each.kind, each.origin, each.size) for each in kept} == {
        (Kind.CONTRADICTION, origin, 30),
        *([(Kind.CONTRADICTION, str(FIRST), 20)] if to == 20 else []),
    }
    assert accuses(kept) and str(Offer.read(offer(0, 30, FORK, private=ANEW, origin=origin)).note) in [
        each.note for each in kept
    ]
    assert witness.state.latest(origin) is None


@pytest.mark.parametrize("to", [9, 15, 25])
def test_a_log_of_another_past_is_refused_at_a_size_that_nobody_signed_as_well(witness: Cosigner, to: int) -> None:
    origin = told(witness, restored(to, FORK))
    below = max(size for size in (8, 12, 20) if size <= to)
    assert witness.answer(offer(0, 30, FORK, private=ANEW, origin=origin)).status == 409
    assert witness.answer(offer(below, 30, FORK, private=ANEW, origin=origin)).status == 422
    assert witness.answer(offer(below, 30, private=ANEW, origin=told(witness, restored(to)))).status == 200
    assert [each.kind for each in witness.state.kept()] == [Kind.UNPROVEN]


@pytest.mark.parametrize("origin", [restored(5, FORK), restored(20, FORK, "cccc"), "town.example/cases"])
def test_what_nothing_was_signed_of_begins_anew(witness: Cosigner, origin: str) -> None:
    assert witness.answer(offer(0, 30, FORK, private=ANEW, origin=told(witness, origin))).status == 200


def test_a_witness_of_before_holds_it_to_the_last_it_signed(witness: Cosigner, tmp_path: Path) -> None:
    witness.state.close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite", isolation_level=None)) as db:
        db.executescript("DROP TABLE signed; DROP TABLE log")
    again = opened(tmp_path / "state.sqlite")
    for to, status in ((20, 422), (15, 200)):
        origin = told(again, restored(to, FORK))
        assert again.answer(offer(0, 30, FORK, private=ANEW, origin=origin)).status == status
    again.state.close()
