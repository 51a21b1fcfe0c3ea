"""What every contract must keep to, whoever writes it."""

import re
from datetime import UTC, datetime
from types import UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import pytest
from pydantic import BaseModel

from shared.contracts.event import Code, Event, Part, Sealed, SealedBy
from shared.contracts.registry import CONTRACTS, Registry
from shared.contracts.words import field_words, title_of
from shared.errors import Unreadable

EVENTS = sorted(CONTRACTS.types.items())


def unmarked(event: type[Event]) -> list[str]:
    return [name for name, marker in event.text_fields() if marker is None]


@pytest.mark.parametrize(("type_", "event"), EVENTS)
def test_every_text_field_says_who_may_read_it(type_: str, event: type[Event]) -> None:
    assert unmarked(event) == []


def test_an_unmarked_text_field_is_found() -> None:
    class Inner(Part):
        note: str

    class Careless(Event):
        type = "cases.hazard.careless.v1"
        name: str
        parts: tuple[Inner, ...] = ()
        code: Code
        maybe: str | None = None

    assert unmarked(Careless) == ["name", "parts.note", "maybe"]


@pytest.mark.parametrize(("type_", "event"), EVENTS)
def test_a_type_names_its_publisher_aggregate_and_version(type_: str, event: type[Event]) -> None:
    assert re.fullmatch(r"[a-z]+\.[a-z_]+\.[a-z_]+\.v[0-9]+", type_)
    publisher, aggregate, _, _ = type_.split(".")
    assert event.__module__ == f"shared.contracts.{publisher}.{aggregate}"


def floats(annotation: Any) -> bool:
    if get_origin(annotation) in (Annotated, Union, UnionType, tuple, dict, list):
        return any(floats(inner) for inner in get_args(annotation))
    if get_origin(annotation) is Literal:
        return False
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return any(floats(f.annotation) for f in annotation.model_fields.values())
    return annotation is float


@pytest.mark.parametrize(("type_", "event"), EVENTS)
def test_no_contract_holds_a_float(type_: str, event: type[Event]) -> None:
    assert not floats(event)


def test_a_float_is_found() -> None:
    class Weighed(Event):
        type = "cases.hazard.weighed.v1"
        tonnes: tuple[float, ...]

    assert floats(Weighed)


@pytest.mark.parametrize(("type_", "event"), EVENTS)
def test_a_record_that_can_be_entered_can_be_corrected(type_: str, event: type[Event]) -> None:
    publisher, aggregate, _, _ = type_.split(".")
    # a wrong decision is followed by another; what was read, was read
    if aggregate in ("campaign", "opening", "disclosure", "informant", "words"):
        return
    assert f"{publisher}.{aggregate}.corrected.v1" in CONTRACTS.types
    assert f"{publisher}.{aggregate}.entered_in_error.v1" in CONTRACTS.types


def test_an_unknown_type_is_unreadable() -> None:
    with pytest.raises(Unreadable, match="no contract"):
        CONTRACTS.read("cases.hazard.vanished.v1", {})


def test_an_old_version_is_read_through_its_upcaster() -> None:
    class Moved(Event):
        type = "cases.site.moved.v2"
        to: Code

    registry = Registry((Moved,), {"cases.site.moved.v1": lambda data: ("cases.site.moved.v2", {"to": data["where"]})})
    assert registry.read("cases.site.moved.v1", {"where": "north"}) == Moved(to="north")


def test_the_audience_of_an_informants_identity_is_the_custodian() -> None:
    markers = dict(CONTRACTS.types["intake.tip.received.v1"].text_fields())
    assert markers["name"] == SealedBy("custodian", "informant")
    assert markers["contact"] == SealedBy("custodian", "informant")
    assert markers["words"] == SealedBy("office", "informant")


def test_sealed_values_pass_through_a_contract() -> None:
    closed = Sealed(k="k", n="n", c="c", m="m")
    event = CONTRACTS.read(
        "cases.hazard.extension_requested.v1",
        {"requested_by": "p-1", "wanted_at": datetime(2018, 2, 1, tzinfo=UTC), "reason": closed.model_dump()},
    )
    assert event.reason == closed  # type: ignore[attr-defined]


@pytest.mark.parametrize(("type_", "event"), EVENTS)
def test_every_event_and_field_has_a_name_for_people(type_: str, event: type[Event]) -> None:
    assert title_of(type_) != (type_, type_)
    assert [name for name in names_in(event) if field_words(name) == (name, name)] == []


def names_in(model: type[BaseModel]) -> set[str]:
    """Every field's name, those of structures inside too."""
    found = set(model.model_fields)
    for field in model.model_fields.values():
        for inner in structures(field.annotation):
            found |= names_in(inner)
    return found


def structures(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [] if annotation is Sealed else [annotation]
    return [found for inner in get_args(annotation) for found in structures(inner)]
