"""A weekly report: opened for a period, submitted by its unit or compiled for the town, and restated when a fact comes late.

unit   open ──► submitted ──► accepted            town   open ──► compiled ──► filed
         │ due     ▲ │ returned
         │ missed  │ ▼
         └────────►returned                       both: restated, from the first content on
"""

from typing import assert_never

from services.reporting import weekly_report_commands as ask
from services.reporting.content import About, Content, content_of, covers, differences, moved, scope_of
from services.reporting.weekly_report_state import Report, evolve
from shared.contracts.event import Event
from shared.contracts.reporting import weekly_report as facts
from shared.decider import Decider
from shared.errors import NoPlanInForce, StreamExists, VersionConflict
from shared.plan.terms import PlanTerms, Terms

OFFICE = frozenset({"office_director", "clerk"})
"""Posts that return, accept, compile and correct."""
FILING = frozenset({"office_director", "group_leader"})
REPORTER = "designated_reporter"


def decide(command: ask.AnyCommand, state: Report, terms: Terms) -> list[Event]:
    """Raises Refusal, named after the rule that forbids it; VersionConflict for a restatement of what stands no more."""
    if isinstance(command, ask.OpenReport):
        return _open(command, state, terms)
    opened = state.known
    if state.stage == "entered_in_error" and not isinstance(command, ask.EnterReportInError | ask.RestateReport):
        raise ask.ReportMarkedAsError
    match command:
        case ask.BecomeDue():
            return _become_due(command, state, terms)
        case ask.MissReport():
            return _miss(command, state, terms)
        case ask.SubmitReport():
            return _submit(command, state, opened, terms)
        case ask.CompileReport():
            return _compile(command, state, opened, terms)
        case ask.RestateReport():
            return _restate(command, state, opened, terms)
        case ask.ReturnReport():
            _submitted(state, terms)
            return [_of(facts.ReportReturned, opened, reason=_reason(command.reason))]
        case ask.AcceptReport():
            if state.stage == "accepted" and terms.actor.post in OFFICE:
                return []
            _submitted(state, terms)
            return [_of(facts.ReportAccepted, opened)]
        case ask.FileReport():
            return _file(state, opened, terms)
        case ask.CorrectReport():
            return _correct(command, state, opened, terms)
        case ask.EnterReportInError():
            _office(terms)
            if state.stage == "entered_in_error":
                return []
            return [facts.ReportEnteredInError(reason=_reason(command.reason))]
        case _:
            assert_never(command)


def _open(wish: ask.OpenReport, state: Report, terms: Terms) -> list[Event]:
    plan = _plan(terms)
    if plan.code != wish.plan:
        raise ask.OtherPlanInForce(plan=plan.code)
    period = next((p for p in plan.periods if p.no == wish.period_no), None)
    if period is None:
        raise ask.NoSuchPeriod(periods=len(plan.periods))
    scope = scope_of(wish.unit)
    if scope == "unit" and wish.unit not in plan.reporting_units:
        raise ask.UnitDoesNotReport(unit=wish.unit)
    event = facts.ReportOpened(
        scope=scope,
        unit=wish.unit,
        period_no=period.no,
        starts_at=period.starts_at,
        cut_off_at=period.cut_off_at,
        due_at=period.due_at,
        missing_at=period.missing_at,
        closing=period.closing,
        units=tuple(plan.reporting_units) if scope == "town" else (),
    )
    if state.opened == event:
        return []
    if state.opened is not None:
        raise StreamExists
    return [event]


def _become_due(wish: ask.BecomeDue, state: Report, terms: Terms) -> list[Event]:
    """A clock that rings for an older hour, or for a report that has come, changes nothing."""
    if not state.wanted or state.due or state.due_at != wish.due_at:
        return []
    if terms.now < wish.due_at:
        raise ask.ReportNotDue(due_at=wish.due_at.isoformat())
    return [_of(facts.ReportDue, state.known, due_at=wish.due_at)]


def _miss(wish: ask.MissReport, state: Report, terms: Terms) -> list[Event]:
    """A report that was returned and has not come again is missing like one that never came."""
    if not state.wanted or state.missed or state.missing_at != wish.missing_at:
        return []
    if terms.now < wish.missing_at:
        raise ask.ReportNotDue(missing_at=wish.missing_at.isoformat())
    return [_of(facts.ReportMissed, state.known)]


def _submit(wish: ask.SubmitReport, state: Report, opened: facts.ReportOpened, terms: Terms) -> list[Event]:
    if opened.scope == "town":
        raise ask.TownReportIsCompiled
    _reporting(wish, opened.unit, terms)
    if state.stage == "submitted":
        raise ask.ReportAlreadySubmitted
    if state.stage == "accepted":
        raise ask.ReportAlreadyAccepted
    _over(opened, terms)
    content = _count(wish.report, opened, wish, _plan(terms))
    return [
        _of(
            facts.ReportSubmitted,
            opened,
            late=state.due_at is not None and terms.now > state.due_at,
            figures=content.values,
            cut=content.cut,
            content_sha256=content.sha256,
            note=(wish.note or "").strip() or None,
        )
    ]


