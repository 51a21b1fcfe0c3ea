"""Who sees which reports, and how much of one. The only place where that is decided, for JSON and pages alike.

open    the campaign's own posts, police, land bureau, auditor: every report, and the events behind each figure
narrow  everybody else, above all whoever is bound to a village: the own unit's reports, and the town's once it is filed,
        without its figures of tips and patrols

The accused village must not learn that a tip began a hazard. A narrow reader gets of an event its day, its type and the
hazard's number: no hour, no person, no id. Ids and cuts are kept back too, because an event's id is derived from what caused
it, and whoever knows position and lineage of a source could try out which.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from services.reporting.content import PATROL_FIGURES, TIP_FIGURES, TOWN
from shared.decider import Actor
from shared.plan.calendar import town_day

OPEN = frozenset(
    {
        "office_director", "clerk", "deputy_leader", "group_leader", "inspector", "duty_officer",
        "police_officer", "land_officer", "auditor",
    }
)  # fmt: skip
"""Posts that see every report, unless they are bound to a village."""

EVENT_READERS = frozenset({"office_director", "clerk", "deputy_leader", "group_leader", "auditor"})
"""Posts to whom a service shows a single event as it stands in the record."""


@dataclass(frozen=True)
class Sight:
    """One reader's view. `events`: may follow an event into its service's record."""

    open: bool
    unit: str
    events: bool

    @property
    def own_unit(self) -> str | None:
        """The unit this reader is held to; None for whoever sees all."""
        return None if self.open else self.unit

    def covers(self, line: Mapping[str, Any]) -> bool:
        """Whether this reader may know what the report says."""
        if self.open or (self.unit and line["unit"] == self.unit):
            return True
        return bool(line["unit"] == TOWN and line["state"] == "filed")

    def lists_events(self, line: Mapping[str, Any]) -> bool:
        """Whether a figure of the report opens: the town's lists hold tips and other villages' affairs."""
        return self.open or bool(self.unit and line["unit"] == self.unit)

    def shows(self, figure: str, unit: str) -> bool:
        """Whether the figure of that unit's report is told. In a week in which no patrol of the town found anything, a village's
        hazard comes from a tip; so a narrow reader has neither the town's tips nor its patrols."""
        return self.open or unit != TOWN or figure not in TIP_FIGURES | PATROL_FIGURES

    def event(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """One counted event, with its day in `on`."""
        seen = {**told, "on": town_day(told["occurred_at"])}
        if self.open:
            return seen
        shown = ("on", "type", "number", "part", "phase", "late")
        return dict.fromkeys(seen) | {name: seen[name] for name in shown}

    def change(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """One changed figure of a restatement."""
        return dict(told) if self.open else {**told, "events": []}

    def step(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """One step of a report's history: `step` is the last word of the event's type, `on` its day."""
        step = told["type"].split(".")[-2]
        seen = {**told, "step": step, "on": town_day(told["occurred_at"])}
        if self.open:
            return seen
        seen["event_id"] = None
        if step == "restated":  # its hour is the hour at which somebody's tip or finding became known
            seen |= dict.fromkeys(("occurred_at", "recorded_at"))
        return seen


def sight_of(who: Actor) -> Sight:
    """What `who` sees in the post they act in."""
    everything = who.village is None and who.post in OPEN
    return Sight(open=everything, unit=who.unit, events=everything and who.post in EVENT_READERS)
