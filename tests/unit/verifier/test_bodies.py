"""The quick reading of a body never lets through what the exact one refuses, and it is the one that is used."""

import json
import random
from pathlib import Path

import pytest
import rfc8785

from shared.contracts.envelope import read
from shared.verifier.bodies import Bodies, Written, parsed
from shared.verifier.doubts import Doubt, Refused, refused
from tests.unit.verifier.logs import Envelope, some_events

LATEST = "2027-01-01T00:00:00.000000Z"
BODIES = Bodies("/140181101/cases", LATEST)
GOLDEN_FILES = Path(__file__).parents[2] / "contracts" / "golden"
GOLDEN = (GOLDEN_FILES / "envelope.bin").read_bytes()


class QuickOnly(Bodies):
    """As `of` is now, but what has no shape that is known is not read at all."""

    def __init__(self, of: Bodies) -> None:
        self.__dict__.update(of.__dict__)

    def _exactly(self, body: bytes, position: int) -> Written:
        raise refused("json", position, why="not read")


def quickly(bodies: Bodies, *some: bytes) -> list[Written] | None:
    """None when one of them is not read quickly."""
    read = QuickOnly(bodies).read(some, 1)
    return None if any(isinstance(one, Doubt) for one in read) else [one for one in read if not isinstance(one, Doubt)]


def both(body: bytes) -> tuple[Written | None, Written | None]:
    """What the quick and what the exact reading say; None for a refusal."""
    try:
        exact = BODIES._exactly(body, 1)
    except Refused:
        exact = None
    quick = quickly(BODIES, body)
    return quick[0] if quick else None, exact


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
    assert [len(shapes) for shapes in one._shapes.values()] == [20]
    late = Bodies("/140181101/cases", "2000-01-01T00:00:00.000000Z")
    late.read([rfc8785.dumps(envelope({"n": n})) for n in range(60)], 1)
    assert [len(shapes) for shapes in late._shapes.values()] == [1]


def test_a_shape_has_lists_of_any_length_and_texts_of_any_kind() -> None:
    bodies = Bodies("/140181101/cases", LATEST)
    bodies.facts(rfc8785.dumps(envelope({"a": [{"n": 1}, "x"], "t": "矿"})), 1)
    for data in ({"a": ["y"], "t": ""}, {"a": [{"n": -20}, {"n": 0}, "z"], "t": "\U0001f600"}):
        assert quickly(bodies, rfc8785.dumps(envelope(data)))
    for data in (
        {"a": [], "t": ""},
        {"a": [{"m": 1}], "t": ""},
        {"a": ["x"], "t": 1},
        {"a": ["x"]},
        {"a": ["x"], "t": "\\"},
    ):
        assert quickly(bodies, rfc8785.dumps(envelope(data))) is None


def test_a_shape_takes_no_number_and_no_time_that_is_none() -> None:
    bodies = Bodies("/140181101/cases", LATEST)
    body = rfc8785.dumps(envelope({"n": 7}))
    bodies.facts(body, 1)
    assert quickly(bodies, body.replace(b'"n":7}', b'"n":8}'))
    for number in (b"07", b"-0", b"+7", b"7.0", b"1e2", b"1234567890123456"):
        assert quickly(bodies, body.replace(b'"n":7}', b'"n":' + number + b"}")) is None
    recorded = json.loads(body)["recordedat"].encode()
    with pytest.raises(Refused):
        bodies.facts(body.replace(recorded, b"2017-13-01" + recorded[10:]), 1)


def test_many_are_read_as_each_alone_is() -> None:
    """Good ones and bad ones of several types mixed, in any company."""
    chosen = random.Random(41)
    wholes = [GOLDEN, *some_events(8).bodies]
    for _ in range(150):
        some = [chosen.choice(wholes) for _ in range(chosen.randint(1, 40))]
        if chosen.random() < 0.7:
            some[chosen.randrange(len(some))] = mutants(chosen.choice(wholes), chosen)
        assert BODIES.read(some, 1) == [BODIES.read([body], nth)[0] for nth, body in enumerate(some, 1)]


def test_bodies_that_hide_others_behind_a_line_break_are_not_counted_for_one_that_is_bad() -> None:
    """Two lines in one body and none in another would be as many as there are bodies."""
    bodies = Bodies("/140181101/cases", LATEST)
    one, other = some_events(2).bodies[:2]
    assert quickly(bodies, *[one] * 2) is None
    bodies.read([one, other], 1)
    for hidden in (one + b"\n" + one, b"\n" + one, one + b"\n"):
        for some in ([hidden, one[:-1]], [one[:-1], hidden], [hidden]):
            assert all(isinstance(each, Doubt) for each in bodies.read(some, 1))


@pytest.mark.parametrize("odd", ["\n", "a\tb", 'a"b', "a\\d", "\x01"])
def test_a_type_or_source_that_is_written_with_escapes_does_not_pass_without_them(odd: str) -> None:
    """What was learned from the escaped form must not let the bare one through: that is no JSON."""
    escaped = json.dumps(odd).encode()
    typed = rfc8785.dumps(ANY | {"type": odd})
    assert BODIES.facts(typed, 1)[5] == odd
    with pytest.raises(Refused):
        BODIES.facts(typed.replace(b'"type":' + escaped, f'"type":"{odd}"'.encode()), 1)
    bodies = Bodies(f"/{odd}/cases", LATEST)
    sourced = rfc8785.dumps(ANY | {"source": f"/{odd}/cases"})
    assert bodies.facts(sourced, 1)[1] == "hazard-1"
    with pytest.raises(Refused):
        bodies.facts(sourced.replace(escaped[1:-1], odd.encode()), 1)


def test_versions_and_times_are_looked_at_also_in_what_is_read_quickly() -> None:
    bodies = Bodies("/140181101/cases", "2018-02-11T04:05:00.000000Z")
    bodies.read([GOLDEN], 1)
    assert quickly(bodies, GOLDEN)
    for wrong, code in (
        (GOLDEN.replace(b'"recordedat":"2018', b'"recordedat":"2019'), "late"),
        (rfc8785.dumps(json.loads(GOLDEN) | {"version": 1}), "first"),
    ):
        for some in ([wrong], [GOLDEN, wrong], [wrong, GOLDEN]):
            said = bodies.read(some, 1)
            assert [one.code for one in said if isinstance(one, Doubt)] == [code]


def test_what_was_parsed_is_what_stands_there() -> None:
    assert parsed(b'{"a":[1,"x"],"b":{}}', 1) == {"a": [1, "x"], "b": {}}
