"""Whose keys were destroyed, as facts say it that nobody has verified."""

import json
from uuid import uuid4

import pytest

from shared.backup.erasures import Erasures

KEY = str(uuid4())


@pytest.mark.parametrize("told", [None, 7, "x", {"a": 1}, [], ["no uuid", 7, None]])
def test_what_is_no_id_of_a_key_is_passed_over(told: object) -> None:
    erasures = Erasures()
    for keys in (told, [*(told if isinstance(told, list) else ()), KEY.upper()]):
        data = {"subject": "tip-1"} if keys is None else {"subject": "tip-1", "keys": keys}
        fact = {"type": "intake.words.erased.v1", "id": "e-1", "recordedat": "2018-01-22T01:00:00.000Z", "data": data}
        erasures.note(json.dumps(fact, separators=(",", ":")).encode(), "somewhere")
    assert erasures.keys == {KEY} and list(erasures.words) == ["e-1"]
