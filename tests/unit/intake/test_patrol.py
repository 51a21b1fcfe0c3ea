"""The rules of a patrol."""

from datetime import UTC, date, datetime
from typing import Any

import pytest

from services.intake.patrol import (
    PATROL,
    CorrectPatrol,
    EnterPatrolInError,
    FindingNeedsSummary,
    Found,
    PatrolAlreadyRecorded,
    PatrolEndsBeforeStart,
    PatrolInAnotherVillage,
    PatrolIsVoid,
    PatrolNeedsFindingsOrNone,
    PatrolNeedsHandling,
    PatrolNeedsMembers,
    PatrolNeedsPlaceAndUnit,
    PatrolNeedsRoute,
    PatrolNeedsTime,
    PatrolNotRecorded,
    PlanPatrol,
    RecordPatrol,
    StartPatrol,
)
from services.intake.rules import (
    CorrectionDoesNotFit,
    CorrectionNeedsReason,
    FieldNotCorrectable,
    UnknownCode,
    UnknownUnit,
    UnknownViolation,
)
from shared.contracts.intake.patrol import (
    Finding,
    PatrolCorrected,
    PatrolEnteredInError,
    PatrolPlanned,
    PatrolRecorded,
    PatrolStarted,
    Route,
)
from shared.contracts.parts import Place, Value
from shared.errors import NoPlanInForce, StreamExists, StreamNotFound
from tests.support.spec import given
from tests.unit.intake.world import NO_PLAN, OTHER_VILLAGE, TERMS, VILLAGE

P = "0f3c"
START, END = datetime(2018, 1, 22, 0, 0, tzinfo=UTC), datetime(2018, 1, 22, 2, 30, tzinfo=UTC)
ROUTE = Route(sha256="ab" * 32, points=120, metres=4200)
PLACE = Place(lat_e7=378_000_000, lon_e7=1_123_000_000, accuracy_m=8)
FOUND = Found(category="abandoned_shaft", violation="unlicensed_digging", place=PLACE, live=True, summary="井口有新土")

PLANNED = PatrolPlanned(
    village=VILLAGE, unit="safety_office", patrol_class="key", planned_on=date(2018, 1, 22), reason="routine"
)
STARTED = PatrolStarted(village=VILLAGE, unit="safety_office")
WHOLE = {
    "village": VILLAGE,
    "unit": "safety_office",
    "patrol_class": "key",
    "started_at": START,
    "ended_at": END,
    "members": ("p-1", "p-2"),
    "route": ROUTE,
    "findings": (FOUND,),
    "handling": "stopped",
}


def record(**changed: Any) -> RecordPatrol:
    return RecordPatrol(**{"patrol": P, **WHOLE, **changed})


def recorded(**changed: Any) -> PatrolRecorded:
    finding = Finding(no=1, **dict(FOUND))
    return PatrolRecorded(**{**WHOLE, "findings": (finding,), "no_finding": False, **changed})


def test_a_patrol_is_planned_once() -> None:
    command = PlanPatrol(
        patrol=P, village=VILLAGE, unit="safety_office", patrol_class="key", planned_on=date(2018, 1, 22)
    )
    given(PATROL).when(command, TERMS).then(PLANNED)
    given(PATROL, PLANNED).when(command, TERMS).refused(StreamExists)
    given(PATROL).when(command, NO_PLAN).refused(NoPlanInForce)
    given(PATROL).when(command.model_copy(update={"unit": "circus"}), TERMS).refused(UnknownUnit)
    given(PATROL).when(command.model_copy(update={"patrol_class": "lazy"}), TERMS).refused(UnknownCode)


def test_a_planned_patrol_starts_where_it_was_planned() -> None:
    given(PATROL, PLANNED).when(StartPatrol(patrol=P), TERMS).then(STARTED)
    given(PATROL, PLANNED, STARTED).when(StartPatrol(patrol=P), TERMS).changes_nothing()
    elsewhere = StartPatrol(patrol=P, village=OTHER_VILLAGE)
    given(PATROL, PLANNED).when(elsewhere, TERMS).refused(PatrolInAnotherVillage)
    given(PATROL, recorded()).when(StartPatrol(patrol=P), TERMS).refused(PatrolAlreadyRecorded)


def test_an_unplanned_patrol_starts_with_village_and_unit() -> None:
    given(PATROL).when(StartPatrol(patrol=P), TERMS).refused(PatrolNeedsPlaceAndUnit)
    command = StartPatrol(patrol=P, village=VILLAGE, unit="safety_office", place=PLACE)
    given(PATROL).when(command, TERMS).then(STARTED.model_copy(update={"place": PLACE}))


def test_a_record_holds_the_five_fields_and_numbers_its_findings() -> None:
    second = FOUND.model_copy(update={"live": False, "summary": "另一处"})
    first_and_second = (Finding(no=1, **dict(FOUND)), Finding(no=2, **dict(second)))
    given(PATROL, PLANNED, STARTED).when(record(findings=(FOUND, second)), TERMS).then(
        recorded(findings=first_and_second)
    )


def test_an_offline_record_needs_no_plan_and_no_start_before_it() -> None:
    given(PATROL).when(record(offline=True), TERMS).then(recorded(offline=True))


