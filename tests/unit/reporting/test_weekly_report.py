"""What may happen to a weekly report, and what may not."""

from typing import Any

import pytest

from services.reporting import weekly_report_commands as ask
from services.reporting.content import content_of
from services.reporting.weekly_report import WEEKLY_REPORT, decide
from services.reporting.weekly_report_state import Report, evolve
from shared.contracts.event import Event
from shared.contracts.parts import Value
from shared.contracts.reporting import weekly_report as facts
from shared.decider import Actor, Command
from shared.errors import NoPlanInForce, Refusal, StreamExists, StreamNotFound, VersionConflict
from tests.support.spec import given
from tests.unit.reporting.world import (
    CLERK,
    CLOCKWORK,
    CUT_OFF,
    DAY,
    DIRECTOR,
    DUE_AT,
    HEAD,
    INSPECTOR,
    LEADER,
    MINUTE,
    MISSING_AT,
    OTHER_REPORTER,
    PLAN,
    REPORTER,
    TOWN,
    UNIT,
    about,
    at,
    behalf,
    counted,
    cut,
    opened,
)

PATROL, FINDING, LATE_PATROL = counted("patrols", 1), counted("patrol_findings", 1, part=1), counted("patrols", 7)
KNOWN = (PATROL, FINDING)
OPENED, TOWN_OPENED = opened(), opened("town")
SUBMIT = ask.SubmitReport(report=UNIT, counted=KNOWN, cut=cut(5), reporters=(REPORTER.person,), note=" 无异常 ")
COMPILE = ask.CompileReport(
    report=TOWN,
    counted=KNOWN,
    cut=cut(5),
    lines=tuple(facts.UnitLine(unit=unit, state="accepted") for unit in PLAN.reporting_units),
)


def said(unit: str, *events: Any, cut_: Any = None) -> dict[str, Any]:
    content = content_of(PLAN, about(unit), events, cut_ or cut(5))
    return {"figures": content.values, "cut": content.cut, "content_sha256": content.sha256}


SUBMITTED = facts.ReportSubmitted(unit="dulan", period_no=3, late=False, note="无异常", **said("dulan", *KNOWN))
RETURNED = facts.ReportReturned(unit="dulan", period_no=3, reason="漏报处置情况")
ACCEPTED = facts.ReportAccepted(unit="dulan", period_no=3)
DUE = facts.ReportDue(unit="dulan", period_no=3, due_at=DUE_AT)
MISSED = facts.ReportMissed(unit="dulan", period_no=3)
COMPILED = facts.ReportCompiled(period_no=3, lines=COMPILE.lines, **said("town", *KNOWN))
FILED = facts.ReportFiled(period_no=3, content_sha256=COMPILED.content_sha256)
IN_ERROR = facts.ReportEnteredInError(reason="重复")
SENT = (OPENED, SUBMITTED)
TOWN_SENT = (TOWN_OPENED, COMPILED)

RETURN = ask.ReturnReport(report=UNIT, reason="漏报处置情况")
ACCEPT = ask.AcceptReport(report=UNIT)
FILE = ask.FileReport(report=TOWN)
MARK = ask.EnterReportInError(report=UNIT, reason="重复")
CORRECT = ask.CorrectReport(report=UNIT, field="due_at", value=Value(at=DUE_AT + MINUTE), reason="停电")
BECOME_DUE = ask.BecomeDue(report=UNIT, due_at=DUE_AT)
MISS = ask.MissReport(report=UNIT, missing_at=MISSING_AT)


def restate(event: Any, *now: Any, before: Any = KNOWN, **changes: Any) -> ask.RestateReport:
    """A wish to restate the report that `event` stands for, from `now`."""
    unit = getattr(event, "unit", "town")
    wish = ask.RestateReport(
        report=f"{PLAN.code}-{unit}-03", base=event.content_sha256, before=before, counted=now, cut=cut(9)
    )
    return wish.model_copy(update=changes)


