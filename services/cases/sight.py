"""Who sees which hazards, and how much of one. The only place where that is decided, for JSON and pages alike.

open    the campaign's own posts, police, land bureau, auditor: every hazard, with the tips and findings it rests on
narrow  whoever is bound to a village: that village's hazards and those they answer for; any other post: those that they or
        their unit answer for

The accused village must not learn that a tip began a hazard. So a narrow reader never sees where a hazard or a later finding
came from, in whose words, or at what hour: not of a tip, and not of a patrol either, or the difference would tell.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from shared.decider import Actor
from shared.plan.calendar import town_day

OPEN = frozenset(
    {
        "office_director", "clerk", "deputy_leader", "group_leader", "inspector", "duty_officer",
        "police_officer", "land_officer", "auditor",
    }
)  # fmt: skip
"""Posts that see every hazard, unless they are bound to a village."""

HIDDEN = frozenset({"discovered_at", "listed_at", "live", "summary", "sources", "error_reason"})
"""What a narrow reader never gets of a hazard. Of times there is the day, in `discovered_on` and `listed_on`."""

BEGINNINGS = frozenset({"listed", "finding_attached", "recurred"})
"""Steps that a tip may have brought: a narrow reader gets their day, not the hour, and nobody's name."""

PLACE = ("site", "category", "village", "place", "violation", "mineral", "modus", "pretext")
SHOWN: Mapping[str, tuple[str, ...]] = {
    "listed": ("hazard_no", *PLACE, "recurrence_of"),
    "finding_attached": (),
    "leader_assigned": ("leader", "instead_of"),
    "three_fix_ordered": ("measure", "measure_text", "responsible", "responsible_unit", "deadline_at"),
    "extension_requested": ("requested_by", "wanted_at", "reason"),
    "extended": ("approved_by", "deadline_at", "reason"),
    "extension_refused": ("refused_by", "reason"),
    "became_overdue": ("deadline_at", "responsible", "responsible_unit", "village"),
    "completed": ("completed_by", "report"),
    "accepted": ("accepted_by", "note"),
    "rejected": ("rejected_by", "reason"),
    "closed_out": (),
    "recurred": ("hazard",),
    "corrected": ("field", "value"),
    "entered_in_error": (),
}
"""Step → what a narrow reader is told of it. What is not named here stays hidden, a later kind of step too."""

SECRET_FIELDS = frozenset({"summary", "discovered_at"})
"""A correction of these shows that it was made, not what to."""


@dataclass(frozen=True)
class Sight:
    """One reader's view. `village`: the one they are bound to."""

    open: bool
    person: str
    unit: str
    village: str | None

    def covers(self, line: Any) -> bool:
        """Whether this reader may know of the hazard; `line[…]` gives village, responsible and responsible_unit."""
        if self.open or line["responsible"] == self.person:
            return True
        if self.village is not None:
            return bool(line["village"] == self.village)
        return bool(self.unit and line["responsible_unit"] == self.unit)

    def hazard(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """A hazard's facts, a line's or all of them, as this reader may have them, with the days beside the times."""
        seen = {**told, "discovered_on": town_day(told["discovered_at"]), "listed_on": town_day(told["listed_at"])}
        if self.open:
            return seen
        return seen | dict.fromkeys(HIDDEN & told.keys()) | {"place": _roughly(told["place"])}

    def step(self, told: Mapping[str, Any]) -> dict[str, Any]:
        """One entry of the timeline: `step` is the last word of the event's type, `on` its day."""
        step = told["type"].split(".")[-2]
        seen = {**told, "step": step, "on": town_day(told["occurred_at"])}
        if self.open:
            return seen
        seen |= {"facts": _shown(step, told["facts"]), "event_id": None}
        if step in BEGINNINGS:
            seen |= dict.fromkeys(("occurred_at", "recorded_at", "actor", "in_role", "on_behalf_of"))
        return seen


def sight_of(who: Actor) -> Sight:
    """What `who` sees in the post they act in."""
    return Sight(open=who.village is None and who.post in OPEN, person=who.person, unit=who.unit, village=who.village)


def _shown(step: str, facts: Mapping[str, Any]) -> dict[str, Any]:
    kept = {name: facts.get(name) for name in SHOWN.get(step, ())}
    if step == "corrected":
        secret = facts["field"] in SECRET_FIELDS
        kept["value"] = None if secret else {**facts["value"], "place": _roughly(facts["value"].get("place"))}
    if "place" in kept:
        kept["place"] = _roughly(kept["place"])
    return kept


def _roughly(place: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The point alone: how exactly it was measured tells a phone from a mark on the map."""
    return {**place, "accuracy_m": None} if place is not None else None