def test_a_record_takes_village_unit_and_class_from_the_planned_patrol() -> None:
    bare = record(village=None, unit=None, patrol_class=None)
    given(PATROL, PLANNED).when(bare, TERMS).then(recorded())
    given(PATROL).when(bare, TERMS).refused(PatrolNeedsPlaceAndUnit)
    given(PATROL).when(record(patrol_class=None), TERMS).refused(PatrolNeedsPlaceAndUnit)


def test_nothing_found_is_said_explicitly() -> None:
    nothing = {"findings": (), "no_finding": True, "handling": "none_needed"}
    given(PATROL).when(record(**nothing), TERMS).then(recorded(**nothing))


@pytest.mark.parametrize(
    ("missing", "rule"),
    [
        ({"started_at": None}, PatrolNeedsTime),
        ({"ended_at": None}, PatrolNeedsTime),
        ({"members": ()}, PatrolNeedsMembers),
        ({"route": None}, PatrolNeedsRoute),
        ({"findings": ()}, PatrolNeedsFindingsOrNone),
        ({"no_finding": True}, PatrolNeedsFindingsOrNone),
        ({"handling": None}, PatrolNeedsHandling),
        ({"ended_at": START.replace(day=21)}, PatrolEndsBeforeStart),
        ({"findings": (FOUND.model_copy(update={"summary": " "}),)}, FindingNeedsSummary),
        ({"findings": (FOUND.model_copy(update={"violation": "jaywalking"}),)}, UnknownViolation),
    ],
)
def test_an_incomplete_record_is_refused_by_the_name_of_what_is_missing(missing: dict[str, Any], rule: Any) -> None:
    given(PATROL).when(record(**missing), TERMS).refused(rule)


def test_a_record_sent_again_changes_nothing_and_another_one_is_refused() -> None:
    given(PATROL, recorded()).when(record(), TERMS).changes_nothing()
    given(PATROL, recorded()).when(record(members=("p-3",)), TERMS).refused(PatrolAlreadyRecorded)


def test_a_record_for_another_village_than_planned_is_refused() -> None:
    given(PATROL, PLANNED).when(record(village=OTHER_VILLAGE), TERMS).refused(PatrolInAnotherVillage)


def correct(field: str, value: Value, reason: str = "抄错") -> CorrectPatrol:
    return CorrectPatrol(patrol=P, field=field, value=value, reason=reason)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("unit", Value(code="police_station")),
        ("handling", Value(code="reported")),
        ("handling_note", Value(text="已上报")),
        ("ended_at", Value(at=END.replace(hour=3))),
        ("finding.1.place", Value(place=PLACE)),
        ("finding.1.summary", Value(text="井口旁有新土")),
    ],
)
def test_a_recorded_field_is_corrected(field: str, value: Value) -> None:
    given(PATROL, recorded()).when(correct(field, value), TERMS).then(
        PatrolCorrected(field=field, value=value, reason="抄错")
    )


def test_the_same_correction_twice_changes_nothing() -> None:
    done = PatrolCorrected(field="unit", value=Value(code="police_station"), reason="抄错")
    given(PATROL, recorded(), done).when(correct("unit", Value(code="police_station")), TERMS).changes_nothing()


def test_a_correction_fits_the_record() -> None:
    patrol = given(PATROL, recorded())
    patrol.when(correct("finding.2.summary", Value(text="井口")), TERMS).refused(FieldNotCorrectable)
    patrol.when(correct("finding.1.live", Value(code="yes")), TERMS).refused(FieldNotCorrectable)
    patrol.when(correct("members", Value(code="p-9")), TERMS).refused(FieldNotCorrectable)
    patrol.when(correct("unit", Value(number=1)), TERMS).refused(CorrectionDoesNotFit)
    patrol.when(correct("ended_at", Value(at=datetime(2018, 1, 22, 3, 0))), TERMS).refused(CorrectionDoesNotFit)
    patrol.when(correct("ended_at", Value(at=START.replace(day=21))), TERMS).refused(PatrolEndsBeforeStart)
    patrol.when(correct("unit", Value(code="circus")), TERMS).refused(UnknownUnit)
    patrol.when(correct("unit", Value(code="police_station"), ""), TERMS).refused(CorrectionNeedsReason)
    given(PATROL, PLANNED).when(correct("unit", Value(code="police_station")), TERMS).refused(PatrolNotRecorded)
    given(PATROL).when(correct("unit", Value(code="police_station")), TERMS).refused(StreamNotFound)


def test_a_corrected_start_binds_a_later_correction_of_the_end() -> None:
    later_start = PatrolCorrected(field="started_at", value=Value(at=START.replace(hour=2)), reason="抄错")
    command = correct("ended_at", Value(at=START.replace(hour=1)))
    given(PATROL, recorded(), later_start).when(command, TERMS).refused(PatrolEndsBeforeStart)


def test_a_patrol_entered_in_error_takes_nothing_more() -> None:
    void = PatrolEnteredInError(reason="重复录入")
    command = EnterPatrolInError(patrol=P, reason="重复录入")
    given(PATROL, recorded()).when(command, TERMS).then(void)
    given(PATROL, recorded(), void).when(command, TERMS).changes_nothing()
    given(PATROL).when(command, TERMS).refused(StreamNotFound)
    given(PATROL, recorded()).when(EnterPatrolInError(patrol=P, reason=" "), TERMS).refused(CorrectionNeedsReason)
    for other in (record(), StartPatrol(patrol=P), correct("unit", Value(code="police_station"))):
        given(PATROL, recorded(), void).when(other, TERMS).refused(PatrolIsVoid)