# ------------------------------------------------------------------------------------------------------ opened


@pytest.mark.parametrize(("unit", "event"), [("dulan", OPENED), ("town", TOWN_OPENED)])
def test_a_report_is_opened_for_a_period_of_the_plan(unit: str, event: facts.ReportOpened) -> None:
    wish = ask.OpenReport(plan=PLAN.code, unit=unit, period_no=3)
    given(WEEKLY_REPORT).when(wish, at(CLOCKWORK)).then(event)


def test_the_closing_report_is_marked_as_the_last() -> None:
    wish = ask.OpenReport(plan=PLAN.code, unit="town", period_no=11)
    (event,) = given(WEEKLY_REPORT).when(wish, at(CLOCKWORK)).events
    assert isinstance(event, facts.ReportOpened)
    assert event.closing and event.missing_at == PLAN.period(11).missing_at


def test_opening_it_again_changes_nothing() -> None:
    wish = ask.OpenReport(plan=PLAN.code, unit="dulan", period_no=3)
    given(WEEKLY_REPORT, OPENED).when(wish, at(CLOCKWORK)).changes_nothing()


def test_a_report_is_not_opened_anew_for_another_span() -> None:
    moved = OPENED.model_copy(update={"cut_off_at": CUT_OFF + DAY})
    wish = ask.OpenReport(plan=PLAN.code, unit="dulan", period_no=3)
    given(WEEKLY_REPORT, moved).when(wish, at(CLOCKWORK)).refused(StreamExists)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"plan": "yunlinggou-2021"}, ask.OtherPlanInForce),
        ({"period_no": 12}, ask.NoSuchPeriod),
        ({"period_no": 0}, ask.NoSuchPeriod),
        ({"unit": "leading_group"}, ask.UnitDoesNotReport),
    ],
)
def test_only_what_the_plan_in_force_asks_for_is_opened(changes: dict[str, Any], rule: type[Refusal]) -> None:
    wish = ask.OpenReport(**{"plan": PLAN.code, "unit": "dulan", "period_no": 3, **changes})
    given(WEEKLY_REPORT).when(wish, at(CLOCKWORK)).refused(rule)


def test_without_a_plan_nothing_is_opened() -> None:
    wish = ask.OpenReport(plan=PLAN.code, unit="dulan", period_no=3)
    given(WEEKLY_REPORT).when(wish, at(CLOCKWORK, by=None)).refused(NoPlanInForce)


@pytest.mark.parametrize("wish", [SUBMIT, RETURN, ACCEPT, COMPILE, FILE, CORRECT, MARK, BECOME_DUE, MISS])
def test_nothing_is_done_to_a_report_that_was_never_opened(wish: Command) -> None:
    given(WEEKLY_REPORT).when(wish, at(DIRECTOR)).refused(StreamNotFound)


# --------------------------------------------------------------------------------------------------- due, missed


def test_a_report_that_has_not_come_is_due_and_then_missing() -> None:
    given(WEEKLY_REPORT, OPENED).when(BECOME_DUE, at(CLOCKWORK, DUE_AT)).then(DUE)
    given(WEEKLY_REPORT, OPENED, DUE).when(MISS, at(CLOCKWORK, MISSING_AT)).then(MISSED)


def test_the_clock_says_it_once() -> None:
    given(WEEKLY_REPORT, OPENED, DUE).when(BECOME_DUE, at(CLOCKWORK, DUE_AT)).changes_nothing()
    given(WEEKLY_REPORT, OPENED, DUE, MISSED).when(MISS, at(CLOCKWORK, MISSING_AT)).changes_nothing()


@pytest.mark.parametrize("history", [SENT, (*SENT, ACCEPTED)])
def test_a_report_that_has_come_is_neither_due_nor_missing(history: tuple[Event, ...]) -> None:
    given(WEEKLY_REPORT, *history).when(BECOME_DUE, at(CLOCKWORK, DUE_AT)).changes_nothing()
    given(WEEKLY_REPORT, *history).when(MISS, at(CLOCKWORK, MISSING_AT)).changes_nothing()


