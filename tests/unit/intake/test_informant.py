"""An informant's data at its end: held or erased, and erased by two persons only."""

from typing import Any

import pytest

from services.intake.informant import (
    ApproveErasure,
    EraseInformant,
    ErasureAlreadyRequested,
    HoldInformant,
    InformantIsHeld,
    NobodyErasesByHand,
    NoErasureRequested,
    RefuseErasure,
    ReleaseInformant,
    RequestErasure,
)
from services.intake.rules import ActsForAnother, GroundsNeeded, SamePerson
from services.intake.rules import InformantErased as IsErased
from services.intake.tip import TIP
from services.intake.tip_commands import CloseTip, EnterTipInError, SupplementTip
from shared.contracts.intake.informant import (
    InformantErased,
    InformantErasureApproved,
    InformantErasureRefused,
    InformantErasureRequested,
    InformantHeld,
    InformantReleased,
)
from shared.contracts.intake.tip import TipClosed, TipEnteredInError, TipReceived
from shared.decider import Actor
from shared.errors import StreamNotFound
from shared.plan.terms import Terms
from tests.support.spec import given
from tests.unit.intake.world import NOW, PLAN, TERMS

T = "0f3c"
RECEIVED = TipReceived(
    channel="web", anonymous=False, live=False, informant="i-1", words="有人夜里挖煤", name="甲某", receipt_digest="d"
)


def by(person: str, **more: Any) -> Terms:
    return Terms(now=NOW, actor=Actor(person, "clerk", "campaign_office", **more), plan=PLAN)


CUSTODIAN, LEADER, ITSELF = by("p-custodian"), by("p-leader"), by("system:intake")
ASKED = InformantErasureRequested(
    informant="i-1", requested_by="p-custodian", ground="informant_wish", grounds="本人来信"
)
APPROVED = InformantErasureApproved(approved_by="p-leader")
ERASED = InformantErased(subject="i-1")
HELD = InformantHeld(informant="i-1", held_by="p-leader", reason="法院要用")
ASK = RequestErasure(tip=T, ground="informant_wish", grounds=" 本人来信 ")


def test_one_asks_a_second_approves_and_the_service_erases() -> None:
    given(TIP, RECEIVED).when(ASK, CUSTODIAN).then(ASKED)
    given(TIP, RECEIVED, ASKED).when(ApproveErasure(tip=T), LEADER).then(APPROVED)
    given(TIP, RECEIVED, ASKED, APPROVED).when(EraseInformant(tip=T), ITSELF).then(ERASED)


def test_nobody_approves_or_refuses_what_they_asked_for() -> None:
    given(TIP, RECEIVED, ASKED).when(ApproveErasure(tip=T), CUSTODIAN).refused(SamePerson)
    given(TIP, RECEIVED, ASKED).when(RefuseErasure(tip=T, reason="不"), CUSTODIAN).refused(SamePerson)


@pytest.mark.parametrize("command", [ASK, ApproveErasure(tip=T), HoldInformant(tip=T, reason="x")])
@pytest.mark.parametrize("who", [by("client:police"), by("p-2", on_behalf_of="p-leader", ground="absent"), ITSELF])
def test_nobody_acts_for_another_and_no_program_does(command: Any, who: Terms) -> None:
    given(TIP, RECEIVED, ASKED).when(command, who).refused(ActsForAnother)


def test_nobody_erases_by_hand_and_nothing_is_erased_without_approval() -> None:
    given(TIP, RECEIVED, ASKED, APPROVED).when(EraseInformant(tip=T), LEADER).refused(NobodyErasesByHand)
    given(TIP, RECEIVED, ASKED).when(EraseInformant(tip=T), ITSELF).refused(NoErasureRequested)
    given(TIP, RECEIVED).when(ApproveErasure(tip=T), LEADER).refused(NoErasureRequested)


