"""Weekly reports by HTTP: the list, one report with its figures, the events behind a figure, and every step up to the filing.

Reports are opened by the calendar, never by hand. Who sees what is said in sight.py; `If-Match` is honoured everywhere.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from services.reporting import report_file
from services.reporting import weekly_report_commands as ask
from services.reporting.as_known import as_known
from services.reporting.content import TOWN
from services.reporting.desk import about_report, compile_town, submit
from services.reporting.read_models import report_line
from services.reporting.report_bodies import (
    AsKnown,
    Because,
    Correction,
    Counted,
    FigurePage,
    LateRecorded,
    Nothing,
    PeriodLine,
    ReportLine,
    ReportPage,
    Scope,
    State,
    Submission,
)
from services.reporting.report_file import line_of
from services.reporting.sight import OPEN, sight_of
from services.reporting.who_may import FILING, OFFICE
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.web.as_of import moment_asked
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/reporting/v1", tags=["reports"])

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(reader())]
Anybody = Annotated[Call, Depends(call())]
AtOffice = Annotated[Call, Depends(call(*OFFICE))]


async def overseer(who: Annotated[Actor, Depends(reader(*sorted(OPEN)))]) -> Actor:
    """A post that sees every report. Raises NotPermitted for whoever is bound to a village."""
    if not sight_of(who).open:
        raise NotPermitted("not for a village")
    return who


@router.get("/periods")
async def list_periods(at: AtDoor, who: Reader) -> list[PeriodLine]:
    """The report periods of the plan in force, in order, with how far the town's report of each is."""
    async with at.reading() as tx:
        plan = await report_file.plan_in_force(tx, at.book)
        rows = await report_line.of_unit(tx, plan.code, TOWN)
    town = {row["period_no"]: row for row in rows}
    return [
        PeriodLine.model_validate(
            {**vars(p), "report": None, "state": None}
            | ({name: town[p.no][name] for name in ("report", "state")} if p.no in town else {})
        )
        for p in plan.periods
    ]