def test_a_report_that_was_returned_and_did_not_come_again_is_missing() -> None:
    given(WEEKLY_REPORT, *SENT, RETURNED).when(MISS, at(CLOCKWORK, MISSING_AT)).then(MISSED)


def test_the_clock_does_not_ring_early() -> None:
    given(WEEKLY_REPORT, OPENED).when(BECOME_DUE, at(CLOCKWORK, DUE_AT - MINUTE)).refused(ask.ReportNotDue)
    given(WEEKLY_REPORT, OPENED).when(MISS, at(CLOCKWORK, MISSING_AT - MINUTE)).refused(ask.ReportNotDue)


def test_an_hour_that_was_moved_rings_no_more() -> None:
    corrected = facts.ReportCorrected(field="due_at", value=Value(at=DUE_AT + MINUTE), reason="停电")
    given(WEEKLY_REPORT, OPENED, corrected).when(BECOME_DUE, at(CLOCKWORK, DUE_AT)).changes_nothing()


# ----------------------------------------------------------------------------------------------------- submitted


def test_a_submission_counts_the_events_and_fixes_the_cut() -> None:
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(REPORTER)).then(SUBMITTED)


def test_after_the_due_hour_it_is_late_and_after_the_grace_it_is_still_taken() -> None:
    late = SUBMITTED.model_copy(update={"late": True})
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(REPORTER, DUE_AT)).then(SUBMITTED)
    given(WEEKLY_REPORT, OPENED, DUE).when(SUBMIT, at(REPORTER, DUE_AT + MINUTE)).then(late)
    given(WEEKLY_REPORT, OPENED, DUE, MISSED).when(SUBMIT, at(REPORTER, MISSING_AT + DAY)).then(late)


@pytest.mark.parametrize("actor", [behalf(REPORTER), behalf(REPORTER, HEAD), behalf(REPORTER, DIRECTOR)])
def test_a_clerk_or_a_colleague_submits_on_the_reporters_behalf(actor: Actor) -> None:
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(actor)).then(SUBMITTED)


@pytest.mark.parametrize(
    "actor",
    [
        CLERK, HEAD, INSPECTOR, OTHER_REPORTER, behalf(HEAD), behalf(OTHER_REPORTER),
        behalf(REPORTER, INSPECTOR), behalf(REPORTER, OTHER_REPORTER),
    ],
)  # fmt: skip
def test_nobody_else_submits(actor: Actor) -> None:
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(actor)).refused(ask.NotDesignatedReporter)


def test_a_report_is_not_submitted_before_its_period_is_over() -> None:
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(REPORTER, CUT_OFF - MINUTE)).refused(ask.PeriodNotOver)
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(REPORTER, CUT_OFF)).then(SUBMITTED)


def test_a_submitted_report_is_returned_before_it_is_submitted_again() -> None:
    given(WEEKLY_REPORT, *SENT).when(SUBMIT, at(REPORTER)).refused(ask.ReportAlreadySubmitted)
    given(WEEKLY_REPORT, *SENT, RETURNED).when(SUBMIT, at(REPORTER)).then(SUBMITTED)
    given(WEEKLY_REPORT, *SENT, ACCEPTED).when(SUBMIT, at(REPORTER)).refused(ask.ReportAlreadyAccepted)


def test_the_towns_report_is_not_submitted() -> None:
    wish = SUBMIT.model_copy(update={"report": TOWN})
    given(WEEKLY_REPORT, TOWN_OPENED).when(wish, at(REPORTER)).refused(ask.TownReportIsCompiled)


def test_without_a_plan_nothing_is_counted() -> None:
    given(WEEKLY_REPORT, OPENED).when(SUBMIT, at(REPORTER, by=None)).refused(NoPlanInForce)


