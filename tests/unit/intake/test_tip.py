"""The rules of a tip."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from services.intake.rules import (
    CorrectionDoesNotFit,
    CorrectionNeedsReason,
    FieldNotCorrectable,
    UnknownAuthority,
    UnknownCategory,
    UnknownChannel,
    UnknownVillage,
)
from services.intake.tip import (
    TIP,
    AnonymousTipHasName,
    ForwardNeedsOutOfArea,
    NamedTipNeedsName,
    OutOfAreaTipNeedsForward,
    ScreeningNeedsSummary,
    SubstantiatedTipHasHazard,
    SubstantiatedTipNeedsFacts,
    TipAlreadyForwarded,
    TipAlreadyScreened,
    TipAlreadyVerified,
    TipIsClosed,
    TipIsVoid,
    TipNeedsWords,
    TipNotScreened,
)
from services.intake.tip_commands import (
    CloseTip,
    CorrectTip,
    EnterTipInError,
    ForwardTip,
    MarkLive,
    ReceiveTip,
    ScreenTip,
    SupplementTip,
    VerifyTip,
)
from shared.contracts.intake.tip import (
    TipClosed,
    TipCorrected,
    TipEnteredInError,
    TipForwarded,
    TipMarkedLive,
    TipReceived,
    TipScreened,
    TipSupplemented,
    TipVerified,
)
from shared.contracts.parts import Place, Value
from shared.errors import NoPlanInForce, StreamExists, StreamNotFound
from shared.plan.terms import RuleNotInForce
from tests.support.spec import given
from tests.unit.intake.world import NO_PLAN, NOW, OTHER_VILLAGE, PLAN, TERMS, VILLAGE

T = "0f3c"
PLACE = Place(lat_e7=378_000_000, lon_e7=1_123_000_000)
VERIFY_BY = PLAN.due("verification_deadline", NOW)


def receive(**changed: Any) -> ReceiveTip:
    words = {"tip": T, "channel": "web", "informant": "i-1", "words": "夜里有车拉煤", "receipt_digest": "ab12"}
    return ReceiveTip(**{**words, **changed})


def received(**changed: Any) -> TipReceived:
    facts = {"channel": "web", "anonymous": True, "live": False, "informant": "i-1", "words": "夜里有车拉煤"}
    return TipReceived(**{**facts, "receipt_digest": "ab12", **changed})


SCREENED = TipScreened(outcome="to_verify", verify_by=VERIFY_BY, village=VILLAGE, summary="某沟夜间拉煤")
OUT_OF_AREA = TipVerified(result="out_of_area", village=VILLAGE)
SUBSTANTIATED = TipVerified(
    result="substantiated", village=VILLAGE, category="abandoned_shaft", violation="unlicensed_digging", summary="属实"
)


def verify(result: str = "substantiated", **changed: Any) -> VerifyTip:
    facts = {"category": "abandoned_shaft", "violation": "unlicensed_digging", "village": VILLAGE, "summary": "属实"}
    return VerifyTip(**{"tip": T, "result": result, **facts, **changed})


def test_an_anonymous_tip_is_received_with_its_words_and_the_digest_of_its_receipt() -> None:
    given(TIP).when(receive(village=VILLAGE, place=PLACE), TERMS).then(received(village=VILLAGE, place=PLACE))


def test_a_named_tip_keeps_name_and_contact() -> None:
    named = {"anonymous": False, "name": "甲某", "contact": "13000000000"}
    given(TIP).when(receive(channel="hotline", **named), TERMS).then(received(channel="hotline", **named))


@pytest.mark.parametrize("identity", [{"name": "甲某"}, {"contact": "13000000000"}])
def test_an_anonymous_tip_with_a_name_or_contact_is_refused(identity: dict[str, str]) -> None:
    given(TIP).when(receive(**identity), TERMS).refused(AnonymousTipHasName)


def test_a_named_tip_without_name_and_contact_is_refused() -> None:
    given(TIP).when(receive(anonymous=False), TERMS).refused(NamedTipNeedsName)


def test_a_tip_without_words_is_refused() -> None:
    given(TIP).when(receive(words=" \n"), TERMS).refused(TipNeedsWords)


def test_a_tip_by_an_unpublished_channel_is_refused() -> None:
    given(TIP).when(receive(channel="pigeon"), TERMS).refused(UnknownChannel)


def test_a_tip_about_an_unknown_village_is_refused() -> None:
    given(TIP).when(receive(village="999999999999"), TERMS).refused(UnknownVillage)


def test_no_tip_is_received_before_a_plan_is_in_force() -> None:
    given(TIP).when(receive(), NO_PLAN).refused(NoPlanInForce)


def test_a_tip_is_received_once() -> None:
    given(TIP, received()).when(receive(), TERMS).refused(StreamExists)


@pytest.mark.parametrize(
    "command",
    [
        SupplementTip(tip=T, words="还有"),
        MarkLive(tip=T),
        ScreenTip(tip=T, outcome="no_content"),
        verify(),
        ForwardTip(tip=T, to="county_police"),
        CloseTip(tip=T, reason="duplicate"),
        CorrectTip(tip=T, field="village", value=Value(code=VILLAGE), reason="抄错"),
        EnterTipInError(tip=T, reason="重复录入"),
    ],
)
def test_nothing_is_done_to_a_tip_that_is_not_there(command: Any) -> None:
    given(TIP).when(command, TERMS).refused(StreamNotFound)


def test_the_informant_adds_words_under_the_same_key() -> None:
    more = TipSupplemented(informant="i-1", words="车是蓝色的")
    given(TIP, received()).when(SupplementTip(tip=T, words=" 车是蓝色的 "), TERMS).then(more)


def test_a_supplement_without_words_is_refused() -> None:
    given(TIP, received()).when(SupplementTip(tip=T, words=""), TERMS).refused(TipNeedsWords)


def test_words_may_be_added_after_the_tip_is_closed() -> None:
    more = TipSupplemented(informant="i-1", words="又来了")
    given(TIP, received(), TipClosed(reason="unsubstantiated")).when(SupplementTip(tip=T, words="又来了"), TERMS).then(
        more
    )


def test_a_tip_is_marked_live_once() -> None:
    given(TIP, received(village=VILLAGE)).when(MarkLive(tip=T), TERMS).then(TipMarkedLive(village=VILLAGE))
    given(TIP, received(), TipMarkedLive()).when(MarkLive(tip=T), TERMS).changes_nothing()
    given(TIP, received(live=True)).when(MarkLive(tip=T), TERMS).changes_nothing()


def test_a_closed_tip_is_not_marked_live() -> None:
    given(TIP, received(), TipClosed(reason="duplicate")).when(MarkLive(tip=T), TERMS).refused(TipIsClosed)


def test_screening_sets_the_deadline_for_verification_from_the_plan() -> None:
    command = ScreenTip(tip=T, outcome="to_verify", village=VILLAGE, summary="某沟夜间拉煤")
    given(TIP, received()).when(command, TERMS).then(SCREENED)


def test_screening_for_verification_needs_a_cleaned_summary() -> None:
    given(TIP, received()).when(ScreenTip(tip=T, outcome="to_verify"), TERMS).refused(ScreeningNeedsSummary)


def test_before_the_plans_term_holds_screening_is_refused_and_the_rule_is_named() -> None:
    """The plan is adopted days before its campaign begins."""
    early = replace(TERMS, now=PLAN.starts_at - timedelta(seconds=1))
    command = ScreenTip(tip=T, outcome="to_verify", village=VILLAGE, summary="某沟夜间拉煤")
    refusal = given(TIP, received()).when(command, early).refused(RuleNotInForce)
    assert refusal.facts == {"rule": "verification_deadline", "on": "2018-01-15", "plan": PLAN.version}


def test_a_tip_without_content_is_closed_by_its_screening() -> None:
    given(TIP, received()).when(ScreenTip(tip=T, outcome="no_content"), TERMS).then(
        TipScreened(outcome="no_content"), TipClosed(reason="no_content")
    )


def test_a_tip_is_screened_once() -> None:
    again = ScreenTip(tip=T, outcome="to_verify", summary="某沟")
    given(TIP, received(), SCREENED).when(again, TERMS).changes_nothing()
    given(TIP, received(), SCREENED).when(ScreenTip(tip=T, outcome="no_content"), TERMS).refused(TipAlreadyScreened)


def test_screening_names_only_villages_of_the_plan() -> None:
    command = ScreenTip(tip=T, outcome="to_verify", village="999999999999", summary="某沟")
    given(TIP, received()).when(command, TERMS).refused(UnknownVillage)


def test_a_screened_tip_is_verified() -> None:
    given(TIP, received(), SCREENED).when(verify(place=PLACE), TERMS).then(
        SUBSTANTIATED.model_copy(update={"place": PLACE})
    )


def test_a_tip_is_not_verified_before_screening_unless_it_is_live() -> None:
    given(TIP, received()).when(verify(), TERMS).refused(TipNotScreened)
    given(TIP, received(live=True)).when(verify(), TERMS).then(SUBSTANTIATED)
    given(TIP, received(), TipMarkedLive()).when(verify(), TERMS).then(SUBSTANTIATED)


@pytest.mark.parametrize("missing", ["category", "violation", "summary"])
def test_a_substantiated_tip_says_what_where_and_in_words(missing: str) -> None:
    refusal = (
        given(TIP, received(), SCREENED).when(verify(**{missing: None}), TERMS).refused(SubstantiatedTipNeedsFacts)
    )
    assert refusal.facts == {"missing": missing}


def test_a_substantiated_tip_takes_the_village_known_before() -> None:
    given(TIP, received(), SCREENED).when(verify(village=None), TERMS).then(SUBSTANTIATED)
    given(TIP, received(live=True)).when(verify(village=None), TERMS).refused(SubstantiatedTipNeedsFacts)


def test_verification_uses_only_codes_of_the_plan() -> None:
    given(TIP, received(), SCREENED).when(verify(category="castle"), TERMS).refused(UnknownCategory)


@pytest.mark.parametrize("result", ["unsubstantiated", "insufficient"])
def test_a_tip_may_be_verified_again_when_nothing_was_substantiated(result: str) -> None:
    before = TipVerified(result=result, village=VILLAGE)
    given(TIP, received(), SCREENED, before).when(verify(), TERMS).then(SUBSTANTIATED)


@pytest.mark.parametrize("before", [SUBSTANTIATED, OUT_OF_AREA])
def test_a_settled_verification_stands(before: TipVerified) -> None:
    given(TIP, received(), SCREENED, before).when(verify("unsubstantiated"), TERMS).refused(TipAlreadyVerified)


def test_a_verified_tip_is_not_screened_any_more() -> None:
    command = ScreenTip(tip=T, outcome="no_content")
    given(TIP, received(live=True), SUBSTANTIATED).when(command, TERMS).refused(TipAlreadyVerified)


def test_only_an_out_of_area_tip_is_forwarded_and_only_once() -> None:
    command = ForwardTip(tip=T, to="county_land_bureau")
    forwarded = TipForwarded(to="county_land_bureau", reason="out_of_area")
    given(TIP, received(), SCREENED, OUT_OF_AREA).when(command, TERMS).then(forwarded)
    given(TIP, received(), SCREENED).when(command, TERMS).refused(ForwardNeedsOutOfArea)
    given(TIP, received(), SCREENED, OUT_OF_AREA, forwarded).when(command, TERMS).changes_nothing()
    other = ForwardTip(tip=T, to="next_town")
    given(TIP, received(), SCREENED, OUT_OF_AREA, forwarded).when(other, TERMS).refused(TipAlreadyForwarded)


def test_a_tip_is_forwarded_to_an_authority_of_the_plan_and_to_nobody_else() -> None:
    for stranger in ("county_bank", "safety_office", ""):  # safety_office: a unit of the town's own
        command = ForwardTip(tip=T, to=stranger)
        given(TIP, received(), SCREENED, OUT_OF_AREA).when(command, TERMS).refused(UnknownAuthority)


def test_where_a_tip_was_forwarded_stays_true_when_the_plan_does_not_know_the_place_any_more() -> None:
    forwarded = TipForwarded(to="county_bank", reason="out_of_area")
    again = ForwardTip(tip=T, to="county_bank")
    given(TIP, received(), SCREENED, OUT_OF_AREA, forwarded).when(again, TERMS).changes_nothing()


def test_an_out_of_area_tip_stays_open_until_it_is_forwarded() -> None:
    command = CloseTip(tip=T, reason="duplicate")
    given(TIP, received(), SCREENED, OUT_OF_AREA).when(command, TERMS).refused(OutOfAreaTipNeedsForward)
    forwarded = TipForwarded(to="next_town", reason="out_of_area")
    given(TIP, received(), SCREENED, OUT_OF_AREA, forwarded).when(command, TERMS).refused(TipAlreadyForwarded)


def test_a_tip_is_closed_once_with_a_reason() -> None:
    command = CloseTip(tip=T, reason="duplicate", note="与前一条相同")
    closed = TipClosed(reason="duplicate", note="与前一条相同")
    given(TIP, received()).when(command, TERMS).then(closed)
    given(TIP, received(), closed).when(command, TERMS).changes_nothing()
    given(TIP, received(), closed).when(CloseTip(tip=T, reason="withdrawn"), TERMS).refused(TipIsClosed)


def test_a_substantiated_tip_is_not_closed_without_its_hazard() -> None:
    command = CloseTip(tip=T, reason="duplicate")
    given(TIP, received(), SCREENED, SUBSTANTIATED).when(command, TERMS).refused(SubstantiatedTipHasHazard)


def test_a_closed_tip_is_neither_screened_nor_verified() -> None:
    closed = TipClosed(reason="duplicate")
    given(TIP, received(), closed).when(ScreenTip(tip=T, outcome="no_content"), TERMS).refused(TipIsClosed)
    given(TIP, received(), SCREENED, closed).when(verify(), TERMS).refused(TipIsClosed)


def test_a_field_is_corrected_with_a_reason_and_back_again() -> None:
    there = TipCorrected(field="village", value=Value(code=OTHER_VILLAGE), reason="听错")
    back = CorrectTip(tip=T, field="village", value=Value(code=VILLAGE), reason="原先是对的")
    forth = CorrectTip(tip=T, field="village", value=Value(code=OTHER_VILLAGE), reason="听错")
    given(TIP, received(village=VILLAGE)).when(forth, TERMS).then(there)
    given(TIP, received(village=VILLAGE), there).when(forth, TERMS).changes_nothing()
    returned = TipCorrected(field="village", value=Value(code=VILLAGE), reason="原先是对的")
    given(TIP, received(village=VILLAGE), there).when(back, TERMS).then(returned)
    given(TIP, received(village=VILLAGE), there, returned).when(forth, TERMS).then(there)


def test_a_corrected_village_is_the_village_of_the_verification() -> None:
    corrected = TipCorrected(field="village", value=Value(code=OTHER_VILLAGE), reason="听错")
    given(TIP, received(), SCREENED, corrected).when(verify(village=None), TERMS).then(
        SUBSTANTIATED.model_copy(update={"village": OTHER_VILLAGE})
    )


def test_a_correction_fits_its_field() -> None:
    def correct(field: str, value: Value, reason: str = "抄错") -> CorrectTip:
        return CorrectTip(tip=T, field=field, value=value, reason=reason)

    tip = given(TIP, received())
    tip.when(correct("words", Value(text="改")), TERMS).refused(FieldNotCorrectable)
    tip.when(correct("place", Value(code=VILLAGE)), TERMS).refused(CorrectionDoesNotFit)
    tip.when(correct("summary", Value(text=" ")), TERMS).refused(CorrectionDoesNotFit)
    tip.when(correct("village", Value()), TERMS).refused(CorrectionDoesNotFit)
    tip.when(correct("village", Value(code="999999999999")), TERMS).refused(UnknownVillage)
    tip.when(correct("village", Value(code=VILLAGE), " "), TERMS).refused(CorrectionNeedsReason)
    tip.when(correct("place", Value(place=PLACE)), TERMS).then(
        TipCorrected(field="place", value=Value(place=PLACE), reason="抄错")
    )


def test_a_tip_entered_in_error_takes_nothing_more() -> None:
    void = TipEnteredInError(reason="重复录入")
    given(TIP, received()).when(EnterTipInError(tip=T, reason="重复录入"), TERMS).then(void)
    given(TIP, received(), void).when(EnterTipInError(tip=T, reason="重复录入"), TERMS).changes_nothing()
    given(TIP, received()).when(EnterTipInError(tip=T, reason=""), TERMS).refused(CorrectionNeedsReason)
    for command in (SupplementTip(tip=T, words="还有"), MarkLive(tip=T), verify(), CloseTip(tip=T, reason="duplicate")):
        given(TIP, received(), void).when(command, TERMS).refused(TipIsVoid)
