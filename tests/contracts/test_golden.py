"""Promises once made: what every event type looked like when it was first published, read by today's code.

`golden/<type>.json` is the `data` of one event with every field set; it is never edited. A contract that grew has
`golden/<type>~2.json` and so on beside it. `golden/envelope.bin` are the exact bytes of one whole event.

A new type: `python -m tests.contracts.test_golden` writes the files that are missing, and touches no other.
"""

import hashlib
import json
from datetime import UTC, date, datetime
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin
from uuid import UUID

import pytest
from pydantic import BaseModel

from shared.contracts.cases.hazard import HazardListed
from shared.contracts.envelope import Header, leaf_of, read, write
from shared.contracts.event import Clear, Event, Sealed, SealedBy
from shared.contracts.registry import CONTRACTS

FOLDER = Path(__file__).parent / "golden"
TYPES = sorted(CONTRACTS.types)
SEALED = {"k": "00000000-0000-4000-8000-000000000000", "n": "bm9uY2U", "c": "Y2lwaGVydGV4dA", "m": "Y29tbWl0bWVudA"}


def files_of(type_: str) -> list[Path]:
    return sorted([*FOLDER.glob(f"{type_}.json"), *FOLDER.glob(f"{type_}~*.json")])


@pytest.mark.parametrize("type_", TYPES)
def test_every_type_has_a_golden_file(type_: str) -> None:
    assert files_of(type_), f"run python -m tests.contracts.test_golden and commit {type_}.json"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda p: p.name)
def test_an_old_event_is_read_without_losing_a_field(path: Path) -> None:
    data = json.loads(path.read_text("utf-8"))
    event = CONTRACTS.read(path.stem.split("~")[0], data)
    assert event.model_dump(mode="json", exclude_unset=True) == data


@pytest.mark.parametrize("type_", TYPES)
def test_every_field_of_a_contract_is_in_a_golden_file(type_: str) -> None:
    told: set[str] = set()
    for path in files_of(type_):
        told |= _names(json.loads(path.read_text("utf-8")))
    assert _names(sample(CONTRACTS.types[type_])) - told == set()


def test_a_lost_field_is_found() -> None:
    class Shrunk(Event):
        type = HazardListed.type
        hazard_no: int

    data = json.loads((FOLDER / f"{HazardListed.type}.json").read_text("utf-8"))
    assert Shrunk.model_validate(data).model_dump(mode="json", exclude_unset=True) != data


def test_the_bytes_of_an_event_are_what_they_always_were() -> None:
    body = envelope()
    assert body == (FOLDER / "envelope.bin").read_bytes()
    assert leaf_of(body).hex() == hashlib.sha256(b"\x00" + (FOLDER / "envelope.bin").read_bytes()).hexdigest()
    back = read(body)
    assert (back.source, back.stream_id, back.version) == ("cases", "hazard-0f3c", 2)
    assert back.event.model_dump(mode="json", exclude_none=True) == sample(HazardListed)


def envelope() -> bytes:
    header = Header(
        event_id=UUID(int=1),
        jurisdiction="140181101",
        source="cases",
        stream_id="hazard-0f3c",
        version=2,
        type=HazardListed.type,
        occurred_at=datetime(2018, 2, 11, 4, 0, 0, 123456, tzinfo=UTC),
        recorded_at=datetime(2018, 2, 11, 4, 5, tzinfo=UTC),
        actor="p-012",
        in_role="clerk@campaign_office",
        on_behalf_of="p-007;no_phone",
        causation_id=UUID(int=2),
        correlation_id="c-1",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        plan_version="zhenchengdi-2018@1",
    )
    return write(header, sample(HazardListed), prev=bytes(range(32)), salt=bytes(range(16)))


def sample(model: type[BaseModel]) -> dict[str, Any]:
    """Every field set, to a value that says its kind."""
    return {name: _value(field.annotation, list(field.metadata)) for name, field in model.model_fields.items()}


def _value(annotation: Any, metadata: list[Any]) -> Any:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _value(inner, [*metadata, *more])
    if any(isinstance(m, SealedBy) for m in metadata):
        return SEALED
    if get_origin(annotation) in (Union, UnionType):
        return _value(next(a for a in get_args(annotation) if a is not type(None)), metadata)
    if get_origin(annotation) is tuple:
        return [_value(get_args(annotation)[0], [])]
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return SEALED if annotation is Sealed else sample(annotation)
    kinds: dict[Any, Any] = {bool: True, int: 7, datetime: "2018-02-11T04:00:00Z", date: "2018-02-11"}
    if annotation in kinds:
        return kinds[annotation]
    clear = next(m for m in metadata if isinstance(m, Clear))
    return "a_code" if clear.kind == "code" else "An-Id-1"


def _names(data: Any, path: str = "") -> set[str]:
    if isinstance(data, list):
        return set().union(*(_names(item, path) for item in data))
    if not isinstance(data, dict) or data == SEALED:
        return set()
    return {f"{path}{name}" for name in data} | set().union(*(_names(v, f"{path}{n}.") for n, v in data.items()))


if __name__ == "__main__":
    for one in TYPES:
        if not files_of(one):
            text = json.dumps(sample(CONTRACTS.types[one]), ensure_ascii=False, indent=1)
            (FOLDER / f"{one}.json").write_text(text + "\n", "utf-8")
    if not (FOLDER / "envelope.bin").exists():
        (FOLDER / "envelope.bin").write_bytes(envelope())