# ---------------------------------------------------------------------------------------------- returned, accepted


def test_the_office_returns_or_accepts_what_was_submitted() -> None:
    given(WEEKLY_REPORT, *SENT).when(RETURN, at(CLERK)).then(RETURNED)
    given(WEEKLY_REPORT, *SENT).when(ACCEPT, at(DIRECTOR)).then(ACCEPTED)


def test_a_return_says_why() -> None:
    for reason in (None, " "):
        wish = RETURN.model_copy(update={"reason": reason})
        given(WEEKLY_REPORT, *SENT).when(wish, at(CLERK)).refused(ask.ReportReasonMissing)


@pytest.mark.parametrize("wish", [RETURN, ACCEPT])
def test_nobody_but_the_office_judges_a_report(wish: Command) -> None:
    for actor in (REPORTER, HEAD, INSPECTOR, LEADER):
        given(WEEKLY_REPORT, *SENT).when(wish, at(actor)).refused(ask.NeedsOffice)


@pytest.mark.parametrize("wish", [RETURN, ACCEPT])
@pytest.mark.parametrize("history", [(OPENED,), (*SENT, RETURNED)])
def test_what_was_not_submitted_is_not_judged(wish: Command, history: tuple[Event, ...]) -> None:
    given(WEEKLY_REPORT, *history).when(wish, at(CLERK)).refused(ask.ReportNotSubmitted)


def test_an_accepted_report_is_not_returned_and_accepting_it_again_changes_nothing() -> None:
    given(WEEKLY_REPORT, *SENT, ACCEPTED).when(RETURN, at(CLERK)).refused(ask.ReportAlreadyAccepted)
    given(WEEKLY_REPORT, *SENT, ACCEPTED).when(ACCEPT, at(CLERK)).changes_nothing()


# ------------------------------------------------------------------------------------------------ compiled, filed


def with_lines(**states: str) -> ask.CompileReport:
    """COMPILE, with other states for some units; "" leaves the unit out."""
    lines = [(line.unit, states.get(line.unit, line.state)) for line in COMPILE.lines]
    return COMPILE.model_copy(
        update={"lines": tuple(facts.UnitLine(unit=u, state=state) for u, state in lines if state)}
    )


def test_the_office_compiles_the_towns_report_from_the_events_themselves() -> None:
    given(WEEKLY_REPORT, TOWN_OPENED).when(COMPILE, at(CLERK)).then(COMPILED)


def test_it_waits_for_every_unit_until_the_missing_hour() -> None:
    for out in ("waiting", ""):
        wish = with_lines(dulan=out)
        refusal = (
            given(WEEKLY_REPORT, TOWN_OPENED).when(wish, at(CLERK, MISSING_AT - MINUTE)).refused(ask.UnitsStillOut)
        )
        assert refusal.facts["units"] == "dulan"
        (event,) = given(WEEKLY_REPORT, TOWN_OPENED).when(wish, at(CLERK, MISSING_AT)).events
        assert isinstance(event, facts.ReportCompiled)
        assert {line.unit: line.state for line in event.lines}["dulan"] == "missing"


def test_a_unit_that_is_missing_already_holds_nobody_up() -> None:
    (event,) = given(WEEKLY_REPORT, TOWN_OPENED).when(with_lines(dulan="missing", xiyan="late"), at(CLERK)).events
    assert isinstance(event, facts.ReportCompiled)
    states = {line.unit: line.state for line in event.lines}
    assert (states["dulan"], states["xiyan"], len(states)) == ("missing", "late", len(PLAN.reporting_units))


def test_compiling_again_tells_what_has_changed_since() -> None:
    given(WEEKLY_REPORT, *TOWN_SENT).when(COMPILE, at(CLERK)).changes_nothing()
    (event,) = given(WEEKLY_REPORT, *TOWN_SENT).when(with_lines(dulan="late"), at(CLERK)).events
    assert isinstance(event, facts.ReportCompiled)


