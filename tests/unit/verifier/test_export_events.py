"""A log that is wrong in itself, although the log and all witnesses signed it: each fault is found and placed."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from tests.unit.verifier.logs import Change, Events, first, found, some_events, verified, write

COUNT = 24
"""Events of hazard-0 to hazard-4 in turns; 16 and 24 state the heads. Event 13 is version 3 of hazard-3."""


def at(position: int, **changed: Any) -> Change:
    """Attributes of one event, changed, and all prevs made to fit."""

    def change(events: Events) -> None:
        events.envelopes[position - 1] |= changed
        events.chained_again()

    return change


def without(position: int, name: str) -> Change:
    return lambda events: events.envelopes[position - 1].pop(name)


def in_heads(position: int, **changed: Any) -> Change:
    return lambda events: events.envelopes[position - 1]["data"]["heads"].update(changed)


def dropped(events: Events) -> None:
    del events.envelopes[7]
    events.chained_again()


def doubled(events: Events) -> None:
    events.envelopes.insert(13, {**events.envelopes[12], "id": "00000000-0000-4000-8000-0000000000ff"})
    events.chained_again()


def swapped(events: Events) -> None:
    e = events.envelopes
    e[2], e[7] = e[7], e[2]  # versions 1 and 2 of hazard-3
    events.chained_again()


def one_stream_more(events: Events) -> None:
    """The statement at 16 is about fewer streams than there are: a head was left out of it."""
    events.envelopes[15]["data"]["heads"] = {
        "size": 15, "streams": 4, "root": heads_without(events, 15, "hazard-2")
    }  # fmt: skip


def heads_without(events: Events, size: int, stream: str) -> str:
    from shared.transparency import heads

    return heads.root([head for head in events.heads(size) if head.stream != stream]).hex()


FAULTS: dict[str, tuple[Change, str, int | None]] = {
    "an event dropped": (dropped, "version", 12),
    "an event twice": (doubled, "version", 14),
    "two versions swapped": (swapped, "version", 3),
    "version 1 missing": (at(3, version=2, prev="00" * 32), "version", 3),
    "a version left out": (at(13, version=4), "version", 13),
    "a prev of something else": (lambda e: e.envelopes[12].update(prev="00" * 32), "prev", 13),
    "no prev": (without(13, "prev"), "first", 13),
    "a prev in the first": (lambda e: e.envelopes[2].update(prev="00" * 32), "first", 3),
    "an altered event, the chain left alone": (lambda e: e.envelopes[7]["data"].update(n=9), "prev", 13),
    "an id used twice": (at(9, id=some_events(3).envelopes[1]["id"]), "event_id", 9),
    "another service's event": (at(9, source="/140181101/intake"), "source", 9),
    "another town's event": (at(9, source="/140181102/cases"), "source", 9),
    "recorded after the witnesses signed": (at(9, recordedat="2026-12-01T00:00:00.000000Z"), "late", 9),
    "recorded on no day": (at(9, recordedat="2018-02-30T00:00:00.000000Z"), "attribute", 9),
    "a time without its zone": (at(9, time="2018-02-11T04:00:00.000000"), "attribute", 9),
    "no actor": (without(9, "actor"), "attribute", 9),
    "a version as text": (at(9, version="2"), "attribute", 9),
    "a null": (at(9, onbehalfof=None), "attribute", 9),
    "data that are no object": (at(9, data=[1]), "attribute", 9),
    "an id that is no uuid": (at(9, id="7"), "attribute", 9),
    "a prev in capitals": (lambda e: e.envelopes[8].update(prev=e.envelopes[8]["prev"].upper()), "attribute", 9),
    "a float": (at(9, data={"n": 1.5}), "number", 9),
    "heads of fewer streams": (one_stream_more, "heads", 16),
    "heads with another count": (in_heads(16, streams=6), "heads", 16),
    "heads with another root": (in_heads(16, root="00" * 32), "heads", 16),
    "heads of another size": (in_heads(16, size=14), "heads", 16),
    "heads of what comes later": (in_heads(16, size=16), "heads_late", 16),
    "heads without a size": (lambda e: e.envelopes[15]["data"]["heads"].pop("size"), "heads_form", 16),
    "heads with a root that is none": (in_heads(16, root="0"), "heads_form", 16),
    "heads with something else": (in_heads(16, more=1), "heads_form", 16),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_the_events_is_found_and_placed(tmp_path: Path, fault: str) -> None:
    change, code, position = FAULTS[fault]
    events = some_events(COUNT)
    change(events)
    write(tmp_path, events.bodies)
    assert first(verified(tmp_path)) == (code, position)


def raw(position: int, change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], None]:
    def changed(bodies: list[bytes]) -> None:
        before = bodies[position - 1]
        bodies[position - 1] = change(before)
        assert bodies[position - 1] != before

    return changed


def with_name_twice(body: bytes) -> bytes:
    return body.replace(b'"data":{', b'"data":{"a":1,"a":2,')


RAW: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "a name twice in the data": (with_name_twice, "doubled"),
    "a name twice in the envelope": (lambda b: b.replace(b'"actor"', b'"actor":"p-1","actor"', 1), "doubled"),
    "a name twice, deep inside": (lambda b: b.replace(b'{"lat_e7"', b'{"lat_e7":1,"lat_e7"'), "doubled"),
    "names out of order": (
        lambda b: b.replace(b'"lat_e7":377000000,"lon_e7":1121000000', b'"lon_e7":1121000000,"lat_e7":377000000'), "canonical",
    ),
    "names of the envelope out of order": (lambda b: reordered(b), "canonical"),
    "a space": (lambda b: b.replace(b'"data":{', b'"data": {'), "canonical"),
    "a space in the data": (lambda b: b.replace(b',"place"', b', "place"'), "canonical"),
    "a new line in the data": (lambda b: b.replace(b',"place"', b',\n"place"'), "canonical"),
    "a new line at the end": (lambda b: b + b"\n", "canonical"),
    "an escape that is not needed": (lambda b: b.replace(b"hazard-", b"h\\u0061zard-", 1), "canonical"),
    "an escape in the data": (lambda b: b.replace(b'"place"', b'"pl\\u0061ce"', 1), "canonical"),
    "a zero with a sign": (lambda b: b.replace(b'"n":13', b'"n":-0'), "canonical"),
    "a number too large for a double": (lambda b: b.replace(b'"n":13', b'"n":9007199254740993'), "number"),
    "a number that is none": (lambda b: b.replace(b'"n":13', b'"n":NaN'), "number"),
    "an exponent": (lambda b: b.replace(b'"n":13', b'"n":1e1'), "number"),
    "a zero in front": (lambda b: b.replace(b'"n":13', b'"n":013'), "json"),
    "a control character": (lambda b: b.replace(b"hazard-", b"hazard\x01", 1), "json"),
    "no UTF-8": (lambda b: b.replace(b"hazard-", b"hazard\xff", 1), "json"),
    "a byte order mark": (lambda b: b"\xef\xbb\xbf" + b, "json"),
    "the end missing": (lambda b: b[:-1], "json"),
    "two of them": (lambda b: b + b, "json"),
    "a list": (lambda b: b"[1]", "json"),
    "nothing": (lambda b: b"", "json"),
    "brackets and no end": (lambda b: b"[" * 60_000, "json"),
}  # fmt: skip


def reordered(body: bytes) -> bytes:
    whole = json.loads(body)
    return json.dumps({"version": whole.pop("version"), **whole}, separators=(",", ":"), sort_keys=False).encode()


@pytest.mark.parametrize("fault", RAW)
def test_bytes_that_our_writers_never_write_are_a_doubt(tmp_path: Path, fault: str) -> None:
    change, code = RAW[fault]
    bodies = some_events(14).bodies[:13]
    raw(13, change)(bodies)
    write(tmp_path, bodies)
    assert found(verified(tmp_path)) == [(code, 13)]


def test_what_an_event_may_hold_is_no_doubt(tmp_path: Path) -> None:
    """Escapes that are needed, names beyond the basic plane in their order, attributes of a later version."""
    events = Events()
    events.add("hazard-1", text='井口 "塌陷"\n\x01', **{"𐐀": 1, "\ue000": 2, "€": 3})
    events.add("hazard-1", big=2**53 - 1, small=-(2**53) + 1, none=None, yes=True, empty={}, row=[[], "x y"])
    events.add("hazard-2").update(onbehalfof="p-007;no_phone", traceparent="00-a-b-01", planversion="x@1", later="new")
    assert rfc8785.dumps({"𐐀": 1, "\ue000": 2}) == '{"𐐀":1,"\ue000":2}'.encode()
    write(tmp_path, events.bodies)
    assert found(verified(tmp_path)) == []


def test_one_wrong_event_does_not_hide_the_next(tmp_path: Path) -> None:
    events = some_events(COUNT)
    for position in (9, 4):
        at(position, source="/t/other")(events)
    write(tmp_path, events.bodies)
    report = verified(tmp_path)
    assert [each for each in found(report) if each[0] == "source"] == [("source", 4), ("source", 9)]