def test_done_again_it_changes_nothing() -> None:
    given(TIP, RECEIVED, ASKED, APPROVED).when(ApproveErasure(tip=T), by("p-3")).changes_nothing()
    given(TIP, RECEIVED, ASKED, APPROVED, ERASED).when(EraseInformant(tip=T), ITSELF).changes_nothing()


def test_a_refused_erasure_may_be_asked_for_anew_by_whoever() -> None:
    refused = InformantErasureRefused(informant="i-1", refused_by="p-leader", reason="案件未结")
    given(TIP, RECEIVED, ASKED).when(RefuseErasure(tip=T, reason="案件未结"), LEADER).then(refused)
    given(TIP, RECEIVED, ASKED, refused).when(ApproveErasure(tip=T), LEADER).refused(NoErasureRequested)
    again = ASKED.model_copy(update={"requested_by": "p-leader"})
    given(TIP, RECEIVED, ASKED, refused).when(ASK, LEADER).then(again)
    given(TIP, RECEIVED, ASKED, refused, again).when(ApproveErasure(tip=T), CUSTODIAN).then(
        InformantErasureApproved(approved_by="p-custodian")
    )


def test_one_request_at_a_time_and_with_grounds() -> None:
    given(TIP, RECEIVED, ASKED).when(ASK, by("p-3")).refused(ErasureAlreadyRequested)
    given(TIP, RECEIVED).when(ASK.model_copy(update={"grounds": " "}), CUSTODIAN).refused(GroundsNeeded)
    given(TIP).when(ASK, CUSTODIAN).refused(StreamNotFound)


def test_while_held_nothing_is_asked_for_or_approved() -> None:
    given(TIP, RECEIVED).when(HoldInformant(tip=T, reason="法院要用"), LEADER).then(HELD)
    given(TIP, RECEIVED, HELD).when(HoldInformant(tip=T, reason="再次"), LEADER).changes_nothing()
    given(TIP, RECEIVED, HELD).when(ASK, CUSTODIAN).refused(InformantIsHeld)
    given(TIP, RECEIVED, ASKED, HELD).when(ApproveErasure(tip=T), LEADER).refused(InformantIsHeld)
    released = InformantReleased(informant="i-1", released_by="p-leader", reason="已结")
    given(TIP, RECEIVED, ASKED, HELD).when(ReleaseInformant(tip=T, reason="已结"), LEADER).then(released)
    given(TIP, RECEIVED, ASKED, HELD, released).when(ApproveErasure(tip=T), LEADER).then(APPROVED)
    given(TIP, RECEIVED).when(ReleaseInformant(tip=T, reason="已结"), LEADER).changes_nothing()


@pytest.mark.parametrize("history", [(ASKED, APPROVED), (ASKED, APPROVED, ERASED)])
def test_from_the_approval_on_nothing_is_written_about_the_informant(history: tuple[Any, ...]) -> None:
    """Or a text would be sealed with a key that is being destroyed."""
    gone = given(TIP, RECEIVED, *history)
    gone.when(SupplementTip(tip=T, words="还有"), TERMS).refused(IsErased)
    gone.when(ASK, CUSTODIAN).refused(IsErased)
    gone.when(HoldInformant(tip=T, reason="x"), LEADER).refused(IsErased)
    gone.when(RefuseErasure(tip=T, reason="x"), LEADER).refused(IsErased)


def test_the_offices_own_record_of_the_tip_goes_on() -> None:
    gone = given(TIP, RECEIVED, ASKED, APPROVED, ERASED)
    gone.when(CloseTip(tip=T, reason="duplicate"), TERMS).then(TipClosed(reason="duplicate"))


def test_a_tip_entered_by_mistake_can_be_erased_too() -> None:
    void = TipEnteredInError(reason="重复")
    given(TIP, RECEIVED).when(EnterTipInError(tip=T, reason="重复"), TERMS).then(void)
    given(TIP, RECEIVED, void).when(ASK, CUSTODIAN).then(ASKED)
