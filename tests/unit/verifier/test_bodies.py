"""The quick reading of a body never lets through what the exact one refuses, and it is the one that is used."""

import json
import random
from pathlib import Path

import pytest
import rfc8785

from shared.contracts.envelope import read
from shared.verifier.bodies import Bodies, Facts, parsed
from shared.verifier.doubts import Refused
from tests.unit.verifier.logs import Envelope, some_events

LATEST = "2027-01-01T00:00:00.000000Z"
BODIES = Bodies("/140181101/cases", LATEST)
GOLDEN_FILES = Path(__file__).parents[2] / "contracts" / "golden"
GOLDEN = (GOLDEN_FILES / "envelope.bin").read_bytes()


def both(body: bytes) -> tuple[Facts | None, Facts | None]:
    """What the quick and what the exact reading say; None for a refusal."""
    try:
        exact = BODIES._exactly(body, 1)
    except Refused:
        exact = None
    return BODIES._quickly(body), exact


def test_what_our_writers_write_is_read_quickly_and_as_the_kernel_reads_it() -> None:
    for body in (GOLDEN, *some_events(30).bodies):
        quick, exact = both(body)
        assert quick is not None and quick == exact
    recorded = read(GOLDEN)
    event, stream, version, prev, moment, kind = BODIES.facts(GOLDEN, 1)
    assert (event, stream, version, kind) == (
        recorded.event_id.bytes,
        recorded.stream_id,
        recorded.version,
        recorded.type,
    )
    assert (prev, moment) == (bytes(range(32)).hex(), "2018-02-11T04:05:00.000000Z")


@pytest.mark.parametrize("path", sorted(GOLDEN_FILES.glob("*.json")), ids=lambda path: path.stem)
def test_every_kind_of_event_there_is_is_read_quickly(path: Path) -> None:
    """Or a log of them takes four times as long."""
    envelope = some_events(1).envelopes[0] | {"type": path.stem, "data": json.loads(path.read_bytes())}
    quick, exact = both(rfc8785.dumps(envelope))
    assert quick is not None and quick == exact


PIECES = [
    *(b'"', b"\\", b" ", b"\n", b"\t", b"{", b"}", b"[", b"]", b",", b":", b"0", b"-", b"1e5", b".5", b"\x00", b"\x7f"),
    *(b'"a":1,', b"null", b'\\"', b"\\u0041", b"\xff", "界".encode(), "\U00010400".encode(), "\ue000".encode()),
]


def mutants(body: bytes, chosen: random.Random) -> bytes:
    """One or two small changes of the kind that a lax reader overlooks."""
    for _ in range(chosen.randint(1, 2)):
        at = chosen.randrange(len(body))
        body = (
            body[:at] + chosen.choice(PIECES) + body[at:],
            body[:at] + body[at + 1 :],
            body[:at] + bytes([chosen.randrange(256)]) + body[at + 1 :],
            body[:at] + body[at : at + 20] + body[at:],
        )[chosen.randrange(4)]
    return body


def test_no_mutant_passes_the_quick_reading_and_not_the_exact_one() -> None:
    chosen = random.Random(8785)
    counts = {"quick": 0, "exact": 0}
    wholes = [GOLDEN, *some_events(6).bodies]
    for _ in range(12_000):
        quick, exact = both(mutants(chosen.choice(wholes), chosen))
        if quick is not None:
            assert quick == exact
            counts["quick"] += 1
        counts["exact"] += exact is not None
    assert counts["exact"] >= counts["quick"] > 500, "some mutants are good events, most are not"
    assert counts["exact"] < 9_000


ANY = some_events(1).envelopes[0]


def envelope(data: object) -> Envelope:
    return ANY | {"data": data}


def test_random_data_in_canonical_form_are_accepted_and_in_any_other_form_not() -> None:
    """Held against the writers' own library."""
    chosen = random.Random(7)
    for _ in range(1_500):
        data = {name(chosen): value(chosen, 3) for _ in range(3)}
        body = rfc8785.dumps(envelope(data))
        assert BODIES.facts(body, 1)[1] == "hazard-1"
        other = json.dumps(
            json.loads(body), sort_keys=True, ensure_ascii=chosen.random() < 0.5, separators=(",", ":")
        ).encode()
        if other != body:
            with pytest.raises(Refused):
                BODIES.facts(other, 1)


def name(chosen: random.Random) -> str:
    return "".join(chosen.choice('ab_"\\é€界\ue000\U00010400\U0001f600\x01\x7f ') for _ in range(chosen.randint(0, 3)))


def value(chosen: random.Random, deep: int) -> object:
    kinds = (name(chosen), chosen.randint(-(2**53) + 1, 2**53 - 1), chosen.randint(-9, 9), True, None)
    if deep and chosen.random() < 0.4:
        if chosen.random() < 0.5:
            return [value(chosen, deep - 1) for _ in range(chosen.randint(0, 3))]
        return {name(chosen): value(chosen, deep - 1) for _ in range(chosen.randint(0, 3))}
    return chosen.choice(kinds)


def test_what_is_remembered_of_shapes_has_an_end() -> None:
    bodies = Bodies("/140181101/cases", LATEST)
    for n in range(1_200):
        told = envelope({f"n{n}": 1}) | {"type": f"cases.kind{n % 60}.v1"}
        assert bodies.facts(rfc8785.dumps(told), 1)[5] == f"cases.kind{n % 60}.v1"
    kept = [len(shapes) for shapes in bodies._shapes.values()]
    assert (max(kept), sum(kept)) == (17, 1_000)
    one = Bodies("/140181101/cases", LATEST)
    for n in range(60):
        one.facts(rfc8785.dumps(envelope({f"n{n}": 1})), 1)
    assert [len(shapes) for shapes in one._shapes.values()] == [50]


def test_a_shape_has_lists_of_any_length_and_texts_of_any_kind() -> None:
    bodies = Bodies("/140181101/cases", LATEST)
    bodies.facts(rfc8785.dumps(envelope({"a": [{"n": 1}, "x"], "t": "矿"})), 1)
    for data in ({"a": ["y"], "t": ""}, {"a": [{"n": -20}, {"n": 0}, "z"], "t": "\U0001f600"}):
        assert bodies._quickly(rfc8785.dumps(envelope(data))) is not None
    for data in (
        {"a": [], "t": ""},
        {"a": [{"m": 1}], "t": ""},
        {"a": ["x"], "t": 1},
        {"a": ["x"]},
        {"a": ["x"], "t": "\\"},
    ):
        assert bodies._quickly(rfc8785.dumps(envelope(data))) is None


def test_a_shape_takes_no_number_and_no_time_that_is_none() -> None:
    bodies = Bodies("/140181101/cases", LATEST)
    body = rfc8785.dumps(envelope({"n": 7}))
    bodies.facts(body, 1)
    assert bodies._quickly(body.replace(b'"n":7}', b'"n":8}')) is not None
    for number in (b"07", b"-0", b"+7", b"7.0", b"1e2", b"1234567890123456"):
        assert bodies._quickly(body.replace(b'"n":7}', b'"n":' + number + b"}")) is None
    recorded = json.loads(body)["recordedat"].encode()
    with pytest.raises(Refused):
        bodies.facts(body.replace(recorded, b"2017-13-01" + recorded[10:]), 1)


def test_what_was_parsed_is_what_stands_there() -> None:
    assert parsed(b'{"a":[1,"x"],"b":{}}', 1) == {"a": [1, "x"], "b": {}}
