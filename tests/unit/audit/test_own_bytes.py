"""What a row says of an event beside its bytes, against the bytes: each column by itself."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
import rfc8785

from shared.audit.own_bytes import _told
from shared.contracts.envelope import moment

AT = datetime(2018, 1, 22, 1, 2, 3, 456789, UTC)
ROW: dict[str, Any] = {
    "event_id": UUID("6f6dd6a8-4a51-4f0e-9d0f-0d2b3c8e5a11"),
    "stream_id": "hazard-7",
    "version": 3,
    "type": "cases.hazard.assigned.v1",
    "recorded_at": AT,
}
TOLD = {
    "id": str(ROW["event_id"]),
    "subject": "hazard-7",
    "version": 3,
    "type": "cases.hazard.assigned.v1",
    "recordedat": moment(AT),
}
BODY = rfc8785.dumps(TOLD)


def said(row: dict[str, Any], body: bytes = BODY) -> list[tuple[str, str]]:
    return list(_told(row, body))  # type: ignore[arg-type] - a record is read by its columns' names only


def test_a_row_that_says_what_its_bytes_say_is_no_doubt() -> None:
    assert said(ROW) == []


@pytest.mark.parametrize(
    ("column", "value", "named"),
    [
        ("event_id", uuid4(), "id"),
        ("stream_id", "hazard-8", "subject"),
        ("version", 4, "version"),
        ("type", "cases.hazard.closed.v1", "type"),
        ("recorded_at", AT + timedelta(microseconds=1), "recordedat"),
    ],
)
def test_a_column_that_says_otherwise_is_named(column: str, value: object, named: str) -> None:
    assert said(ROW | {column: value}) == [
        (f"数据库行与内容不符：{named}", f"its row says otherwise than its bytes: {named}")
    ]


@pytest.mark.parametrize("named", TOLD)
def test_bytes_that_leave_it_out_or_say_otherwise_are_named(named: str) -> None:
    without = {name: value for name, value in TOLD.items() if name != named}
    for told in (without, without | {named: "3"}, without | {named: [TOLD[named]]}):
        ((_, en),) = said(ROW, rfc8785.dumps(told))
        assert en == f"its row says otherwise than its bytes: {named}"


def test_all_that_differ_are_named_at_once() -> None:
    ((_, en),) = said(ROW | {"version": 4, "type": "cases.hazard.closed.v1"})
    assert en == "its row says otherwise than its bytes: version, type"