@router.get("/reports")
async def list_reports(
    at: AtDoor,
    who: Reader,
    scope: Scope | None = None,
    unit: Code | None = None,
    period_no: int | None = None,
    state: State | None = None,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[ReportLine]:
    """Reports, newest period first; whoever is held to a unit sees its reports and those the town has filed."""
    async with at.reading() as tx:
        rows = await report_line.page(
            tx,
            limit=limit + 1,
            after=read_cursor(cursor, int, str, str),
            scope=scope,
            unit=unit,
            period_no=period_no,
            state=state,
            reader_unit=sight_of(who).own_unit,
        )
    return page_of(
        rows,
        limit,
        lambda row: ReportLine.model_validate(dict(row)),
        lambda row: (row["period_no"], row["unit"], row["plan"]),
    )


@router.get("/reports/{report}")
async def show_report(report: Id, response: Response, at: AtDoor, who: Reader) -> ReportPage:
    """One report with what it says, what it said before, and its history."""
    sight = sight_of(who)
    async with at.reading() as tx:
        told = await report_file.whole(tx, at.book, sight, await line_of(tx, sight, report))
    response.headers["ETag"] = etag(told["version"])
    return ReportPage.model_validate(told)


@router.get("/reports/{report}/figures/{figure}")
async def show_figure(
    report: Id, figure: Code, at: AtDoor, who: Reader, version: Annotated[int | None, Query(ge=1)] = None
) -> FigurePage:
    """The events behind one figure; they add up to it. `version`: as the report said at that version of its stream."""
    sight = sight_of(who)
    async with at.reading() as tx:
        line = await line_of(tx, sight, report)
        told = await report_file.figure(tx, at.book, sight, line, figure, version)
    return FigurePage.model_validate(told)


@router.get("/reports/{report}/content", response_class=Response)
async def show_content(
    report: Id,
    at: AtDoor,
    who: Annotated[Actor, Depends(overseer)],
    version: Annotated[int | None, Query(ge=1)] = None,
) -> Response:
    """The canonical bytes (RFC 8785), recomputed at the cut; their SHA-256 is the report's `content_sha256`.

    Not for a reader held to a unit: cut and event ids could be tried against each other until they tell what began a hazard.
    """
    async with at.reading() as tx:
        line = await line_of(tx, sight_of(who), report)
        content = await report_file.said_at(tx, at.book, line, version)
    if content is None:
        raise NotFound(f"{report} says nothing yet")
    return Response(content.canonical, media_type="application/json", headers={"ETag": f'"{content.sha256}"'})


@router.get("/reports/{report}/as-known")
async def show_as_known(
    report: Id,
    at: AtDoor,
    who: Annotated[Actor, Depends(overseer)],
    moment: Annotated[str | None, Query(description="2018-02-09T17:00, town time; the cut-off without it.")] = None,
) -> AsKnown:
    """Figures as known at the cut-off, as filed, and as of today, with the events that made each difference."""
    async with at.reading() as tx:
        line = await line_of(tx, sight_of(who), report)
        told = await as_known(tx, at.book, line, moment_asked(moment))
    return AsKnown.model_validate(told)


@router.get("/reports/{report}/preview")
async def preview_report(report: Id, at: AtDoor, who: Reader) -> Counted:
    """What the report would say now."""
    sight = sight_of(who)
    async with at.reading() as tx:
        line = await line_of(tx, sight, report)
        if not sight.lists_events(line):
            raise NotFound(report)
        plan, content = await report_file.preview(tx, at.book, line)
    return Counted.model_validate(report_file.counted_lines(plan, sight, content))


@router.get("/late-recorded")
async def list_late_recorded(
    at: AtDoor, who: Annotated[Actor, Depends(overseer)], period_no: Annotated[int | None, Query(ge=1)] = None
) -> LateRecorded:
    """What was entered late, by who entered it."""
    async with at.reading() as tx:
        people = await report_file.late_recorded(tx, at.book, period_no)
    return LateRecorded.model_validate({"count": sum(one["count"] for one in people), "people": people})


async def _do(command: ask.OfReport, response: Response, at: Door, call: Call) -> Accepted:
    return accepted(await about_report(at, call, command), response)


@router.post("/reports/{report}/submission", status_code=201)
async def submit_report(report: Id, body: Submission, response: Response, at: AtDoor, call: Anybody) -> Accepted:
    """Submits what is known now: by the unit's designated reporter, or a colleague or clerk on the reporter's behalf."""
    return accepted(await submit(at, call, report, body.note), response)


@router.post("/reports/{report}/return", status_code=201)
async def return_report(report: Id, body: Because, response: Response, at: AtDoor, call: AtOffice) -> Accepted:
    """Sends a submitted report back, with a reason."""
    return await _do(ask.ReturnReport(report=report, **dict(body)), response, at, call)


@router.post("/reports/{report}/acceptance", status_code=201)
async def accept_report(report: Id, body: Nothing, response: Response, at: AtDoor, call: AtOffice) -> Accepted:
    """Accepts a submitted report; from here on it changes by restatement only."""
    return await _do(ask.AcceptReport(report=report), response, at, call)


@router.post("/reports/{report}/compilation", status_code=201)
async def compile_report(report: Id, body: Nothing, response: Response, at: AtDoor, call: AtOffice) -> Accepted:
    """Compiles the town's report, once every unit has reported or is missing."""
    return accepted(await compile_town(at, call, report), response)


@router.post("/reports/{report}/filing", status_code=201)
async def file_report(
    report: Id, body: Nothing, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*FILING))]
) -> Accepted:
    """Sends the town's report upward; from here on it changes by restatement only."""
    return await _do(ask.FileReport(report=report), response, at, call)


@router.post("/reports/{report}/corrections", status_code=201)
async def correct_report(report: Id, body: Correction, response: Response, at: AtDoor, call: AtOffice) -> Accepted:
    """Corrects an hour or a note, with a reason. Figures are not corrected: the events behind them are."""
    return await _do(ask.CorrectReport(report=report, **dict(body)), response, at, call)


@router.post("/reports/{report}/entered-in-error", status_code=201)
async def enter_report_in_error(report: Id, body: Because, response: Response, at: AtDoor, call: AtOffice) -> Accepted:
    """Marks the whole report as a mistake, with a reason."""
    return await _do(ask.EnterReportInError(report=report, **dict(body)), response, at, call)
