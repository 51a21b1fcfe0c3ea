"""What a witness keeps of what it refused: enough to show that a log lied, and nothing that anybody can make up."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Line, Note, sign
from shared.witness import memory
from shared.witness.cosigner import Cosigner, Offer
from shared.witness.memory import Kind, WitnessMemory
from shared.witness.report import accuses, report
from tests.unit.transparency import rfc
from tests.unit.witness.test_cosigner import FORK, LEAVES, LOG_KEY, LOG_PRIVATE, NAME, NOW, ORIGIN, PRIVATE, offer

OTHER = [*LEAVES[:3], *FORK[:2], *LEAVES[5:]]
FORMER = """
CREATE TABLE latest (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
CREATE TABLE refused (at INTEGER NOT NULL, origin TEXT NOT NULL, why TEXT NOT NULL, request BLOB NOT NULL);
"""


def a_witness(file: Path) -> Cosigner:
    state = WitnessMemory(file) if file.exists() else WitnessMemory.make(file)
    return Cosigner(NAME, PRIVATE, {ORIGIN: [LOG_KEY]}, state, lambda: NOW)


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Cosigner]:
    """It signed 8 events."""
    made = a_witness(tmp_path / "state.sqlite")
    made.answer(offer(0, 8))
    yield made
    made.state.close()


def note(size: int, leaves: list[bytes] = LEAVES) -> str:
    """The checkpoint and the log's line, and nothing else."""
    return str(Offer.read(offer(0, size, leaves)).note)


def padded(size: int, salt: int) -> bytes:
    """A genuine checkpoint, a proof that is none, and lines of nobody."""
    real = Offer.read(offer(0, size))
    lines = (Line("nobody", b"none", bytes([salt]) * 64), *real.note.lines, *real.note.lines)
    lines += tuple(Line(ORIGIN, b"none", bytes([salt]) * length) for length in (64, 5000))
    return bytes(Offer(8, (bytes([salt]) * 32,), Note(real.note.text, lines), real.checkpoint))


def kinds(witness: Cosigner) -> list[tuple[Kind, int, str]]:
    return [(each.kind, each.size, each.note) for each in witness.state.kept()]


def test_who_varies_a_wrong_proof_accuses_nobody_and_fills_no_disk(witness: Cosigner) -> None:
    for salt in range(20):
        assert witness.answer(padded(20, salt)).status == 422
    assert kinds(witness) == [(Kind.UNPROVEN, 20, note(20))]
    assert not accuses(witness.state.kept())
    said = report(witness.state.kept())
    assert "unproven, no accusation" in said and "CONTRADICTION" not in said and note(20) in said


def test_what_is_proved_later_is_settled(witness: Cosigner) -> None:
    for size in (20, 30):
        witness.answer(padded(size, 1))
    assert witness.answer(offer(0, 20)).status == 409
    assert witness.answer(offer(8, 20)).status == 200
    assert kinds(witness) == [(Kind.UNPROVEN, 30, note(30))]
    assert witness.answer(offer(20, 30)).status == 200
    assert witness.state.kept() == [] and report([]) == "nothing was refused\n"


@pytest.mark.parametrize(
    ("body", "status"), [(offer(0, 20, FORK), 409), (offer(8, 20, FORK), 422), (offer(30, 20, FORK), 400)]
)
def test_whatever_the_log_signed_and_the_witness_did_not_is_kept_once(
    witness: Cosigner, body: bytes, status: int
) -> None:
    for _ in range(3):
        assert witness.answer(body).status == status
    assert kinds(witness) == [(Kind.UNPROVEN, 20, note(20, FORK))]


@pytest.mark.parametrize("body", [offer(0, 8, FORK), offer(8, 8, FORK), offer(9, 8, FORK)])
def test_another_root_at_the_size_signed_last_is_evidence_with_both_notes(witness: Cosigner, body: bytes) -> None:
    for _ in range(2):
        witness.answer(body)
    assert kinds(witness) == [(Kind.CONTRADICTION, 8, note(8, FORK)), (Kind.CONTRADICTION, 8, note(8))]
    assert accuses(witness.state.kept())
    assert "another root at size 8\nCONTRADICTION" in report(witness.state.kept())
    assert [(k.at, k.origin, k.why) for k in witness.state.kept()] == [(NOW, ORIGIN, "another root at size 8")] * 2
    later = replace(witness, now=lambda: NOW + 9)
    assert [later.answer(offer(*each)).status for each in ((8, 8), (8, 20), (20, 20))] == [200] * 3
    assert [k.at for k in witness.state.kept()] == [NOW, NOW], "evidence is never settled"


def test_two_roots_of_one_size_that_were_both_refused_are_evidence(witness: Cosigner) -> None:
    for leaves in (FORK, OTHER):
        assert witness.answer(offer(0, 20, leaves)).status == 409
    witness.answer(offer(0, 10, FORK))
    assert kinds(witness) == [
        (Kind.CONTRADICTION, 20, note(20, FORK)),
        (Kind.CONTRADICTION, 20, note(20, OTHER)),
        (Kind.UNPROVEN, 10, note(10, FORK)),
    ]


def test_a_root_that_was_kept_and_another_that_is_proved_are_evidence(witness: Cosigner) -> None:
    witness.answer(offer(8, 20, FORK))
    witness.answer(padded(20, 1))
    assert witness.answer(offer(8, 20)).status == 200
    witness.answer(offer(20, 30))
    assert {each[1:] for each in kinds(witness)} == {(20, note(20, FORK)), (20, note(20))}
    assert witness.state.counts() == {Kind.CONTRADICTION: 2, Kind.UNPROVEN: 0, Kind.SHORTER: 0}


def test_proved_after_another_root_was_kept_they_are_evidence_too(witness: Cosigner) -> None:
    witness.answer(offer(8, 20, FORK))
    assert not accuses(witness.state.kept())
    assert witness.answer(offer(8, 20)).status == 200
    assert kinds(witness) == [(Kind.CONTRADICTION, 20, note(20, FORK)), (Kind.CONTRADICTION, 20, note(20))]


@pytest.mark.parametrize(
    ("body", "status"), [(offer(8, 5), 400), (offer(5, 5), 409), (offer(0, 5), 409), (offer(3, 5), 409)]
)
def test_a_shorter_checkpoint_is_kept_and_no_accusation(witness: Cosigner, body: bytes, status: int) -> None:
    answer = witness.answer(body)
    assert answer.status == status and (status == 400 or answer.body == "8\n")
    witness.answer(body)
    assert kinds(witness) == [(Kind.SHORTER, 5, note(5))]
    assert not accuses(witness.state.kept()) and "this witness cannot tell" in report(witness.state.kept())
    witness.answer(offer(0, 5, OTHER))
    assert kinds(witness) == [(Kind.CONTRADICTION, 5, note(5)), (Kind.CONTRADICTION, 5, note(5, OTHER))]


def test_what_is_the_log_s_all_the_same_is_not_kept(witness: Cosigner) -> None:
    """Its beginning, and what was signed last."""
    assert witness.answer(offer(0, 0)).status == 409
    assert witness.answer(offer(0, 8)).status == 409
    assert witness.answer(padded(8, 1)).status == 422
    assert witness.state.kept() == []


def test_a_log_of_no_entries_has_one_root(witness: Cosigner) -> None:
    text = str(Checkpoint(ORIGIN, 0, bytes(32)))
    body = bytes(Offer(0, (), Note(text, (sign(text, ORIGIN, LOG_PRIVATE),)), Checkpoint.read(text)))
    assert witness.answer(body).status == 409
    assert [(each.kind, each.size) for each in witness.state.kept()] == [(Kind.CONTRADICTION, 0)]


def test_what_no_key_of_the_log_signed_is_not_kept(witness: Cosigner) -> None:
    witness.answer(offer(0, 20, private=PRIVATE))
    assert witness.state.kept() == []


@pytest.mark.parametrize(("most", "most_bytes"), [(3, 4_000_000), (100, 3 * len(note(20).encode()) + 2)])
def test_what_is_kept_has_an_end_that_is_said_once(
    witness: Cosigner, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, most: int, most_bytes: int
) -> None:
    """Each kind for itself: what anybody can send leaves room for evidence."""
    monkeypatch.setattr(memory, "MOST", most)
    monkeypatch.setattr(memory, "MOST_BYTES", most_bytes)
    for size in range(20, 30):
        witness.answer(padded(size, 1))
    assert [size for _, size, _ in kinds(witness)] == [20, 21, 22]
    assert caplog.messages == [f"{ORIGIN}: 3 refused checkpoints are kept as unproven, further ones are not"]
    witness.answer(offer(0, 8, FORK))
    assert [size for kind, size, _ in kinds(witness) if kind is Kind.CONTRADICTION] == [8, 8]
    assert witness.answer(offer(8, 20)).status == 200
    witness.answer(padded(40, 1))
    assert 40 in [size for _, size, _ in kinds(witness)], "what was settled made room"


def test_a_log_that_lies_on_and_on_fills_no_disk_either(witness: Cosigner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "MOST", 4)
    for size in range(10, 40):
        for leaves in (FORK, OTHER):
            witness.answer(offer(0, size, leaves))
    assert sum(witness.state.counts().values()) <= 9
    assert witness.state.counts()[Kind.CONTRADICTION] >= 4


def test_what_was_kept_in_the_former_form_is_read(tmp_path: Path) -> None:
    """Whole requests: each checkpoint once, without what others added; what was proved since is settled."""
    file = tmp_path / "state.sqlite"
    unproven = "the log of 20 entries did not grow from the one of 8 that was known"
    with closing(sqlite3.connect(file, isolation_level=None)) as db:
        db.executescript(FORMER)
        db.execute("INSERT INTO latest VALUES (?, ?, ?)", (ORIGIN, 9, rfc.root(LEAVES[:9])))
        rows = [
            (NOW - 9, ORIGIN, "another root at size 8", offer(8, 8, FORK)),
            *((NOW - 8 + n, ORIGIN, unproven, padded(20, n)) for n in range(5)),
            (NOW - 2, ORIGIN, "did not grow", padded(9, 1)),
            (NOW - 1, ORIGIN, "did not grow", b"what nobody can read"),
        ]
        db.executemany("INSERT INTO refused VALUES (?, ?, ?, ?)", rows)
    for _ in range(2):
        witness = a_witness(file)
        found = [(each.at, each.kind, each.size, each.why) for each in witness.state.kept()]
        assert found == [
            (NOW - 9, Kind.CONTRADICTION, 8, "another root at size 8"),
            (NOW - 8, Kind.UNPROVEN, 20, unproven),
        ]
        read = witness.state.kept()[1].note
        assert read.startswith(note(20)) and "nobody" not in read and len(read) < 1000
        witness.state.close()
    witness = a_witness(file)
    assert witness.answer(offer(9, 20)).status == 200
    assert [each.kind for each in witness.state.kept()] == [Kind.CONTRADICTION]
    witness.state.close()
    assert [each.kind for each in a_witness(file).state.kept()] == [Kind.CONTRADICTION], "taken over once"
