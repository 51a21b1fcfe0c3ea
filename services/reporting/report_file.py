"""A report put together for whoever reads it: what it says, how it came to it, and the events behind one figure."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from services.reporting.content import TOWN, Content, Counted, figures_of, is_late
from services.reporting.read_models import fact, report_content, report_line, report_step
from services.reporting.read_models.report_line import Line
from services.reporting.recount import (
    content_at,
    counted_of,
    cut_from,
    plan_of,
    positions,
    present_cut,
)
from services.reporting.sight import Sight
from shared.contracts.parts import CutAt
from shared.errors import NoPlanInForce, NotFound, Refusal
from shared.identity import posts
from shared.plan.book import PlanBook
from shared.plan.calendar import town_day
from shared.plan.terms import PlanTerms
from shared.sql import Tx


class ContentNotReproduced(Refusal):
    """本期内容按原截点重算不出来：来源的历史与当时不同。请联系管理员。
    The content cannot be recomputed at its cut: a source's history is not what it was. Tell the administrator."""


async def line_of(tx: Tx, sight: Sight, report: str) -> Line:
    """The report's line. Raises NotFound, also for a report this reader may not see."""
    line = await report_line.one(tx, report)
    if line is None or not sight.covers(line):
        raise NotFound(report)
    return line


async def plan_in_force(tx: Tx, book: PlanBook) -> PlanTerms:
    """Raises NoPlanInForce."""
    plan = await book.in_force(tx)
    if plan is None:
        raise NoPlanInForce
    return plan


async def said_at(tx: Tx, book: PlanBook, line: Line, version: int | None) -> Content | None:
    """What the report said at that version of its stream, recomputed at its cut; None: what stands now, or stood last.

    None when it says nothing yet. Raises NotFound for a version that says nothing, ContentNotReproduced.
    """
    said = await report_content.of(tx, line["report"])
    if version is not None:
        said = [row for row in said if row["version"] == version]
        if not said:
            raise NotFound(f"{line['report']} says nothing at {version}")
    if not said:
        return None
    row = said[-1]
    content = await content_at(tx, await plan_of(tx, book, row["plan_version"]), line, cut_from(row["cut"]))
    if content.sha256 != row["content_sha256"]:
        raise ContentNotReproduced(stated=row["content_sha256"], recomputed=content.sha256)
    return content


async def preview(tx: Tx, book: PlanBook, line: Line) -> tuple[PlanTerms, Content]:
    """What the report would say now."""
    plan = await plan_in_force(tx, book)
    return plan, await content_at(tx, plan, line, await present_cut(tx))


async def whole(tx: Tx, book: PlanBook, sight: Sight, line: Line) -> dict[str, Any]:
    """Everything about one report that this reader may have."""
    standing = line["content_version"]
    content = await said_at(tx, book, line, standing) if standing is not None else None
    said = await report_content.of(tx, line["report"])
    history = await report_step.of(tx, line["report"]) if sight.lists_events(line) else []
    steps = [sight.step(step) for step in history]
    compiled = [row for row in said if row["kind"] == "compiled"]
    plan = await plan_of(tx, book, content.plan_version) if content else await book.in_force(tx)
    return {
        **line,
        "counted": counted_lines(plan, sight, content) if content and plan else None,
        "lines": compiled[-1]["lines"] if compiled and sight.open else [],
        "said": [_said(sight, row) for row in said] if sight.lists_events(line) else [],
        "steps": steps,
        "people": await names_of(tx, (p for step in steps for p in (step["actor"], step["on_behalf_of"]))),
    }


def counted_lines(plan: PlanTerms, sight: Sight, content: Content) -> dict[str, Any]:
    """The figures, with names, phases and how many were entered late."""
    cut_off_at = content.about.cut_off_at
    return {
        "plan_version": content.plan_version,
        "figures": [
            {
                **_named(plan, f.figure),
                "value": f.value,
                "by_phase": f.by_phase,
                "late": sum(is_late(plan, cut_off_at, one) for one in f.events),
            }
            for f in content.figures
            if sight.shows(f.figure, content.about.unit)
        ],
        "cut": list(content.cut) if sight.open else None,
        "sha256": content.sha256 if sight.open else None,
    }


