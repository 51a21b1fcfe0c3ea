"""A single proof with its entry, and signed receipts against an export."""

import base64
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from shared.receipts import Fact, Receipts
from shared.transparency.checkpoint import proof_file
from shared.transparency.note import LOG, Note, sign
from shared.transparency.policy import Policy
from shared.verifier.doubts import Refused
from shared.verifier.proofs import Proof, verify_proof
from shared.verifier.receipts import Receipt
from tests.unit.verifier.logs import (
    LAND,
    LINEAGE,
    LOG_PRIVATE,
    ORIGIN,
    POLICY,
    SERVICE,
    TOWN,
    Tree,
    checkpoint,
    first,
    found,
    key,
    policy_text,
    put,
    some_events,
    verified,
    write,
)

EVENTS = some_events(12)
MADE = Tree(EVENTS.bodies)
NOTE = checkpoint(MADE.size, MADE.root)


def proof(index: int = 4, note: Note = NOTE, extra: bytes | None = None) -> bytes:
    return proof_file(index, MADE.inclusion(index), note, extra).encode()


def test_a_proof_with_its_entry_is_proven() -> None:
    for extra in (None, b"whatever"):
        report = verify_proof(proof(extra=extra), MADE.bodies[4], POLICY)
        assert (report.code, found(report)) == (0, []) and "event 5" in report.parts[0].remarks[0][1]


@pytest.mark.parametrize(
    ("written", "code"),
    [
        (proof(5), "inclusion"),
        (proof().replace(b"index 4", b"index 5"), "inclusion"),
        (proof(note=checkpoint(11, MADE.root_at(11))), "inclusion"),
        (proof(note=checkpoint(MADE.size, MADE.root, witnesses=("land",))), "quorum"),
        (proof().replace(b"\n12\n", b"\n13\n"), "signature"),
        (proof().replace(b"index 4", b"index 04"), "proof_form"),
        (proof().replace(b"index 4\n", b""), "proof_form"),
        (proof().replace(b"index 4", b"index -4"), "proof_form"),
        (proof().replace(b"index 4", "index ４".encode()), "proof_form"),
        (proof().replace(b"tlog-proof@v1", b"tlog-proof@v2"), "proof_form"),
        (proof().replace(b"=\n", b"\n", 1), "proof_form"),
        (proof().replace(b"\n\n", b"\nAAAA\n\n", 1), "proof_form"),
        (proof().replace(b"\n\n", b"\n" + b"A" * 43 + b"=\n\n", 1), "inclusion"),
        (proof().replace(b"\n\n", (b"\n" + b"A" * 43 + b"=") * 64 + b"\n\n", 1), "proof_form"),
        (proof(extra=b"x").replace(b"extra eA==", b"extra eA"), "proof_form"),
        (proof().partition(b"\n\n")[0], "proof_form"),
    ],
)
def test_a_proof_that_is_not_right_in_every_line_proves_nothing(written: bytes, code: str) -> None:
    report = verify_proof(written, MADE.bodies[4], POLICY)
    assert first(report)[0] == code and report.parts[0].signed is None


def test_a_proof_of_what_is_no_event_of_this_log_is_a_doubt() -> None:
    body = MADE.bodies[4].replace(b"/140181101/cases", b"/140181101/intake")
    made = Tree([body])
    report = verify_proof(proof_file(0, [], checkpoint(1, made.root)).encode(), body, POLICY)
    assert first(report) == ("source", 1)


def test_size_and_root_are_not_the_proofs() -> None:
    """The same path under a smaller size would hold: only the checkpoint says how large the log is."""
    assert Proof.read(proof()).path == tuple(MADE.inclusion(4))
    assert not hasattr(Proof.read(proof()), "size")


# ---------------------------------------------------------------------------------------------------------- receipts

RECEIPTS = Receipts(ORIGIN, LAND)
KEYS = (*POLICY.logs, RECEIPTS.key)


