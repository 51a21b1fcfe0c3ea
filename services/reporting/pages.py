"""Reports as pages: the list, one report with its figures, the events behind a figure, and the forms of whoever may act on it."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import HTMLResponse, Response

from services.reporting import report_file
from services.reporting import weekly_report_commands as ask
from services.reporting.as_known import as_known
from services.reporting.content import TOWN
from services.reporting.desk import about_report, compile_town, submit
from services.reporting.read_models import report_line
from services.reporting.read_models.report_line import Line
from services.reporting.report_file import line_of
from services.reporting.report_forms import FIELD_OF, FORMS, ReportForm, offered
from services.reporting.sight import sight_of
from shared.app import Answer
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.errors import NotFound
from shared.plan.terms import PlanTerms
from shared.web.as_of import moment_asked
from shared.web.door import Call, Door, door, form_call, page_reader
from shared.web.forms import NOT_TRIED, Refused, taken
from shared.web.paging import cursor_of, read_cursor
from shared.web.rendering import page

router = APIRouter(prefix="/reporting/reports", include_in_schema=False)

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(page_reader())]
LINES = 32
"""Two weeks of a town with 15 reporting units."""


@router.get("")
async def reports_page(
    request: Request,
    at: AtDoor,
    who: Reader,
    period_no: str | None = None,
    unit: str = "",
    state: str = "",
    cursor: str = "",
) -> HTMLResponse:
    """The list: of the period that is being reported, unless asked otherwise; newest period first when asked for all."""
    sight = sight_of(who)
    async with at.reading() as tx:
        plan = await at.terms(tx)
        if period_no is None and plan is not None:
            over = [p.no for p in plan.periods if p.cut_off_at <= at.clock.now()]
            period_no = str(over[-1] if over else 1)
        wanted = {"period_no": period_no or "", "unit": unit, "state": state}
        period = next((p for p in plan.periods if str(p.no) == period_no), None) if plan else None
        rows = await report_line.page(
            tx,
            limit=LINES + 1,
            after=read_cursor(cursor, int, str, str),
            unit=unit or None,
            period_no=period.no if period is not None else None,
            state=state or None,
            reader_unit=sight.own_unit,
        )
    last = rows[LINES - 1] if len(rows) > LINES else None
    following = last and {**wanted, "cursor": cursor_of(last["period_no"], last["unit"], last["plan"])}
    return page(
        request,
        "reports/list.html",
        plan=plan,
        lines=_ordered(rows[:LINES], plan),
        wanted=wanted,
        period=period,
        whole_town=sight.open,
        periods=plan.periods if plan else (),
        units=(*plan.reporting_units, plan.town_unit) if plan else (),
        next=f"?{urlencode(following)}" if following else None,
        first=f"?{urlencode(wanted)}" if cursor else None,
    )


def _ordered(lines: list[Line], plan: PlanTerms | None) -> list[Line]:
    """Newest period first; in each the town, then the units as the plan lists them."""
    order = [TOWN, *plan.reporting_units] if plan is not None else []
    place = {unit: nth for nth, unit in enumerate(order)}
    return sorted(lines, key=lambda line: (-line["period_no"], place.get(line["unit"], len(order)), line["unit"]))


@router.get("/{report}")
async def report_page(request: Request, report: Id, at: AtDoor, who: Reader) -> HTMLResponse:
    """One report: what it says, what was restated, how it came to it, and what this reader may do about it now."""
    return await _shown(request, at, who, report)


async def _shown(request: Request, at: Door, who: Actor, report: str, bad: Refused = NOT_TRIED) -> HTMLResponse:
    sight = sight_of(who)
    async with at.reading() as tx:
        line = await line_of(tx, sight, report)
        told = await report_file.whole(tx, at.book, sight, line)
        plan = await at.terms(tx)
        now = None
        if told["counted"] is None and sight.lists_events(line) and plan is not None:
            now = report_file.counted_lines(plan, sight, (await report_file.preview(tx, at.book, line))[1])
    counted = told["counted"] or now
    used = {phase for figure in counted["figures"] for phase in figure["by_phase"]} if counted else set()
    return page(
        request,
        "reports/one.html",
        plan=plan,
        report=told,
        counted=counted,
        standing=told["counted"] is not None,
        phases=[p.phase for p in plan.phases if p.phase in used] if plan else [],
        opens=sight.lists_events(line),
        people=told["people"],
        forms=[form.step for form in offered(line, who, at.clock.now())],
        **bad.shown,
    )


@router.get("/{report}/as-known")
async def as_known_page(
    request: Request, report: Id, at: AtDoor, who: Reader, moment: str | None = None
) -> HTMLResponse:
    """What was known at the cut-off, what was filed, and what is known today. For whoever sees every report."""
    sight = sight_of(who)
    async with at.reading() as tx:
        line = await line_of(tx, sight, report)
        if not sight.open:
            raise NotFound(report)
        told = await as_known(tx, at.book, line, moment_asked(moment or None))
        plan = await at.terms(tx)
    return page(
        request,
        "reports/as_known.html",
        plan=plan,
        report=line,
        told=told,
        people=told["people"],
        may_open_events=sight.events,
    )


@router.get("/{report}/figures/{figure}")
async def figure_page(
    request: Request,
    report: Id,
    figure: Code,
    at: AtDoor,
    who: Reader,
    version: Annotated[int | None, Query(ge=1)] = None,
) -> HTMLResponse:
    """The events behind one figure."""
    sight = sight_of(who)
    async with at.reading() as tx:
        line = await line_of(tx, sight, report)
        told = await report_file.figure(tx, at.book, sight, line, figure, version)
        plan = await at.terms(tx)
    return page(
        request,
        "reports/figure.html",
        plan=plan,
        report=line,
        told=told,
        people=told["people"],
        may_open_events=sight.events,
        narrow=not sight.open,
    )


async def _do(at: Door, call: Call, form: ReportForm, report: str, typed: Mapping[str, str]) -> Answer:
    """Raises pydantic.ValidationError for a text that is too long, and whatever the command is refused by."""
    given = {name: typed[name] for name in form.body.model_fields if typed.get(name)}
    body: Any = form.body.model_validate(given)
    match form.step:
        case "submission":
            return await submit(at, call, report, body.note)
        case "compilation":
            return await compile_town(at, call, report)
        case "acceptance":
            return await about_report(at, call, ask.AcceptReport(report=report))
        case "return":
            return await about_report(at, call, ask.ReturnReport(report=report, reason=body.reason))
        case _:
            return await about_report(at, call, ask.FileReport(report=report))


def _receives(form: ReportForm) -> Any:
    """The route that takes one form."""

    async def post_form(
        request: Request, report: Id, at: AtDoor, call: Annotated[Call, Depends(form_call(*form.posts))]
    ) -> Response:
        async def work(typed: Mapping[str, str]) -> str:
            await _do(at, call, form, report, typed)
            return f"/reporting/reports/{report}"

        return await taken(
            request,
            form.step,
            work,
            lambda bad: _shown(request, at, call.who, report, bad),
            lambda rule, _: FIELD_OF.get(rule, form.step),
        )

    return post_form


for _form in FORMS:
    router.add_api_route(
        f"/{{report}}/{_form.step}", _receives(_form), methods=["POST"], openapi_extra={"x-span": f"{_form.step}-form"}
    )
