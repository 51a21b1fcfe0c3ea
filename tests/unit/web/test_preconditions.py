"""Idempotency-Key, ETag and If-Match, and pages of a list."""

from datetime import UTC, date, datetime
from uuid import uuid4

import pytest

from shared.web.paging import cursor_of, page_of, read_cursor
from shared.web.preconditions import etag, expected_version
from shared.web.problems import BadRequest
from tests.unit.web.toy import a_client

ORE = {"name": "a", "kind": "coal"}


async def test_a_write_without_a_key_is_told_to_send_one() -> None:
    async with a_client() as client:
        answer = await client.post("/ores/v1/ores", json=ORE)
    assert answer.status_code == 400
    (error,) = answer.json()["errors"]
    assert (error["where"], error["field"]) == ("header", "Idempotency-Key")
    assert "UUID" in error["message"] and "uuid" in error["message_en"]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201])
async def test_a_key_is_visible_and_not_endless(key: str) -> None:
    async with a_client() as client:
        assert (await client.post("/ores/v1/ores", json=ORE, headers={"Idempotency-Key": key})).status_code == 400
        fine = await client.post("/ores/v1/ores", json=ORE, headers={"Idempotency-Key": "x" * 200})
    assert (fine.status_code, fine.headers["etag"]) == (201, '"1"')


@pytest.mark.parametrize(
    ("sent", "version"), [(None, None), ("*", None), ('"3"', 3), (' "12" ', 12), ('W/"4"', 4), (etag(7), 7)]
)
def test_if_match_names_a_version(sent: str | None, version: int | None) -> None:
    assert expected_version(sent) == version


@pytest.mark.parametrize("sent", ["3", '"x"', '"1", "2"', '""', '"-1"'])
def test_another_if_match_is_a_bad_request(sent: str) -> None:
    with pytest.raises(BadRequest):
        expected_version(sent)


def test_a_cursor_gives_back_what_it_was_made_of() -> None:
    values = ("独兰村", 7, datetime(2018, 2, 11, 1, 30, 0, 123456, UTC), date(2018, 2, 11), uuid4())
    assert read_cursor(cursor_of(*values), str, int, datetime, date, type(values[4])) == values
    assert read_cursor(None, str) is None and read_cursor("", str) is None


@pytest.mark.parametrize("text", ["nonsense", "é", cursor_of("a"), cursor_of(1, 2), cursor_of(None), "W10", "bnVsbA"])
def test_any_other_cursor_is_a_bad_request(text: str) -> None:
    with pytest.raises(BadRequest):
        read_cursor(text, int)


def test_a_time_without_its_offset_is_no_cursor() -> None:
    with pytest.raises(BadRequest):
        read_cursor(cursor_of(datetime(2018, 1, 1)), datetime)


def test_the_last_page_has_no_next() -> None:
    assert page_of([1, 2], 2, str, lambda n: (n,)).next is None
    first = page_of([1, 2, 3], 2, str, lambda n: (n,))
    assert (first.items, read_cursor(first.next, int)) == (["1", "2"], (2,))


async def test_following_next_shows_every_line_once() -> None:
    shown: list[int] = []
    cursor: str | None = ""
    async with a_client() as client:
        while cursor is not None:
            answer = (await client.get("/ores/v1/ores", params={"cursor": cursor} if cursor else {})).json()
            shown += answer["items"]
            cursor = answer["next"]
    assert shown == [0, 10, 20, 30, 40]
