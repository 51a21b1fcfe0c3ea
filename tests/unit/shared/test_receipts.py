"""A receipt says what was recorded, and no more than that; its key is the service's own."""

import base64
from datetime import UTC, datetime, timedelta, timezone

import pytest

from shared.receipts import MOST_LEAVES, Fact, Receipts, note_recorded, receipt_key, recorded
from shared.transparency.note import LOG, Key, Note, NoteRefused

ORIGIN = "140181101/cases/aaaa"
AT = datetime(2018, 1, 22, 9, 0, 0, 123456, timezone(timedelta(hours=8)))
SECRET = b"a secret for tests, long enough to be one"


def receipts(secret: bytes = SECRET, service: str = "cases") -> Receipts:
    return Receipts(ORIGIN, receipt_key(secret, service))


def test_it_holds_origin_time_and_leaves_and_is_signed_under_a_name_of_its_own() -> None:
    facts = [Fact(bytes([n]) * 32, AT + timedelta(microseconds=n)) for n in (1, 2)]
    note = Note.read(base64.b64decode(receipts().header(facts)))
    leaves = [base64.b64encode(fact.leaf).decode() for fact in facts]
    assert note.text.split("\n") == ["minewatch-receipt/1", ORIGIN, "2018-01-22T01:00:00.123458Z", *leaves, ""]
    key = receipts().key
    assert (key.name, key.kind) == (f"{ORIGIN}/receipts", LOG)
    assert note.signed_by([key]) == {key: None}
    with pytest.raises(NoteRefused):
        Note(note.text.replace("2018", "2019"), note.lines).signed_by([key])


def test_another_service_and_another_secret_have_other_keys() -> None:
    keys = {r.key.public for r in (receipts(), receipts(service="intake"), receipts(secret=SECRET[::-1]))}
    assert len(keys) == 3 and receipts().key == receipts().key
    assert Key.read(str(receipts().key)) == receipts().key


def test_a_header_stays_short() -> None:
    facts = [Fact(bytes(32), AT.astimezone(UTC))] * 500
    assert receipts().receipt(facts).text.count("\n") == 3 + MOST_LEAVES
    assert len(receipts().header(facts)) < 8_000


def test_nobody_collects_what_nobody_wants_to_know() -> None:
    note_recorded([Fact(bytes(32), AT)])
    facts: list[Fact] = []
    mark = recorded.set(facts)
    note_recorded([Fact(bytes(32), AT)])
    recorded.reset(mark)
    note_recorded([Fact(bytes(32), AT)])
    assert len(facts) == 1
