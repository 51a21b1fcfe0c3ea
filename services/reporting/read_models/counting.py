"""Which event counts for which figure, in one table; and which later event takes a count away or moves it elsewhere.

What the figures are called, their order and who reports them is said by the plan.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared.contracts.cases import hazard, site
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.contracts.intake import patrol, tip

ONCE = (0,)


def _always(_: Any) -> tuple[int, ...]:
    return ONCE


def _when(test: Callable[[Any], bool]) -> Callable[[Any], tuple[int, ...]]:
    return lambda event: ONCE if test(event) else ()


def _verified(result: str) -> Callable[[Any], tuple[int, ...]]:
    return _when(lambda event: event.result == result)


def _findings(event: patrol.PatrolRecorded) -> tuple[int, ...]:
    return tuple(finding.no for finding in event.findings)


def _live_findings(event: patrol.PatrolRecorded) -> tuple[int, ...]:
    return tuple(finding.no for finding in event.findings if finding.live)


@dataclass(frozen=True)
class Rule:
    """`parts`: how often the event counts, (0,) for once, a number each for what it holds several of.

    `at`: the field that says when it happened, None for the envelope's time.
    """

    figure: str
    event: type[Event]
    parts: Callable[[Any], tuple[int, ...]] = _always
    at: str | None = None


RULES = (
    Rule("tips_received", tip.TipReceived),
    Rule("tips_live", tip.TipReceived, _when(lambda t: t.live)),
    Rule("tips_live", tip.TipMarkedLive),
    Rule("tips_screened", tip.TipScreened),
    Rule("tips_substantiated", tip.TipVerified, _verified("substantiated")),
    Rule("tips_unsubstantiated", tip.TipVerified, _verified("unsubstantiated")),
    Rule("tips_insufficient", tip.TipVerified, _verified("insufficient")),
    Rule("tips_out_of_area", tip.TipVerified, _verified("out_of_area")),
    Rule("tips_forwarded", tip.TipForwarded),
    Rule("tips_closed", tip.TipClosed),
    Rule("patrols", patrol.PatrolRecorded, at="ended_at"),
    Rule("patrol_findings", patrol.PatrolRecorded, _findings, at="ended_at"),
    Rule("patrols_without_finding", patrol.PatrolRecorded, _when(lambda p: p.no_finding), at="ended_at"),
    Rule("live_findings", patrol.PatrolRecorded, _live_findings, at="ended_at"),
    Rule("sites_registered", site.SiteRegistered),
    Rule("hazards_listed", hazard.HazardListed, at="discovered_at"),
    Rule("hazards_live", hazard.HazardListed, _when(lambda h: h.live), at="discovered_at"),
    Rule("hazards_recurred", hazard.HazardListed, _when(lambda h: h.recurrence_of is not None), at="discovered_at"),
    Rule("findings_attached", hazard.HazardFindingAttached),
    Rule("three_fixes_ordered", hazard.HazardThreeFixOrdered),
    Rule("extensions_granted", hazard.HazardExtended),
    Rule("extensions_refused", hazard.HazardExtensionRefused),
    Rule("became_overdue", hazard.HazardBecameOverdue),
    Rule("hazards_completed", hazard.HazardCompleted),
    Rule("hazards_rejected", hazard.HazardRejected),
    Rule("hazards_closed_out", hazard.HazardClosedOut),
)
EVENTS = tuple(dict.fromkeys(rule.event for rule in RULES))


@dataclass(frozen=True)
class Count:
    """One count of an event: for which figure, which part of the event, and when it happened."""

    figure: str
    part: int
    occurred_at: datetime


def counts_of(e: Recorded[Any]) -> Iterator[Count]:
    """Every count that the event gives rise to."""
    for rule in RULES:
        if isinstance(e.event, rule.event):
            occurred_at = getattr(e.event, rule.at) if rule.at else e.occurred_at
            for part in rule.parts(e.event):
                yield Count(rule.figure, part, occurred_at)


@dataclass(frozen=True)
class Moved:
    """A correction that puts counts of the same record elsewhere: `column` gets `value`, for these figures or all (None)."""

    column: str
    value: Any
    figures: frozenset[str] | None = None


FIELDS: dict[tuple[type[Event], str], str] = {
    (patrol.PatrolCorrected, "village"): "village",
    (patrol.PatrolCorrected, "unit"): "unit",
    (patrol.PatrolCorrected, "ended_at"): "occurred_at",
    (hazard.HazardCorrected, "village"): "village",
    (hazard.HazardCorrected, "discovered_at"): "occurred_at",
    (site.SiteCorrected, "village"): "village",
}
"""Corrected fields that decide to whom and to which week something is counted, and the column each of them fills."""

BY_FIELD = {field: frozenset(r.figure for r in RULES if r.at == field) for field in ("ended_at", "discovered_at")}
CORRECTIONS = (patrol.PatrolCorrected, hazard.HazardCorrected, site.SiteCorrected)
ERRORS = (tip.TipEnteredInError, patrol.PatrolEnteredInError, hazard.HazardEnteredInError, site.SiteEnteredInError)


def moved_by(e: Recorded[Any]) -> Moved | None:
    """None when the event is no correction, or one that changes no count."""
    column = FIELDS.get((type(e.event), getattr(e.event, "field", "")))
    if column is None:
        return None
    value = e.event.value
    return Moved(column, value.at if column == "occurred_at" else value.code, BY_FIELD.get(e.event.field))


def takes_away(e: Recorded[Any]) -> bool:
    """Whether nothing of the record counts any more."""
    return isinstance(e.event, ERRORS)
