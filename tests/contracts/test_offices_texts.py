"""Which read models hold a text that is sealed by its own stream. When such texts are erased, these have to be built anew."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import BindParameter, Column, bindparam
from sqlalchemy.sql.visitors import iterate

from shared.contracts.envelope import Header, Recorded, read, write
from shared.contracts.event import Event, SealedBy
from shared.contracts.intake.words import WordsErased
from shared.contracts.registry import CONTRACTS
from shared.read_model import ReadModel, Words, WordsWithin
from tests.contracts.test_golden import SEALED, sample
from tests.contracts.test_informants_texts import CARDS

PLANTED = "办公室误写的姓名"
WORDED = sorted(
    type_
    for type_, event in CONTRACTS.types.items()
    if any(isinstance(m, SealedBy) and m.by == "stream" for _, m in event.text_fields())
)
CORRECTED = ("summary", "measure_text", "name", "handling_note", "finding.1.summary")
"""Fields of text that some correction changes."""


def opened(type_: str, field: str) -> Recorded[Event]:
    """The event with every text of the office as a reader with all keys would have it; `field`, where it is a correction."""
    data = json.loads(json.dumps(sample(CONTRACTS.types[type_])).replace(json.dumps(SEALED), json.dumps(PLANTED)))
    if type_.endswith(".corrected.v1"):
        data |= {"field": field, "value": {"text": PLANTED}}
    service, kind, *_ = type_.split(".")
    header = Header(
        event_id=UUID(int=1), jurisdiction="140181101", source=service, stream_id=f"{kind}-0f3c", version=2, type=type_,
        occurred_at=datetime(2018, 2, 11, tzinfo=UTC), recorded_at=datetime(2018, 2, 11, tzinfo=UTC), actor="p-012",
        in_role="clerk@campaign_office", on_behalf_of=None, causation_id=UUID(int=2), correlation_id="c", traceparent=None,
        plan_version=None,
    )  # fmt: skip
    return read(write(header, data, prev=bytes(32), salt=bytes(16)))


def columns_of(statement: Any, names: set[str]) -> set[Column[Any]]:
    """Which columns an INSERT or UPDATE fills with one of these parameters."""
    values = statement._values or {name: bindparam(name) for name in names}
    return {
        statement.table.c[column if isinstance(column, str) else column.name]
        for column, value in values.items()
        if any(isinstance(part, BindParameter) and part.key in names for part in iterate(value))
    }


def takes(model: ReadModel, type_: str) -> bool:
    if CONTRACTS.types[type_] not in model.events:
        return False
    writes = [w for field in CORRECTED for w in _projected(model, opened(type_, field))]
    return PLANTED in json.dumps([params for _, params in writes], default=str, ensure_ascii=False)


def _projected(model: ReadModel, recorded: Recorded[Any]) -> list[Any]:
    try:
        return list(model.project(recorded))
    except KeyError:  # a field that this record has not
        return []


def test_the_read_models_that_take_a_text_of_the_office_are_these() -> None:
    found = {f"{name}.{m.name}" for name, card in CARDS.items() for m in card.models() for t in WORDED if takes(m, t)}
    assert found == {
        "intake.tip_line", "intake.patrol_line", "intake.patrol_finding", "intake.step", "intake.opening",
        "cases.site_line", "cases.hazard_page", "cases.hazard_source", "cases.hazard_timeline", "cases.opening",
        "reporting.report_step", "reporting.opening", "notify.opening",
    }  # fmt: skip


@pytest.mark.parametrize("service", CARDS)
def test_no_samples_are_kept_of_the_columns_that_take_one(service: str) -> None:
    filled: set[Column[Any]] = set()
    for model in CARDS[service].models():
        for type_ in (type_ for type_ in WORDED if CONTRACTS.types[type_] in model.events):
            for statement, params in (w for field in CORRECTED for w in _projected(model, opened(type_, field))):
                names = {n for n, v in params.items() if PLANTED in json.dumps(v, default=str, ensure_ascii=False)}
                if names:
                    filled |= (columns := columns_of(statement, names))
                    assert columns, (model.name, type_, names)
    assert filled
    assert {str(column) for column in filled if not isinstance(column.type, (Words, WordsWithin))} == set()


@pytest.mark.parametrize("service", CARDS)
def test_none_takes_a_text_of_another_services_record(service: str) -> None:
    """Or a service would have to build its read models anew for records that it has not."""
    others = [type_ for type_ in WORDED if not type_.startswith(f"{service}.")]
    assert [(m.name, t) for m in CARDS[service].models() for t in others if takes(m, t)] == []


@pytest.mark.parametrize("service", CARDS)
def test_every_service_hears_of_it_and_builds_them_anew(service: str) -> None:
    assert [m.events for m in CARDS[service].models() if m.name == "rebuilding"] == [(WordsErased,)]
    assert service == "intake" or WordsErased.type in CARDS[service].consumes()["intake"]


@pytest.mark.parametrize("type_", ["intake.words.erasure_requested.v1", "intake.words.erasure_refused.v1"])
def test_what_is_written_about_an_erasure_is_in_none(type_: str) -> None:
    assert [m.name for m in CARDS["intake"].models() if takes(m, type_)] == []


@pytest.mark.parametrize(
    "record, subject, built",
    [
        ("tip-1", "tip-1", 1),
        ("hazard-1", "hazard-1", 1),
        ("opening-1", "opening-1", 1),
        ("tip-1", "words-tip-1", 0),
        ("words-tip-1", "words-tip-1", 0),
        ("tip-1", "opening-1", 0),
    ],
)
def test_and_so_nothing_is_built_anew_for_it_nor_for_its_readings(record: str, subject: str, built: int) -> None:
    """Or each erasure, in whatever service, would build intake's read models anew."""
    (model,) = [m for m in CARDS["intake"].models() if m.name == "rebuilding"]
    gone = WordsErased(subject=subject, keys=())
    erased = replace(opened(WordsErased.type, ""), stream_id=f"words-{record}", event=gone)
    assert len(list(model.project(erased))) == built