def _compile(wish: ask.CompileReport, state: Report, opened: facts.ReportOpened, terms: Terms) -> list[Event]:
    """Its figures are counted over the whole town, not added up from the units: what belongs to no unit counts too."""
    _town(opened)
    _office(terms)
    if state.stage == "filed":
        raise ask.ReportAlreadyFiled
    _over(opened, terms)
    stand = {line.unit: line.state for line in wish.lines}
    waiting = [unit for unit in opened.units if stand.get(unit, ask.WAITING) == ask.WAITING]
    if waiting and state.missing_at is not None and terms.now < state.missing_at:
        raise ask.UnitsStillOut(units=",".join(waiting), missing_at=state.missing_at.isoformat())
    lines = tuple(
        facts.UnitLine(unit=unit, state="missing" if unit in waiting else stand[unit]) for unit in opened.units
    )
    content = _count(wish.report, opened, wish, _plan(terms))
    if state.standing is not None and (state.lines, state.standing.figures) == (lines, content.values):
        return []
    return [
        facts.ReportCompiled(
            period_no=opened.period_no,
            lines=lines,
            figures=content.values,
            cut=content.cut,
            content_sha256=content.sha256,
        )
    ]


def _restate(wish: ask.RestateReport, state: Report, opened: facts.ReportOpened, terms: Terms) -> list[Event]:
    """Nothing to restate before there is a content, nor when the numbers are the same."""
    standing = state.standing
    if standing is None:
        return []
    if standing.sha256 != wish.base or not covers(wish.cut, standing.cut):
        raise VersionConflict(wish.stream_id)
    plan = _plan(terms)
    content = _count(wish.report, opened, wish, plan)
    before = content_of(plan, content.about, wish.before, standing.cut)
    changes = tuple(
        facts.Change(figure=figure, before=then, after=now, events=moved(before, content, figure))
        for figure, then, now in differences(standing.figures, content.values)
    )
    if not changes:
        return []
    return [
        _of(
            facts.ReportRestated,
            opened,
            restatement_no=state.restatements + 1,
            changes=changes,
            figures=content.values,
            cut=content.cut,
            content_sha256=content.sha256,
        )
    ]


def _file(state: Report, opened: facts.ReportOpened, terms: Terms) -> list[Event]:
    _town(opened)
    if terms.actor.post not in FILING:
        raise ask.FilingNeedsDirector
    if state.stage == "filed":
        return []
    if state.standing is None:
        raise ask.ReportNotCompiled
    return [facts.ReportFiled(period_no=opened.period_no, content_sha256=state.standing.sha256)]


def _correct(wish: ask.CorrectReport, state: Report, opened: facts.ReportOpened, terms: Terms) -> list[Event]:
    _office(terms)
    part = ask.CORRECTABLE.get(wish.field)
    if part is None:
        raise ask.ReportFieldNotCorrectable(field=wish.field)
    if wish.value.model_dump(exclude_none=True).keys() != {part}:
        raise ask.ReportValueDoesNotFit(field=wish.field, kind=part)
    if wish.field == "note" and state.standing is None:
        raise ask.ReportNotSubmitted
    if part == "at":
        hours = {"due_at": state.due_at, "missing_at": state.missing_at, wish.field: wish.value.at}
        given = [opened.cut_off_at, *(hour for hour in hours.values() if hour is not None)]
        if given != sorted(given):
            raise ask.ReportValueDoesNotFit(field=wish.field, cut_off_at=opened.cut_off_at.isoformat())
    return [facts.ReportCorrected(field=wish.field, value=wish.value, reason=_reason(wish.reason))]


def _of(event: type[Event], opened: facts.ReportOpened, **told: object) -> Event:
    """The fact, with unit and period as every fact of this report repeats them."""
    return event.model_validate({"unit": opened.unit, "period_no": opened.period_no, **told})


def _count(report: str, opened: facts.ReportOpened, wish: ask.OfCounted, plan: PlanTerms) -> Content:
    about = About(report, opened.unit, opened.period_no, opened.starts_at, opened.cut_off_at)
    return content_of(plan, about, wish.counted, wish.cut)


def _plan(terms: Terms) -> PlanTerms:
    if terms.plan is None:
        raise NoPlanInForce
    return terms.plan


def _over(opened: facts.ReportOpened, terms: Terms) -> None:
    if terms.now < opened.cut_off_at:
        raise ask.PeriodNotOver(cut_off_at=opened.cut_off_at.isoformat())


def _town(opened: facts.ReportOpened) -> None:
    if opened.scope != "town":
        raise ask.OnlyTownIsCompiled


def _office(terms: Terms) -> None:
    if terms.actor.post not in OFFICE:
        raise ask.NeedsOffice


def _reporting(wish: ask.SubmitReport, unit: str, terms: Terms) -> None:
    """The reporter, or a colleague or clerk who names whose report it is."""
    actor = terms.actor
    if actor.post == REPORTER and actor.unit == unit:
        return
    deputy = actor.unit == unit or actor.post in OFFICE
    if not deputy or actor.on_behalf_of not in wish.reporters:
        raise ask.NotDesignatedReporter(unit=unit)


def _submitted(state: Report, terms: Terms) -> None:
    """It waits for the office's judgement, and the office asks."""
    _office(terms)
    if state.stage == "accepted":
        raise ask.ReportAlreadyAccepted
    if state.stage != "submitted":
        raise ask.ReportNotSubmitted


def _reason(reason: str | None) -> str:
    if not (reason or "").strip():
        raise ask.ReportReasonMissing
    return (reason or "").strip()


WEEKLY_REPORT = Decider(
    category="weekly_report",
    initial=Report,
    decide=decide,
    evolve=evolve,
    commands=ask.COMMANDS,
    events=facts.EVENTS,
)
