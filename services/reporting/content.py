"""What a report says, and its canonical bytes: pure arithmetic over counted events. A figure is the length of its list."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Literal

import rfc8785

from shared.contracts.parts import CutAt, Figure
from shared.plan.terms import PlanTerms, RuleNotInForce

TIP_FIGURES = frozenset(
    {
        "tips_received", "tips_live", "tips_screened", "tips_substantiated", "tips_unsubstantiated",
        "tips_insufficient", "tips_out_of_area", "tips_forwarded", "tips_closed",
    }
)  # fmt: skip
"""Only the town reports on tips, whatever a plan's figure list says: a village must not learn of one."""

PATROL_FIGURES = frozenset({"patrols", "patrols_without_finding", "patrol_findings", "live_findings"})

LATE_FIGURE = "late_recorded"
"""Counts again, once an event, what the other figures of the report count and somebody entered late."""

FIGURES = (
    TIP_FIGURES
    | PATROL_FIGURES
    | {
        "sites_registered",
        "hazards_listed",
        "hazards_live",
        "hazards_recurred",
        "findings_attached",
        "three_fixes_ordered",
    }
    | {"extensions_granted", "extensions_refused", "became_overdue"}
    | {"hazards_completed", "hazards_rejected", "hazards_closed_out", LATE_FIGURE}
)
"""Every figure that can be counted here; a plan chooses among them. What it asks beyond is left out, rather than shown as 0."""

LATE_RULE = "late_recorded_after"
TOWN = "town"
"""Stands for a unit in the town's own reports, whatever the plan calls it."""

NO_PHASE = "outside"
"""Stands for a phase when an event lies outside the campaign."""


@dataclass(frozen=True)
class About:
    """Which report, of whom, over which span of time (`starts_at` in, `cut_off_at` out)."""

    report: str
    unit: str
    period_no: int
    starts_at: datetime
    cut_off_at: datetime


@dataclass(frozen=True)
class Counted:
    """One event counted once for one figure; `part` tells apart what one event counts several times (a patrol's findings).

    `unit`: who did it, None when it belongs to whoever answers for `village`.
    """

    figure: str
    event_id: str
    part: int
    source: str
    position: int
    village: str | None
    unit: str | None
    occurred_at: datetime
    recorded_at: datetime
    actor: str

    @property
    def name(self) -> str:
        """As it stands in a report's list: the event's id, with the part behind it when there are several."""
        return f"{self.event_id}:{self.part}" if self.part else self.event_id


@dataclass(frozen=True)
class Counts:
    """A figure with what it was counted from, in the order of the sources' logs; `by_phase`: phase code → number."""

    figure: str
    by_phase: dict[str, int]
    events: tuple[Counted, ...]

    @property
    def value(self) -> int:
        return len(self.events)


@dataclass(frozen=True)
class Content:
    """`figures` in the plan's order."""

    about: About
    plan_version: str
    figures: tuple[Counts, ...]
    cut: tuple[CutAt, ...]

    @property
    def values(self) -> tuple[Figure, ...]:
        return tuple(Figure(figure=f.figure, value=f.value) for f in self.figures)

    @property
    def canonical(self) -> bytes:
        """RFC 8785 JSON; the same cut gives the same bytes, whatever came later."""
        return rfc8785.dumps(
            {
                "report": self.about.report,
                "plan": self.plan_version,
                "unit": self.about.unit,
                "period": {
                    "no": self.about.period_no,
                    "starts_at": _moment(self.about.starts_at),
                    "cut_off_at": _moment(self.about.cut_off_at),
                },
                "figures": [
                    {
                        "figure": f.figure,
                        "value": f.value,
                        "by_phase": dict(f.by_phase),
                        "events": [counted.name for counted in f.events],
                    }
                    for f in self.figures
                ],
                "cut": [at.model_dump() for at in self.cut],
            }
        )

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.canonical).hexdigest()

    def of(self, figure: str) -> Counts | None:
        """None for a figure this report does not have."""
        return next((f for f in self.figures if f.figure == figure), None)