def _named(plan: PlanTerms, figure: str) -> dict[str, str]:
    return {"figure": figure, "name": plan.name("figure", figure), "name_en": plan.name("figure", figure, "en")}


def _said(sight: Sight, row: Mapping[str, Any]) -> dict[str, Any]:
    hidden = row["kind"] == "restated" and not sight.open
    told = {name: row[name] for name in ("version", "kind", "restatement_no", "plan_version", "content_sha256")}
    return {
        **told,
        "at": None if hidden else row["at"],
        "on": town_day(row["at"]),
        "changes": [sight.change(change) for change in row["changes"]],
    }


async def figure(
    tx: Tx, book: PlanBook, sight: Sight, line: Line, code: str, version: int | None = None
) -> dict[str, Any]:
    """The events behind one figure. Raises NotFound for a figure the report does not have, or that does not open here."""
    if not sight.lists_events(line):
        raise NotFound(f"{line['report']} {code}")
    shown = version if version is not None else line["content_version"]
    content = await said_at(tx, book, line, shown) if shown is not None else None
    if content is not None:
        plan = await plan_of(tx, book, content.plan_version)
    else:
        plan, content = await preview(tx, book, line)
    counts = content.of(code)
    if counts is None:
        raise NotFound(f"{line['report']} {code}")
    told = await _details(tx, line, content.cut)
    events = [sight.event(_entry(plan, line, one, told)) for one in counts.events]
    return {
        **_named(plan, code),
        "report": line["report"],
        "value": counts.value,
        "by_phase": counts.by_phase,
        "standing": shown is not None,
        "events": events,
        "people": await names_of(tx, (p for e in events for p in (e["actor"], e["on_behalf_of"]) if p)),
    }


async def _details(tx: Tx, line: Line, cut: Sequence[CutAt]) -> dict[tuple[str, int], asyncpg.Record]:
    """(source, position) → what is known of the event beside its count."""
    rows = await fact.at_cut(tx, line["starts_at"], line["cut_off_at"], positions(cut))
    return {(row["source"], row["position"]): row for row in rows}


def _entry(plan: PlanTerms, line: Line, one: Counted, told: Mapping[tuple[str, int], asyncpg.Record]) -> dict[str, Any]:
    row = told[one.source, one.position]
    return {
        **{name: row[name] for name in ("type", "stream", "number", "on_behalf_of")},
        **{name: getattr(one, name) for name in ("event_id", "part", "source", "position", "village", "unit")},
        "occurred_at": one.occurred_at,
        "recorded_at": one.recorded_at,
        "actor": one.actor,
        "phase": plan.phase_at(one.occurred_at),
        "late": is_late(plan, line["cut_off_at"], one),
    }


async def late_recorded(tx: Tx, book: PlanBook, period_no: int | None) -> list[dict[str, Any]]:
    """Who entered what late: (person, on whose behalf) with the events, most first; all periods, or one.

    Counted as of now, each event once, over everything the town's report counts. Raises NoPlanInForce.
    """
    plan = await plan_in_force(tx, book)
    cut, wanted = await present_cut(tx), set(figures_of(plan, TOWN))
    found: dict[tuple[str, str | None], dict[str, dict[str, Any]]] = {}
    for period in plan.periods:
        if period_no not in (None, period.no):
            continue
        rows = await fact.at_cut(tx, period.starts_at, period.cut_off_at, positions(cut))
        for row in rows:
            if row["figure"] in wanted and is_late(plan, period.cut_off_at, counted_of(row)):
                one = found.setdefault((row["actor"], row["on_behalf_of"]), {})
                one[row["event_id"]] = {**row, "period_no": period.no}
    names = await names_of(tx, (person for person, _ in found))
    by_person = [
        {
            "person": person,
            "name": names.get(person),
            "on_behalf_of": behalf,
            "count": len(events),
            "events": list(events.values()),
        }
        for (person, behalf), events in found.items()
    ]
    return sorted(by_person, key=lambda told: (-told["count"], told["person"], told["on_behalf_of"] or ""))


async def names_of(tx: Tx, people: Iterable[str | None]) -> dict[str, str]:
    """Names by person id, of those whose name can be read."""
    wanted = {person for person in people if person}
    known = await posts.names(tx) if wanted else {}
    return {person: known[person] for person in sorted(wanted & known.keys())}
