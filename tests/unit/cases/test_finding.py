"""What becomes of a finding, by what is known of its place."""

from datetime import timedelta

from services.cases import hazard_commands as ask
from services.cases.finding import Earlier, commands_for
from shared.contracts.cases.hazard import Source
from tests.unit.cases.people import NOON, VILLAGE

FOUND = ask.ListHazard(
    hazard="new",
    hazard_no=9,
    category="closed_mine",
    village=VILLAGE,
    violation="unlicensed_digging",
    live=True,
    source=Source(kind="patrol", ref="patrol-1", finding=1),
    summary="新开口子",
    discovered_at=NOON,
)
BEFORE, AFTER = NOON - timedelta(days=1), NOON + timedelta(days=1)


def attached(to: str, while_open: bool) -> ask.AttachFinding:
    return ask.AttachFinding(hazard=to, source=FOUND.source, live=True, summary="新开口子", while_open=while_open)


def test_where_nothing_is_known_it_is_a_new_hazard() -> None:
    assert commands_for(FOUND, []) == [FOUND]


def test_it_joins_the_open_hazard() -> None:
    assert commands_for(FOUND, [Earlier("open"), Earlier("old", BEFORE)]) == [attached("open", while_open=True)]


def test_the_first_open_one_is_the_nearest_in_kind() -> None:
    assert commands_for(FOUND, [Earlier("site"), Earlier("near")]) == [attached("site", while_open=True)]


def test_after_the_close_out_it_is_a_recurrence_of_what_closed_last() -> None:
    recurrence = FOUND.model_copy(update={"recurrence_of": "hazard-b"})
    link = ask.RecordRecurrence(hazard="b", recurred_as="hazard-new", discovered_at=NOON)
    older = Earlier("a", BEFORE - timedelta(days=5))
    assert commands_for(FOUND, [older, Earlier("b", BEFORE)]) == [recurrence, link]


def test_what_has_come_back_already_does_not_come_back_again() -> None:
    assert commands_for(FOUND, [Earlier("a", BEFORE, recurred=True)]) == [FOUND]


def test_what_was_found_before_the_close_out_belongs_to_what_closed_then() -> None:
    """Even when the hazard has come back since, and to the one that closed first after the find."""
    known = [Earlier("now"), Earlier("second", AFTER + timedelta(days=9), True), Earlier("first", AFTER, True)]
    assert commands_for(FOUND, known) == [attached("first", while_open=False)]
