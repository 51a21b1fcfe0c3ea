"""What deciders, reactions and pages ask a plan: codes and their names, deadlines, periods, posts. Pure, immutable, cheap."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Literal

from shared.decider import Actor
from shared.errors import Refusal
from shared.plan.calendar import FIXED, Calendar, at, days_of, reckoned, town_day
from shared.plan.model import Channel, Figure, Keepers, Named, Person, Plan, Rule

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class RuleNotInForce(Refusal):
    """实施方案没有规定这项期限，或当日尚未生效，暂不能办理。请核对方案的 rules。
    The plan gives no such term, or none that holds on that day, so this cannot be done. See the plan's rules.

    Or the rule is a threshold and no term.
    """


@dataclass(frozen=True)
class PhaseTimes:
    """A phase: first and last day in town time, and the same as moments (`ends_at` is the day after, 00:00)."""

    phase: str
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime


@dataclass(frozen=True)
class Period:
    """What one report is about: from `starts_at` (in) to `cut_off_at` (out). All moments are aware, in UTC."""

    no: int
    starts_at: datetime
    cut_off_at: datetime
    due_at: datetime
    missing_at: datetime
    closing: bool


@dataclass(frozen=True)
class PlanTerms:
    """A plan, ready to be asked. `version` as envelopes name it: `<plan code>@<version in the file>`."""

    plan: Plan
    version: str

    @property
    def code(self) -> str:
        return self.plan.code

    @property
    def title(self) -> str:
        """The campaign's name in Chinese."""
        return self.plan.name

    @property
    def jurisdiction(self) -> str:
        return self.plan.jurisdiction

    # --- codes and names

    @cached_property
    def _named(self) -> Mapping[str, Mapping[str, Named]]:
        plan = self.plan
        lists: dict[str, Sequence[Named]] = {
            "channel": plan.channels,
            "village": plan.villages,
            "unit": (*plan.units, plan.town),
            "post": plan.posts,
            "category": plan.categories,
            "violation": plan.violations,
            "mineral": plan.minerals,
            "modus": plan.modus,
            "pretext": plan.pretexts,
            "patrol_class": plan.patrols.classes,
            "handling": plan.patrols.handling,
            "measure": plan.measures,
            "forward_to": plan.forward_to,
            "patrol_reason": plan.patrols.reasons,
            "phase": plan.phases,
            "figure": plan.reports.figures,
        }
        return {kind: {named.code: named for named in entries} for kind, entries in lists.items()}

    def codes(self, kind: str) -> tuple[str, ...]:
        """Every code of a list, in the plan's order; none for a list the plan does not have."""
        return tuple(self._named.get(kind, ()))

    def knows(self, kind: str, code: str) -> bool:
        """Whether `code` stands in the list `kind`; False for a list the plan does not have."""
        return code in self._named.get(kind, {})

    def name(self, kind: str, code: str, lang: Literal["zh", "en"] = "zh") -> str:
        """What people call it; the code itself when the plan does not know it."""
        named = self._named.get(kind, {}).get(code)
        return code if named is None else named.zh if lang == "zh" else named.en

    @property
    def channels(self) -> tuple[Channel, ...]:
        return self.plan.channels

    @property
    def ladder(self) -> tuple[str, ...]:
        """Posts an overdue item climbs, the foot first; "handler" is whoever is responsible for it."""
        return self.plan.ladder

    @property
    def people(self) -> tuple[Person, ...]:
        return self.plan.people

    def keepers(self, category: str) -> Keepers | None:
        """Who answers for sites of that category; None for a category the plan does not know."""
        return self._keepers.get(category)

    @cached_property
    def _keepers(self) -> Mapping[str, Keepers]:
        return {category.code: category.keepers for category in self.plan.categories}

    # --- units

    @property
    def town_unit(self) -> str:
        """What stands for a unit in the town's own reports."""
        return self.plan.town.code

    @property
    def reporting_units(self) -> tuple[str, ...]:
        return self.plan.reports.units

    @cached_property
    def _units_of_villages(self) -> Mapping[str, str]:
        return {village.code: village.unit for village in self.plan.villages}

    @cached_property
    def _villages_of_units(self) -> Mapping[str, str]:
        return {unit: village for village, unit in self._units_of_villages.items()}

    def unit_of_village(self, village: str) -> str | None:
        return self._units_of_villages.get(village)

    def village_of_unit(self, unit: str) -> str | None:
        """None for a unit that is no village."""
        return self._villages_of_units.get(unit)

    # --- rules

    @cached_property
    def calendar(self) -> Calendar:
        return Calendar(self.plan.calendar)

    def rule(self, code: str, when: datetime) -> Rule:
        """The row of `code` that held on the town's day of `when`. Raises RuleNotInForce."""
        day = town_day(when)
        for row in self._rules.get(code, ()):
            if row.from_on <= day and (row.until_on is None or day <= row.until_on):
                return row
        raise RuleNotInForce(rule=code, on=day.isoformat(), plan=self.version)

    @cached_property
    def _rules(self) -> Mapping[str, list[Rule]]:
        rows: dict[str, list[Rule]] = {}
        for row in self.plan.rules:
            rows.setdefault(row.code, []).append(row)
        return rows

    def due(self, rule: str, start: datetime) -> datetime:
        """When the term that begins at `start` ends, by the rule as it held then; the earliest of its readings, in UTC.

        Raises RuleNotInForce.
        """
        return min(self.readings(rule, start).values())

    def readings(self, rule: str, start: datetime) -> dict[str, datetime]:
        """Every way to reckon the term: one, or several where the rule does not say which days it means.

        natural_days, rolled_days (a last day on a holiday moves to the next working day) and working_days. Raises RuleNotInForce.
        """
        ends = reckoned(self.rule(rule, start), start, self.calendar)
        if not ends:
            raise RuleNotInForce(rule=rule, plan=self.version)
        return ends

    @cached_property
    def longest_deadline(self) -> timedelta:
        """How far ahead the deadline of a three-fix may lie."""
        row = self.rule("longest_deadline", self.starts_at)
        return FIXED[row.unit] * row.value

    @cached_property
    def recurrence_watch_until(self) -> datetime:
        """The last moment at which a new find at a closed hazard's place counts as its recurrence."""
        return self.due("recurrence_watch", self.ends_at)

    # --- time

    @cached_property
    def starts_at(self) -> datetime:
        return at(self.plan.starts_on)

    @cached_property
    def ends_at(self) -> datetime:
        """The first moment after the campaign."""
        return at(self.plan.ends_on, "24:00")

    @cached_property
    def phases(self) -> tuple[PhaseTimes, ...]:
        return tuple(
            PhaseTimes(p.code, p.starts_on, p.ends_on, at(p.starts_on), at(p.ends_on, "24:00"))
            for p in self.plan.phases
        )

    def phase_at(self, moment: datetime) -> str | None:
        """The code of the phase that `moment` falls in; None outside the campaign."""
        return next((p.phase for p in self.phases if p.starts_at <= moment < p.ends_at), None)

    @property
    def figures(self) -> tuple[Figure, ...]:
        """The numbers of a report, in the order in which it lists them."""
        return self.plan.reports.figures

    @cached_property
    def periods(self) -> tuple[Period, ...]:
        """What the reports are about, in order: they tile the campaign, and the last is the closing one."""
        reports = self.plan.reports
        weekday = WEEKDAYS.index(reports.weekday)
        days = [d for d in days_of(self.plan.starts_on, self.plan.ends_on) if d.weekday() == weekday]
        ends = [(at(d, reports.cut_off_at), at(d, reports.due_at)) for d in days]
        ends.append((self.ends_at, at(reports.closing.due_on, reports.closing.due_at)))
        starts = [self.starts_at, *(cut_off for cut_off, _ in ends)]
        return tuple(
            Period(no, starts_at, cut_off, due, self.due("report_grace", due), closing=no == len(ends))
            for no, (starts_at, (cut_off, due)) in enumerate(zip(starts, ends, strict=False), start=1)
        )

    def period(self, no: int) -> Period:
        """Raises IndexError for a number the campaign does not have."""
        if not 1 <= no <= len(self.periods):
            raise IndexError(f"{self.code} has periods 1 to {len(self.periods)}, not {no}")
        return self.periods[no - 1]

    def period_at(self, moment: datetime) -> Period | None:
        """The period that `moment` falls in; None outside the campaign."""
        return next((p for p in self.periods if p.starts_at <= moment < p.cut_off_at), None)


@dataclass(frozen=True)
class Terms:
    """What a decider is told beside its state: the time, who acts, and the plan in force (None before any adoption)."""

    now: datetime
    actor: Actor
    plan: PlanTerms | None
