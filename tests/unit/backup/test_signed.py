"""Which log a backup waits for before it takes its moment, and what it says of one that it did not wait for."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.backup import signed
from shared.backup.signed import Standing, lines, signed_upto
from shared.transparency.note import NoteRefused

NOW = datetime(2018, 3, 1, tzinfo=UTC)


def standing(held: int, upto: int, at: datetime | None = NOW) -> Standing:
    return Standing("cases", held, upto, at, at_work=True)


@pytest.mark.parametrize(
    ("began", "now", "covers"),
    [
        (standing(10, 10), standing(10, 10), True),
        (standing(0, 0, None), standing(0, 0, None), True),
        (standing(10, 8), standing(10, 8), False),
        (standing(10, 8), standing(12, 9), False),
        (standing(10, 8), standing(12, 10), True),
        (standing(10, 10), standing(11, 10), False),  # it rested, and grew while another was waited for
        (standing(10, 10), standing(12, 11), True),
    ],
)
def test_a_log_is_waited_for_until_it_is_signed_whole_or_anew(began: Standing, now: Standing, covers: bool) -> None:
    assert now.covers(began) is covers


@pytest.mark.parametrize(
    ("log", "word"),
    [
        (standing(10, 8, NOW - timedelta(minutes=9)), "ordinary"),
        (standing(10, 8, NOW - timedelta(minutes=11)), "UNPROVEN"),
        (standing(10, 8, None), "UNPROVEN"),
        (standing(10, 0), "UNPROVEN"),
    ],
)
def test_what_is_unsigned_is_said_in_the_words_of_verify(log: Standing, word: str) -> None:
    (line,) = lines([log], NOW)
    zh, en = line.splitlines()
    assert f"有 {log.unsigned} 条尚未按见证规则签名" in zh and zh.endswith(word)
    assert f"cases: {log.unsigned} of 10 events are not signed yet" in en and en.endswith(f"call them {word}")


async def test_a_line_that_does_not_fit_stops_no_backup(monkeypatch: pytest.MonkeyPatch) -> None:
    async def spoiled(*_: Any, **__: Any) -> None:
        raise NoteRefused("another signature")

    monkeypatch.setattr(signed, "newest", spoiled)
    tx: Any = None
    assert await signed_upto(tx, None) == (0, None)
