"""What the office knew when a period was cut off, beside what was filed and what is known now; each difference by its events."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import asyncpg

from services.reporting.content import Content, covers, moved
from services.reporting.read_models import fact, report_content, report_step
from services.reporting.read_models.report_line import Line
from services.reporting.recount import content_at, plan_of, positions, present_cut
from services.reporting.report_file import names_of, said_at
from shared.audit.moment import received_at
from shared.audit.told import told_at
from shared.contracts.parts import CutAt
from shared.errors import NotFound
from shared.plan.book import PlanBook
from shared.sql import Tx

SERVICE = "reporting"


async def as_known(tx: Tx, book: PlanBook, line: Line, at: datetime | None = None) -> dict[str, Any]:
    """Figures as known at `at` (the cut-off), as filed, and as of today, with the events that made each difference.

    What was filed is recomputed at its cut, and its bytes are those that were filed. Raises NotFound for a report that says
    nothing yet, ContentNotReproduced.
    """
    version = await filed_version(tx, line["report"])
    filed = await said_at(tx, book, line, version)
    assert filed is not None
    plan = await plan_of(tx, book, filed.plan_version)
    at = at or line["cut_off_at"]
    known = await content_at(tx, plan, line, await known_cut(tx, at))
    today = await content_at(tx, plan, line, await present_cut(tx))
    why = Why(tx, line)
    figures = [
        {
            "figure": of.figure,
            "name": plan.name("figure", of.figure),
            "name_en": plan.name("figure", of.figure, "en"),
            "known": _value(known, of.figure),
            "filed": of.value,
            "today": _value(today, of.figure),
            "until_filed": await why.moved(known, filed, of.figure),
            "since": await why.moved(filed, today, of.figure),
        }
        for of in filed.figures
    ]
    return {
        **{name: line[name] for name in ("report", "unit", "period_no", "cut_off_at", "filed_at")},
        "at": at,
        "version": version,
        "content_sha256": filed.sha256,
        "cuts": {"known": known.cut, "filed": filed.cut, "today": today.cut},
        "figures": figures,
        "people": await names_of(tx, why.actors),
    }


async def filed_version(tx: Tx, report: str) -> int:
    """The version at which it said what was filed; not filed, what was handed in or compiled last. Raises NotFound."""
    filed = [step["version"] for step in await report_step.of(tx, report) if step["type"].split(".")[-2] == "filed"]
    said = [
        row["version"]
        for row in await report_content.of(tx, report)
        if (row["version"] < filed[-1] if filed else row["kind"] != "restated")
    ]
    if not said:
        raise NotFound(f"{report} says nothing yet")
    return int(said[-1])


async def known_cut(tx: Tx, at: datetime) -> tuple[CutAt, ...]:
    """How far each source can have been known here at that moment (shared/audit/moment.py)."""
    rows = {source: await received_at(tx, source, at) for source in fact.SOURCES}
    return tuple(
        CutAt(source=source, lineage=str(row["lineage"]), position=row["position"])
        for source, row in rows.items()
        if row is not None
    )


def _value(content: Content, figure: str) -> int:
    counts = content.of(figure)
    return counts.value if counts is not None else 0


class Why:
    """Which event made one count come in or go out: of a correction the correction, not what was corrected."""

    def __init__(self, tx: Tx, line: Line) -> None:
        self._tx, self._line = tx, line
        self.actors: set[str] = set()
        self._rows: dict[tuple[tuple[str, int], ...], dict[str, list[asyncpg.Record]]] = {}

    async def moved(self, before: Content, after: Content, figure: str) -> list[dict[str, Any]]:
        """In log order: `change` +1 or -1, `counted` the counted event's id, and the `cause`."""
        found = []
        for event_id in moved(before, after, figure):
            earlier, later = (after, before) if covers(before.cut, after.cut) else (before, after)
            then, now = await self._of(earlier.cut, event_id), await self._of(later.cut, event_id)
            change = _times(after, figure, event_id) - _times(before, figure, event_id)
            source, position = _cause(then, now)
            cause = await told_at(self._tx, SERVICE, source, position)
            assert cause is not None  # what is counted was received
            self.actors.add(cause.actor)
            moments = {name: datetime.fromisoformat(getattr(cause, name)) for name in ("occurred_at", "recorded_at")}
            found.append({"change": change, "counted": event_id, "cause": asdict(cause) | moments})
        return found

    async def _of(self, cut: Sequence[CutAt], event_id: str) -> list[asyncpg.Record]:
        key = tuple(sorted(positions(cut).items()))
        if key not in self._rows:
            by_event: dict[str, list[asyncpg.Record]] = {}
            line: Mapping[str, Any] = self._line
            for row in await fact.at_cut(self._tx, line["starts_at"], line["cut_off_at"], dict(key)):
                by_event.setdefault(row["event_id"], []).append(row)
            self._rows[key] = by_event
        return self._rows[key].get(event_id, [])


def _times(content: Content, figure: str, event_id: str) -> int:
    counts = content.of(figure)
    return sum(one.event_id == event_id for one in counts.events) if counts is not None else 0


def _cause(then: Sequence[asyncpg.Record], now: Sequence[asyncpg.Record]) -> tuple[str, int]:
    """What began a row that stands now only, or else ended one that stood then only: (source, position)."""
    before = {tuple(row) for row in then}
    begun = [row for row in now if tuple(row) not in before]
    if begun:
        return begun[0]["source"], begun[0]["from_position"]
    after = {tuple(row) for row in now}
    ended = next(row for row in then if tuple(row) not in after)
    return ended["source"], ended["until_position"]