def test_only_the_office_compiles_and_only_the_towns_report_after_the_cut_off() -> None:
    given(WEEKLY_REPORT, TOWN_OPENED).when(COMPILE, at(REPORTER)).refused(ask.NeedsOffice)
    given(WEEKLY_REPORT, TOWN_OPENED).when(COMPILE, at(CLERK, CUT_OFF - MINUTE)).refused(ask.PeriodNotOver)
    wish = COMPILE.model_copy(update={"report": UNIT})
    given(WEEKLY_REPORT, OPENED).when(wish, at(CLERK)).refused(ask.OnlyTownIsCompiled)


def test_the_director_or_the_group_leader_files_what_was_compiled() -> None:
    for actor in (DIRECTOR, LEADER):
        given(WEEKLY_REPORT, *TOWN_SENT).when(FILE, at(actor)).then(FILED)
    given(WEEKLY_REPORT, *TOWN_SENT, FILED).when(FILE, at(DIRECTOR)).changes_nothing()


def test_nobody_else_files_and_nothing_is_filed_before_it_is_compiled() -> None:
    given(WEEKLY_REPORT, *TOWN_SENT).when(FILE, at(CLERK)).refused(ask.FilingNeedsDirector)
    given(WEEKLY_REPORT, TOWN_OPENED).when(FILE, at(DIRECTOR)).refused(ask.ReportNotCompiled)
    wish = FILE.model_copy(update={"report": UNIT})
    given(WEEKLY_REPORT, *SENT).when(wish, at(DIRECTOR)).refused(ask.OnlyTownIsCompiled)


def test_a_filed_report_is_not_compiled_again() -> None:
    given(WEEKLY_REPORT, *TOWN_SENT, FILED).when(with_lines(dulan="late"), at(CLERK)).refused(ask.ReportAlreadyFiled)


# ---------------------------------------------------------------------------------------------------- restated


@pytest.mark.parametrize(
    ("history", "event"),
    [
        (SENT, SUBMITTED),
        ((*SENT, ACCEPTED), SUBMITTED),
        (TOWN_SENT, COMPILED),
        ((*TOWN_SENT, FILED), COMPILED),
    ],
)
def test_a_fact_that_comes_late_restates_what_was_said_with_a_diff(history: tuple[Event, ...], event: Any) -> None:
    unit = getattr(event, "unit", "town")
    expected = facts.ReportRestated(
        unit=unit,
        period_no=3,
        restatement_no=1,
        changes=(facts.Change(figure="patrols", before=1, after=2, events=(LATE_PATROL.event_id,)),),
        **said(unit, *KNOWN, LATE_PATROL, cut_=cut(9)),
    )
    given(WEEKLY_REPORT, *history).when(restate(event, *KNOWN, LATE_PATROL), at(CLOCKWORK)).then(expected)


def test_restatements_are_numbered_and_each_builds_on_the_last() -> None:
    wish = restate(SUBMITTED, *KNOWN, LATE_PATROL)
    (first,) = given(WEEKLY_REPORT, *SENT).when(wish, at(CLOCKWORK)).events
    again = restate(first, FINDING, LATE_PATROL, before=(*KNOWN, LATE_PATROL), cut=cut(12))
    (second,) = given(WEEKLY_REPORT, *SENT, first).when(again, at(CLOCKWORK)).events
    assert isinstance(second, facts.ReportRestated)
    assert (second.restatement_no, second.changes[0].before, second.changes[0].after) == (2, 2, 1)
    assert second.changes[0].events == (PATROL.event_id,)


def test_the_same_numbers_are_no_restatement() -> None:
    given(WEEKLY_REPORT, *SENT).when(restate(SUBMITTED, *KNOWN), at(CLOCKWORK)).changes_nothing()
    swapped = restate(SUBMITTED, LATE_PATROL, FINDING)
    given(WEEKLY_REPORT, *SENT).when(swapped, at(CLOCKWORK)).changes_nothing()