def content_of(plan: PlanTerms, about: About, counted: Iterable[Counted], cut: Sequence[CutAt]) -> Content:
    """`counted`: everything known at the cut; what belongs to other units, weeks or figures is left out here."""
    lists: dict[str, list[Counted]] = {figure: [] for figure in figures_of(plan, about.unit)}
    late: dict[str, Counted] = {}
    for one in counted:
        if one.figure in lists and about.starts_at <= one.occurred_at < about.cut_off_at and _is_of(plan, about, one):
            lists[one.figure].append(one)
            if is_late(plan, about.cut_off_at, one):
                late[one.event_id] = replace(one, figure=LATE_FIGURE, part=0)
    if LATE_FIGURE in lists:
        lists[LATE_FIGURE] = list(late.values())
    figures = tuple(_counts(plan, figure, found) for figure, found in lists.items())
    return Content(about, plan.version, figures, tuple(sorted(cut, key=lambda at: at.source)))


def covers(cut: Sequence[CutAt], other: Sequence[CutAt]) -> bool:
    """Whether `cut` has seen of every source at least what `other` has. Another lineage is another past, and newer."""
    seen = {at.source: at for at in cut}
    return all(
        at.source in seen and (seen[at.source].lineage != at.lineage or seen[at.source].position >= at.position)
        for at in other
    )


def differences(stood: Sequence[Figure], now: Sequence[Figure]) -> list[tuple[str, int, int]]:
    """(figure, before, after) of every figure that is another number now; one that is not listed is 0."""
    old, new = ({f.figure: f.value for f in figures} for figures in (stood, now))
    codes = dict.fromkeys([*new, *old])
    return [(code, old.get(code, 0), new.get(code, 0)) for code in codes if old.get(code, 0) != new.get(code, 0)]


def moved(before: Content, after: Content, figure: str) -> tuple[str, ...]:
    """Ids of the events that were counted for the figure then or are counted now, and not both; in log order."""
    then, now = ({c.name: c for c in f.events} if f else {} for f in (before.of(figure), after.of(figure)))
    changed = [(then | now)[name] for name in then.keys() ^ now.keys()]
    changed.sort(key=lambda c: (c.source, c.position, c.part))
    return tuple(dict.fromkeys(c.event_id for c in changed))


def figures_of(plan: PlanTerms, unit: str) -> tuple[str, ...]:
    """Codes of the figures that the unit, or the town, reports."""
    scope = scope_of(unit)
    left_out = TIP_FIGURES if scope == "unit" else frozenset()
    return tuple(f.code for f in plan.figures if scope in f.scopes and f.code in FIGURES - left_out)


def scope_of(unit: str) -> Literal["unit", "town"]:
    """Whose report it is."""
    return "town" if unit == TOWN else "unit"


def is_late(plan: PlanTerms, cut_off_at: datetime, one: Counted) -> bool:
    """Entered after the period's cut-off, or later than the plan allows; what the system adds by itself is nobody's delay."""
    if one.actor.startswith("system:"):
        return False
    if one.recorded_at >= cut_off_at:
        return True
    try:
        return one.recorded_at > plan.due(LATE_RULE, one.occurred_at)
    except RuleNotInForce:
        return False


def _is_of(plan: PlanTerms, about: About, one: Counted) -> bool:
    """The town counts everything, also what no unit answers for."""
    if about.unit == TOWN:
        return True
    if one.unit is not None:
        return one.unit == about.unit
    return one.village is not None and plan.unit_of_village(one.village) == about.unit


def _counts(plan: PlanTerms, figure: str, found: list[Counted]) -> Counts:
    events = tuple(sorted(found, key=lambda one: (one.source, one.position, one.part)))
    by_phase: dict[str, int] = {}
    for one in events:
        phase = plan.phase_at(one.occurred_at) or NO_PHASE
        by_phase[phase] = by_phase.get(phase, 0) + 1
    return Counts(figure, by_phase, events)


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
