"""The office's own words in one record: asked for with grounds, approved by a second person, erased by the service."""

from typing import Any

import pytest

from services.intake.informant import ErasureAlreadyRequested, InformantIsHeld, NobodyErasesByHand, NoErasureRequested
from services.intake.rules import ActsForAnother, GroundsNeeded, SamePerson
from services.intake.wording import (
    WORDED,
    WORDING,
    ApproveWordsErasure,
    EraseWords,
    RecordHasNoWords,
    RefuseWordsErasure,
    RequestWordsErased,
    WordsBeingErased,
)
from shared.contracts.intake.words import (
    WordsErased,
    WordsErasureApproved,
    WordsErasureRefused,
    WordsErasureRequested,
)
from shared.decider import Actor
from shared.plan.terms import Terms
from tests.support.spec import given
from tests.unit.intake.world import NOW, PLAN

R = "hazard-0f3c"


def by(person: str, **more: Any) -> Terms:
    return Terms(now=NOW, actor=Actor(person, "clerk", "campaign_office", **more), plan=PLAN)


CLERK, LEADER, ITSELF = by("p-clerk"), by("p-leader"), by("system:intake")
ASK = RequestWordsErased(record=R, ground="names_informant", grounds=" 摘要写了姓名 ", known=True, held=False)
APPROVE, REFUSE = ApproveWordsErasure(record=R, held=False), RefuseWordsErasure(record=R, reason=" 没有写姓名 ")
ERASE = EraseWords(record=R, keys={R: ("k-1", "k-2"), f"words-{R}": ("k-3",)})
GROUNDS_GO = EraseWords(record=R, keys={f"words-{R}": ("k-3",)})
ASKED = WordsErasureRequested(record=R, requested_by="p-clerk", ground="names_informant", grounds="摘要写了姓名")
APPROVED = WordsErasureApproved(approved_by="p-leader")
ERASED = WordsErased(subject=R, keys=("k-1", "k-2")), WordsErased(subject=f"words-{R}", keys=("k-3",))


def changed(command: Any, **to: Any) -> Any:
    return command.model_copy(update=to)


def test_one_asks_a_second_approves_and_the_service_erases_what_was_asked_with_it() -> None:
    given(WORDING).when(ASK, CLERK).then(ASKED)
    given(WORDING, ASKED).when(APPROVE, LEADER).then(APPROVED)
    given(WORDING, ASKED, APPROVED).when(ERASE, ITSELF).then(*ERASED)


def test_nobody_approves_or_refuses_what_they_asked_for() -> None:
    given(WORDING, ASKED).when(APPROVE, CLERK).refused(SamePerson)
    given(WORDING, ASKED).when(REFUSE, CLERK).refused(SamePerson)


@pytest.mark.parametrize("command", [ASK, APPROVE, REFUSE])
@pytest.mark.parametrize("who", [by("client:police"), by("p-2", on_behalf_of="p-leader", ground="absent"), ITSELF])
def test_nobody_acts_for_another_and_no_program_does(command: Any, who: Terms) -> None:
    given(WORDING, ASKED).when(command, who).refused(ActsForAnother)


def test_nobody_erases_by_hand_and_nothing_is_erased_without_approval() -> None:
    given(WORDING, ASKED, APPROVED).when(ERASE, LEADER).refused(NobodyErasesByHand)
    for history in ((), (ASKED,), (ASKED, APPROVED, *ERASED)):
        given(WORDING, *history).when(ERASE, ITSELF).refused(NoErasureRequested)
    for command in (APPROVE, REFUSE):
        given(WORDING).when(command, LEADER).refused(NoErasureRequested)