def facts(*positions: int, later: int = 0) -> list[Fact]:
    """What the service answered when it recorded these."""
    return [
        Fact(
            MADE.leaves[position - 1],
            datetime.strptime(EVENTS.envelopes[position - 1]["recordedat"], "%Y-%m-%dT%H:%M:%S.%fZ").replace(
                tzinfo=UTC, microsecond=position + later
            ),
        )
        for position in positions
    ]


def receipt(*positions: int, later: int = 0) -> Receipt:
    return Receipt.read(RECEIPTS.header(facts(*positions, later=later)).encode(), KEYS)


def against(tmp_path: Path, receipts: Sequence[Receipt], policy: Policy = POLICY) -> list[tuple[str, int | None]]:
    return found(verified(tmp_path, policy, receipts=tuple(receipts)))


def test_what_the_service_answered_is_found_in_the_log(tmp_path: Path) -> None:
    write(tmp_path, EVENTS.bodies)
    report = verified(tmp_path, receipts=(receipt(7), receipt(2, 12)))
    assert (report.code, found(report)) == (0, [])
    assert [remark[1].rpartition(" ")[2] for remark in report.parts[0].remarks] == ["7", "2", "12"]


def test_an_event_that_was_promised_and_is_not_there_is_a_doubt(tmp_path: Path) -> None:
    write(tmp_path, EVENTS.bodies[:9])
    assert against(tmp_path, [receipt(9)]) == []
    assert against(tmp_path, [receipt(10)]) == [("receipt_leaf", None)]
    assert against(tmp_path, [receipt(9, 10)]) == [("receipt_leaf", None)]


def test_an_event_that_was_recorded_at_another_time_than_promised_is_a_doubt(tmp_path: Path) -> None:
    write(tmp_path, EVENTS.bodies)
    assert against(tmp_path, [receipt(7, later=1)]) == [("receipt_time", 7)]
    assert against(tmp_path, [receipt(7, 8, later=-2)]) == [("receipt_time", 7), ("receipt_time", 8)]


def test_a_promise_from_before_a_restore_holds_after_it_and_one_of_another_log_says_nothing(tmp_path: Path) -> None:
    write(tmp_path / "cases", EVENTS.bodies[:9])
    origin = f"{TOWN}/{SERVICE}/child/after/{LINEAGE}/9/{MADE.root_at(9).hex()}"
    put(tmp_path / "cases/checkpoint", str(checkpoint(9, MADE.root_at(9), origin)).encode())
    policy = Policy.read(policy_text(origin=origin))
    assert against(tmp_path, [receipt(9)], policy) == []
    assert against(tmp_path, [receipt(10)], policy) == [("receipt_leaf", None)]
    other = Receipts(f"{TOWN}/intake/{LINEAGE}", LAND)
    theirs = Receipt.read(str(other.receipt(facts(9))).encode(), (other.key,))
    assert against(tmp_path, [theirs], policy) == [("receipt_origin", None)]


def test_a_receipt_counts_when_a_trusted_key_of_that_log_signed_it() -> None:
    written = str(RECEIPTS.receipt(facts(7)))
    assert Receipt.read(written.encode(), KEYS) == receipt(7)
    text, stranger = RECEIPTS.receipt(facts(7)).text, key(f"{ORIGIN}/receipts", LOG, LOG_PRIVATE)
    for wrong, keys, code in (
        (written, POLICY.logs, "receipt_key"),
        (str(Note(text, (sign(text, ORIGIN, LOG_PRIVATE),))), POLICY.logs, "receipt_key"),
        (written, (stranger,), "receipt_key"),
        (written.replace("04:05", "04:06"), KEYS, "signature"),
        (str(NOTE), KEYS, "receipt_form"),
        ("x", KEYS, "receipt_form"),
        (base64.b64encode(b"x").decode(), KEYS, "receipt_form"),
    ):
        with pytest.raises(Refused) as refused:
            Receipt.read(wrong.encode(), tuple(keys))
        assert refused.value.doubt.code == code, wrong