@pytest.mark.parametrize("history", [(OPENED,), (*SENT, RETURNED), (*SENT, IN_ERROR)])
def test_what_says_nothing_is_not_restated(history: tuple[Event, ...]) -> None:
    given(WEEKLY_REPORT, *history).when(restate(SUBMITTED, *KNOWN, LATE_PATROL), at(CLOCKWORK)).changes_nothing()


@pytest.mark.parametrize("changes", [{"base": "another"}, {"cut": cut(4)}, {"cut": cut(9, 39)}])
def test_a_restatement_reckoned_on_an_older_content_is_done_again(changes: dict[str, Any]) -> None:
    state = Report()
    for event in SENT:
        state = evolve(state, event)
    with pytest.raises(VersionConflict):
        decide(restate(SUBMITTED, *KNOWN, LATE_PATROL, **changes), state, at(CLOCKWORK))


# --------------------------------------------------------------------------------------------- corrected, in error


def test_the_office_moves_the_due_hour_and_lateness_follows() -> None:
    moved = facts.ReportCorrected(field="due_at", value=Value(at=DUE_AT + MINUTE), reason="停电")
    given(WEEKLY_REPORT, OPENED).when(CORRECT, at(CLERK)).then(moved)
    given(WEEKLY_REPORT, OPENED, moved).when(SUBMIT, at(REPORTER, DUE_AT + MINUTE)).then(SUBMITTED)


def test_a_note_can_be_corrected_once_there_is_one() -> None:
    wish = ask.CorrectReport(report=UNIT, field="note", value=Value(text="有一处异常"), reason="笔误")
    given(WEEKLY_REPORT, OPENED).when(wish, at(CLERK)).refused(ask.ReportNotSubmitted)
    expected = facts.ReportCorrected(field="note", value=Value(text="有一处异常"), reason="笔误")
    given(WEEKLY_REPORT, *SENT).when(wish, at(CLERK)).then(expected)


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"field": "figures"}, ask.ReportFieldNotCorrectable),
        ({"field": "cut_off_at"}, ask.ReportFieldNotCorrectable),
        ({"value": Value(text="明天")}, ask.ReportValueDoesNotFit),
        ({"value": Value()}, ask.ReportValueDoesNotFit),
        ({"value": Value(at=CUT_OFF - MINUTE)}, ask.ReportValueDoesNotFit),
        ({"value": Value(at=MISSING_AT + MINUTE)}, ask.ReportValueDoesNotFit),
        ({"field": "missing_at", "value": Value(at=DUE_AT - MINUTE)}, ask.ReportValueDoesNotFit),
        ({"reason": None}, ask.ReportReasonMissing),
    ],
)
def test_a_correction_fits_its_field(changes: dict[str, Any], rule: type[Refusal]) -> None:
    given(WEEKLY_REPORT, OPENED).when(CORRECT.model_copy(update=changes), at(CLERK)).refused(rule)


def test_only_the_office_corrects_or_marks_an_error() -> None:
    for wish in (CORRECT, MARK):
        for actor in (REPORTER, LEADER):
            given(WEEKLY_REPORT, *SENT).when(wish, at(actor)).refused(ask.NeedsOffice)


def test_a_report_marked_as_an_error_can_only_be_read() -> None:
    given(WEEKLY_REPORT, *SENT).when(MARK, at(CLERK)).then(IN_ERROR)
    given(WEEKLY_REPORT, *SENT, IN_ERROR).when(MARK, at(CLERK)).changes_nothing()
    given(WEEKLY_REPORT, *SENT).when(MARK.model_copy(update={"reason": ""}), at(CLERK)).refused(ask.ReportReasonMissing)
    for wish in (SUBMIT, RETURN, ACCEPT, CORRECT, BECOME_DUE, MISS):
        given(WEEKLY_REPORT, *SENT, IN_ERROR).when(wish, at(CLERK)).refused(ask.ReportMarkedAsError)
