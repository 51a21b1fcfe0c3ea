"""What an informant said, and what was written about them, is in no read model: an erasure has nothing to clear there."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from services.cases.main import describe as cases
from services.intake.main import describe as intake
from services.notify.main import describe as notify
from services.reporting.main import describe as reporting
from shared.contracts.envelope import Header, Recorded, read, write
from shared.contracts.event import Event, SealedBy
from shared.contracts.registry import CONTRACTS
from shared.read_model import ReadModel
from tests.contracts.test_golden import sample

PLANTED = "甲某说的原话"
THEIRS = {
    type_: fields
    for type_, event in CONTRACTS.types.items()
    if (fields := [f for f, m in event.text_fields() if isinstance(m, SealedBy) and m.by == "informant"])
}
"""Type -> its fields that are sealed with an informant's own key."""
CARDS = {card.name: card for card in (intake(), cases(), reporting(), notify())}


def opened(type_: str) -> Recorded[Event]:
    """The event with every text that is sealed with an informant's key as a reader with all keys would have it."""
    header = Header(
        event_id=UUID(int=1), jurisdiction="140181101", source="intake", stream_id=f"{type_.split('.')[1]}-0f3c", version=2,
        type=type_, occurred_at=datetime(2018, 2, 11, tzinfo=UTC), recorded_at=datetime(2018, 2, 11, tzinfo=UTC),
        actor="p-012", in_role="clerk@campaign_office", on_behalf_of=None, causation_id=UUID(int=2), correlation_id="c",
        traceparent=None, plan_version=None,
    )  # fmt: skip
    recorded = read(write(header, sample(CONTRACTS.types[type_]), prev=bytes(32), salt=bytes(16)))
    return replace(recorded, event=recorded.event.model_copy(update=dict.fromkeys(THEIRS[type_], PLANTED)))


def written(model: ReadModel, recorded: Recorded[Any]) -> str:
    if not isinstance(recorded.event, model.events):
        return ""
    return "".join(json.dumps(params, default=str, ensure_ascii=False) for _, params in model.project(recorded))


def test_the_informants_texts_are_their_words_their_identity_and_what_is_written_about_them() -> None:
    assert {type_.removeprefix("intake."): fields for type_, fields in THEIRS.items()} == {
        "tip.received.v1": ["words", "name", "contact"],
        "tip.supplemented.v1": ["words"],
        "informant.held.v1": ["reason"],
        "informant.released.v1": ["reason"],
        "informant.erasure_requested.v1": ["grounds"],
        "informant.erasure_refused.v1": ["reason"],
        "disclosure.requested.v1": ["grounds"],
        "disclosure.refused.v1": ["reason"],
    }


@pytest.mark.parametrize("type_", sorted(THEIRS))
@pytest.mark.parametrize("service", CARDS)
def test_no_read_model_takes_a_text_of_an_informant(service: str, type_: str) -> None:
    recorded = opened(type_)
    for model in CARDS[service].models():
        assert PLANTED not in written(model, recorded), model.name


def test_the_look_would_find_one() -> None:
    """The steps of a tip are told in a read model, and a text of the office stands there."""
    [steps] = [model for model in CARDS["intake"].models() if model.name == "step"]
    recorded = opened("intake.tip.received.v1")
    noted = CONTRACTS.read("intake.tip.closed.v1", {"reason": "duplicate", "note": PLANTED})
    assert PLANTED in written(steps, replace(recorded, event=noted, type="intake.tip.closed.v1"))