def test_an_informants_erasure_takes_what_was_written_and_ends_a_request_that_waited_but_none_that_was_approved() -> (
    None
):
    refused, gone = WordsErasureRefused(refused_by="p-leader", reason="没有写姓名"), ERASED[1]
    given(WORDING, ASKED).when(GROUNDS_GO, LEADER).refused(NobodyErasesByHand)
    for history in ((ASKED,), (ASKED, refused), (ASKED, APPROVED)):
        given(WORDING, *history).when(GROUNDS_GO, ITSELF).then(gone)
    given(WORDING, ASKED, gone).when(APPROVE, LEADER).refused(NoErasureRequested)
    given(WORDING, ASKED, gone).when(ASK, CLERK).then(ASKED)
    given(WORDING, ASKED, APPROVED, gone).when(ERASE, ITSELF).then(*ERASED)


def test_once_approved_it_is_done_whatever_is_said() -> None:
    under_way = given(WORDING, ASKED, APPROVED)
    under_way.when(APPROVE, by("p-3")).changes_nothing()
    under_way.when(ASK, by("p-3")).refused(WordsBeingErased)
    under_way.when(REFUSE, by("p-3")).refused(WordsBeingErased)


def test_a_refusal_gives_its_reason_and_it_may_be_asked_for_anew() -> None:
    refused = WordsErasureRefused(refused_by="p-leader", reason="没有写姓名")
    given(WORDING, ASKED).when(REFUSE, LEADER).then(refused)
    given(WORDING, ASKED).when(changed(REFUSE, reason=" "), LEADER).refused(GroundsNeeded)
    given(WORDING, ASKED, refused).when(APPROVE, by("p-3")).refused(NoErasureRequested)
    given(WORDING, ASKED, refused).when(ASK, CLERK).then(ASKED)


def test_a_record_that_went_on_can_be_erased_once_more() -> None:
    given(WORDING, ASKED, APPROVED, *ERASED).when(ASK, CLERK).then(ASKED)
    given(WORDING, ASKED, APPROVED, *ERASED, ASKED).when(APPROVE, LEADER).then(APPROVED)


def test_one_request_at_a_time_and_with_grounds() -> None:
    given(WORDING, ASKED).when(ASK, LEADER).refused(ErasureAlreadyRequested)
    given(WORDING).when(changed(ASK, grounds=" "), CLERK).refused(GroundsNeeded)


def test_while_an_informant_is_held_nothing_is_asked_for_or_approved() -> None:
    given(WORDING).when(changed(ASK, held=True), CLERK).refused(InformantIsHeld)
    given(WORDING, ASKED).when(changed(APPROVE, held=True), LEADER).refused(InformantIsHeld)


@pytest.mark.parametrize("record", ["tip-1", "patrol-1", "site-1", "message-1", "weekly_report-p-u-01", f"words-{R}"])
def test_any_record_in_which_the_office_writes_can_be_asked_for(record: str) -> None:
    asked = changed(ASKED, record=record)
    given(WORDING).when(changed(ASK, record=record), CLERK).then(asked)


@pytest.mark.parametrize("record", ["campaign-2018", "disclosure-1", "hazard", "hazard-", "keys-1", "x"])
def test_a_record_in_which_no_word_of_the_office_can_stand_is_refused(record: str) -> None:
    """A campaign's texts are sealed by persons, a disclosure's by informants."""
    given(WORDING).when(changed(ASK, record=record), CLERK).refused(RecordHasNoWords)


def test_a_record_whose_request_would_have_too_long_an_id_is_refused() -> None:
    longest = f"site-{117 * 'x'}"
    given(WORDING).when(changed(ASK, record=longest), CLERK).then(changed(ASKED, record=longest))
    assert WordsErased(subject=f"words-{longest}", keys=())
    given(WORDING).when(changed(ASK, record=f"{longest}x"), CLERK).refused(RecordHasNoWords)


def test_a_record_that_is_not_there_is_refused() -> None:
    given(WORDING).when(changed(ASK, known=False), CLERK).refused(RecordHasNoWords)


def test_the_kinds_of_records_are_those_whose_contracts_say_so() -> None:
    assert {"tip", "patrol", "words", "opening", "hazard", "site", "weekly_report", "message"} == WORDED
