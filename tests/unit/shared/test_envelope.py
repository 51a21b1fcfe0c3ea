"""The bytes of a fact: made once, read exactly, refused when they are anything else."""

import hashlib
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from shared.contracts.envelope import (
    MAX_BODY,
    Header,
    attribute,
    attributes,
    leaf_of,
    read,
    traceparent_of,
    write,
)
from shared.errors import Unreadable

HEADER = Header(
    event_id=UUID(int=1),
    jurisdiction="140181101",
    source="cases",
    stream_id="hazard-1",
    version=1,
    type="cases.hazard.closed_out.v1",
    occurred_at=datetime(2018, 2, 16, 9, tzinfo=UTC),
    recorded_at=datetime(2018, 2, 16, 9, 0, 1, tzinfo=UTC),
    actor="p-1",
    in_role="inspector@safety_office",
    on_behalf_of=None,
    causation_id=UUID(int=2),
    correlation_id="c-1",
    traceparent=None,
    plan_version=None,
)


def test_what_is_written_is_read_again() -> None:
    body = write(HEADER, {}, None, bytes(16))
    recorded = read(body, 7, "lineage")
    assert (recorded.event_id, recorded.source, recorded.stream_id) == (HEADER.event_id, "cases", "hazard-1")
    assert (recorded.occurred_at, recorded.position, recorded.lineage) == (HEADER.occurred_at, 7, "lineage")
    assert recorded.leaf == hashlib.sha256(b"\x00" + body).digest() == leaf_of(body)


def test_the_bytes_are_canonical_and_hold_no_empty_attribute() -> None:
    body = write(HEADER, {}, None, bytes(16))
    parsed = json.loads(body)
    assert list(parsed) == sorted(parsed)
    assert "prev" not in parsed and "onbehalfof" not in parsed
    assert parsed["source"] == "/140181101/cases"


def test_equal_moments_are_equal_bytes_in_any_time_zone() -> None:
    town = timezone(timedelta(hours=8))
    moved = replace(HEADER, occurred_at=HEADER.occurred_at.astimezone(town))
    assert write(moved, {}, None, bytes(16)) == write(HEADER, {}, None, bytes(16))


def test_the_previous_leaf_stands_in_the_bytes() -> None:
    assert attribute(write(HEADER, {}, b"\xab" * 32, bytes(16)), "prev") == "ab" * 32


def test_too_long_a_fact_is_refused() -> None:
    with pytest.raises(ValueError, match=str(MAX_BODY)):
        write(HEADER, {"x": "长" * MAX_BODY}, None, bytes(16))


def test_what_json_cannot_keep_exactly_is_refused() -> None:
    with pytest.raises(Exception, match=r"(?i)float|nan|inf"):
        write(HEADER, {"x": float("nan")}, None, bytes(16))


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"null", b'{"type":"cases.hazard.closed_out.v1","data":{}}', b"\xff"]
)
def test_other_bytes_are_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


def test_the_trace_is_found_where_it_stands_and_nowhere_in_a_text() -> None:
    trace = f"00-{'a' * 32}-{'b' * 16}-01"
    feigned = {"words": f'"traceparent":"00-{"c" * 32}-{"d" * 16}-01"'}
    assert traceparent_of(write(replace(HEADER, traceparent=trace), feigned, None, bytes(16))) == trace
    assert traceparent_of(write(replace(HEADER, traceparent=None), feigned, None, bytes(16))) is None


@pytest.mark.parametrize("body", [b"", b"[]", b"no json", b'{"id": 1}'])
def test_what_is_no_envelope_has_no_attributes(body: bytes) -> None:
    assert attributes(body, "id", "type") == [None, None]


def test_attributes_come_in_the_order_asked_for() -> None:
    body = write(HEADER, {}, None, bytes(16))
    assert attributes(body, "type", "id", "none") == [HEADER.type, str(HEADER.event_id), None]
