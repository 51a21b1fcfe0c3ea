"""Opening an informant's identity: three persons, one opening, a limited time; and every try on record."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.disclosure import (
    DISCLOSURE,
    ApproveDisclosure,
    CloseDisclosure,
    DisclosureDecided,
    IdentityNotErased,
    OpenDisclosure,
    RefuseDisclosure,
    RequestDisclosure,
    TipIsAnonymous,
)
from services.intake.rules import ActsForAnother, GroundsNeeded, InformantErased, PlanGivesNoTerm, SamePerson
from shared.contracts.intake.disclosure import (
    DisclosureApproved,
    DisclosureClosed,
    DisclosureOpened,
    DisclosureOpeningFailed,
    DisclosureOpeningRefused,
    DisclosureRefused,
    DisclosureRequested,
)
from shared.decider import Actor
from shared.errors import NoPlanInForce, StreamExists, StreamNotFound
from shared.plan.terms import PlanTerms, Terms
from tests.support.spec import given
from tests.unit.intake.world import NOW, PLAN

D, T = "d-1", "0f3c"
UNTIL = PLAN.due("disclosure_opening", NOW)


def by(person: str, post: str = "deputy_leader", **more: Any) -> Terms:
    return Terms(now=NOW, actor=Actor(person, post, "leading_group", **more), plan=PLAN)


POLICE, LEADER, CUSTODIAN = by("p-police", "police_officer"), by("p-leader"), by("p-custodian", "custodian")
REQUESTED = DisclosureRequested(
    tip=f"tip-{T}", informant="i-1", requested_by="p-police", ground="investigation", grounds="办案需要找他核对时间"
)
APPROVED = DisclosureApproved(approved_by="p-leader", open_until=UNTIL)
OPENED = DisclosureOpened(opened_by="p-custodian", ground="investigation")


def asks(**changes: Any) -> RequestDisclosure:
    facts: dict[str, Any] = {"informant": "i-1", "named": True, "erased": False, "ground": "investigation"}
    return RequestDisclosure(disclosure=D, tip=T, **(facts | {"grounds": " 办案需要找他核对时间 "} | changes))


# ------------------------------------------------------------------------------------------------ asking, deciding


def test_a_request_names_the_tip_the_ground_and_who_asks() -> None:
    given(DISCLOSURE).when(asks(), POLICE).then(REQUESTED)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [({"grounds": " "}, GroundsNeeded), ({"named": False}, TipIsAnonymous), ({"erased": True}, InformantErased)],
)
def test_a_request_needs_grounds_and_an_identity_that_is_there(changes: dict[str, Any], rule: Any) -> None:
    given(DISCLOSURE).when(asks(**changes), POLICE).refused(rule)


def test_a_request_is_made_once() -> None:
    given(DISCLOSURE, REQUESTED).when(asks(), POLICE).refused(StreamExists)


@pytest.mark.parametrize("who", [by("client:police"), by("p-2", on_behalf_of="p-police", ground="absent")])
def test_nobody_asks_or_decides_for_another_and_no_program_does(who: Terms) -> None:
    given(DISCLOSURE).when(asks(), who).refused(ActsForAnother)
    given(DISCLOSURE, REQUESTED).when(ApproveDisclosure(disclosure=D, erased=False), who).refused(ActsForAnother)


def test_a_second_person_approves_for_the_plans_term() -> None:
    given(DISCLOSURE, REQUESTED).when(ApproveDisclosure(disclosure=D, erased=False), LEADER).then(APPROVED)


@pytest.mark.parametrize("post", ["deputy_leader", "group_leader", "police_officer"])
def test_nobody_decides_on_their_own_request_whatever_post_they_hold(post: str) -> None:
    history = given(DISCLOSURE, REQUESTED)
    history.when(ApproveDisclosure(disclosure=D, erased=False), by("p-police", post)).refused(SamePerson)
    history.when(RefuseDisclosure(disclosure=D, reason="不必"), by("p-police", post)).refused(SamePerson)


def test_a_refusal_gives_its_reason_and_ends_the_request() -> None:
    refused = DisclosureRefused(informant="i-1", refused_by="p-leader", reason="不必")
    given(DISCLOSURE, REQUESTED).when(RefuseDisclosure(disclosure=D, reason="不必"), LEADER).then(refused)
    given(DISCLOSURE, REQUESTED).when(RefuseDisclosure(disclosure=D, reason=""), LEADER).refused(GroundsNeeded)
    given(DISCLOSURE, REQUESTED, refused).when(ApproveDisclosure(disclosure=D, erased=False), by("p-3")).refused(
        DisclosureDecided
    )
    given(DISCLOSURE, REQUESTED, refused).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(
        DisclosureOpeningRefused(tried_by="p-custodian", why="refused")
    )


def test_an_approval_sent_again_changes_nothing_and_makes_no_more_time() -> None:
    later = replace(LEADER, now=NOW + timedelta(hours=20))
    given(DISCLOSURE, REQUESTED, APPROVED).when(ApproveDisclosure(disclosure=D, erased=False), later).changes_nothing()
    given(DISCLOSURE, REQUESTED, APPROVED).when(ApproveDisclosure(disclosure=D, erased=False), by("p-3")).refused(
        DisclosureDecided
    )
    given(DISCLOSURE, REQUESTED, APPROVED, OPENED).when(ApproveDisclosure(disclosure=D, erased=False), later).refused(
        DisclosureDecided
    )


def test_without_a_term_in_the_plan_nothing_is_approved() -> None:
    bare = PLAN.plan.model_copy(update={"rules": tuple(r for r in PLAN.plan.rules if r.code != "disclosure_opening")})
    for plan, rule in ((PlanTerms(bare, "x@1"), PlanGivesNoTerm), (None, NoPlanInForce)):
        given(DISCLOSURE, REQUESTED).when(
            ApproveDisclosure(disclosure=D, erased=False), replace(LEADER, plan=plan)
        ).refused(rule)


CLOSED = DisclosureClosed(closed_by="system:intake", why="erased")


def closes(erased: bool = True) -> CloseDisclosure:
    return CloseDisclosure(disclosure=D, erased=erased)


def test_an_erasure_closes_what_nobody_has_decided_and_so_does_a_person_afterwards() -> None:
    given(DISCLOSURE, REQUESTED).when(closes(), by("system:intake", "system")).then(CLOSED)
    found_later = DisclosureClosed(closed_by="p-leader", why="erased")
    given(DISCLOSURE, REQUESTED).when(closes(), LEADER).then(found_later)
    given(DISCLOSURE, REQUESTED, CLOSED).when(closes(), LEADER).changes_nothing()
    for program in (by("client:police"), by("system:cases"), by("p-2", on_behalf_of="p-leader", ground="absent")):
        given(DISCLOSURE, REQUESTED).when(closes(), program).refused(ActsForAnother)


def test_a_request_is_not_closed_while_there_is_an_identity_nor_once_it_is_decided() -> None:
    given(DISCLOSURE, REQUESTED).when(closes(erased=False), LEADER).refused(IdentityNotErased)
    given(DISCLOSURE, REQUESTED, APPROVED).when(closes(), LEADER).refused(DisclosureDecided)
    given(DISCLOSURE).when(closes(), LEADER).refused(StreamNotFound)


def test_an_erasure_leaves_alone_what_was_decided_while_it_looked() -> None:
    """It cannot be held up for it: the keys are gone already."""
    itself, refused = (
        by("system:intake", "system"),
        DisclosureRefused(informant=REQUESTED.informant, refused_by="p-leader", reason="可以不问本人"),
    )
    for decided in (APPROVED, refused):
        given(DISCLOSURE, REQUESTED, decided).when(closes(), itself).changes_nothing()
    given(DISCLOSURE, REQUESTED, APPROVED, OPENED).when(closes(), itself).changes_nothing()


def test_what_is_erased_is_not_approved_and_what_is_closed_stays_so() -> None:
    given(DISCLOSURE, REQUESTED).when(ApproveDisclosure(disclosure=D, erased=True), LEADER).refused(InformantErased)
    for late in (ApproveDisclosure(disclosure=D, erased=True), RefuseDisclosure(disclosure=D, reason="已删除，不必了")):
        given(DISCLOSURE, REQUESTED, CLOSED).when(late, LEADER).refused(DisclosureDecided)
    tried = DisclosureOpeningRefused(tried_by="p-custodian", why="closed")
    given(DISCLOSURE, REQUESTED, CLOSED).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(tried)


# ------------------------------------------------------------------------------------------------ opening


def test_the_custodian_opens_what_was_approved_once() -> None:
    given(DISCLOSURE, REQUESTED, APPROVED).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(OPENED)
    again = given(DISCLOSURE, REQUESTED, APPROVED, OPENED).when(OpenDisclosure(disclosure=D), CUSTODIAN)
    again.then(DisclosureOpeningRefused(tried_by="p-custodian", why="opened_already"))


@pytest.mark.parametrize(
    ("who", "why"),
    [
        (by("p-leader"), "wrong_post"),
        (by("p-police", "custodian"), "same_person"),
        (by("p-leader", "custodian"), "same_person"),
        (by("p-2", "custodian", on_behalf_of="p-custodian", ground="absent"), "not_in_person"),
        (by("client:x", "custodian"), "not_in_person"),
        (replace(CUSTODIAN, now=UNTIL), "expired"),
    ],
)
def test_whoever_may_not_open_leaves_a_record_and_the_approval_stays(who: Terms, why: str) -> None:
    tried = DisclosureOpeningRefused(tried_by=who.actor.person, why=why)
    given(DISCLOSURE, REQUESTED, APPROVED).when(OpenDisclosure(disclosure=D), who).then(tried)
    given(DISCLOSURE, REQUESTED, APPROVED, tried).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(OPENED)


def test_the_last_moment_of_the_term_is_in_time() -> None:
    last = replace(CUSTODIAN, now=UNTIL - timedelta(microseconds=1))
    given(DISCLOSURE, REQUESTED, APPROVED).when(OpenDisclosure(disclosure=D), last).then(OPENED)


def test_before_the_approval_a_try_is_on_record_and_opens_nothing() -> None:
    tried = DisclosureOpeningRefused(tried_by="p-custodian", why="not_approved")
    given(DISCLOSURE, REQUESTED).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(tried)
    given(DISCLOSURE).when(OpenDisclosure(disclosure=D), CUSTODIAN).refused(StreamNotFound)


def test_what_could_not_be_read_is_a_failed_try_and_may_be_tried_again() -> None:
    failed = DisclosureOpeningFailed(tried_by="p-custodian", why="keys_away")
    given(DISCLOSURE, REQUESTED, APPROVED).when(OpenDisclosure(disclosure=D, trouble="keys_away"), CUSTODIAN).then(
        failed
    )
    given(DISCLOSURE, REQUESTED, APPROVED, failed).when(OpenDisclosure(disclosure=D), CUSTODIAN).then(OPENED)
