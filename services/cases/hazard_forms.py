"""The forms on a hazard's page: which are offered to whom, and the command that each one posts. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.cases import hazard_commands as ask
from services.cases.hazard_bodies import (
    Acceptance,
    Because,
    Completion,
    ExtensionApproval,
    ExtensionRequest,
    LeaderInCharge,
    ThreeFix,
)
from services.cases.who_may import ACCEPTING, DOERS, LEADING, ORDERING
from shared.decider import Actor
from shared.plan.calendar import TOWN_TIME

MOMENTS = frozenset({"deadline_at", "wanted_at", "occurred_at"})
"""Fields that a browser fills in with the town's time and no offset."""


@dataclass(frozen=True)
class HazardForm:
    """`step`: the last part of its address, and its name in the page; `posts`: who may send it."""

    step: str
    posts: tuple[str, ...]
    command: type[ask.OfHazard]
    body: type[BaseModel]


FORMS = (
    HazardForm("three-fix", ORDERING, ask.OrderThreeFix, ThreeFix),
    HazardForm("extension-approval", LEADING, ask.ApproveExtension, ExtensionApproval),
    HazardForm("extension-refusal", LEADING, ask.RefuseExtension, Because),
    HazardForm("completion", DOERS, ask.Complete, Completion),
    HazardForm("extension-requests", DOERS, ask.RequestExtension, ExtensionRequest),
    HazardForm("acceptance", ACCEPTING, ask.Accept, Acceptance),
    HazardForm("rejection", ACCEPTING, ask.Reject, Because),
    HazardForm("leader", LEADING, ask.AssignLeader, LeaderInCharge),
)

FIELD_OF: Mapping[str, str] = {
    "LeaderMissing": "leader",
    "LeaderLeadsNothing": "leader",
    "LeaderDidTheWork": "leader",
    "ThreeFixNeedsMeasure": "measure",
    "ThreeFixNeedsPerson": "responsible",
    "ThreeFixNeedsDeadline": "deadline_at",
    "ResponsibleUnknown": "responsible",
    "NotInPlan": "measure",
    "DeadlineInPast": "deadline_at",
    "DeadlineTooFar": "deadline_at",
    "ExtensionNotLater": "deadline_at",
    "ReasonMissing": "reason",
    "ReportMissing": "report",
}
"""Rule → the field to look at; any other refusal speaks of the whole form."""


def command_from(form: HazardForm, hazard: str, fields: Mapping[str, str]) -> ask.OfHazard:
    """What the filled-in form asks for. An empty field counts as left out, so that the rule itself says what is missing.

    Raises pydantic.ValidationError for a text that is too long and a time that is none.
    """
    given: dict[str, Any] = {name: fields[name] for name in form.body.model_fields if fields.get(name)}
    for name in MOMENTS & given.keys():
        given[name] = _in_town_time(given[name])
    if "responsible" in given:  # one choice names the person and the unit they answer in
        given["responsible"], _, given["responsible_unit"] = given["responsible"].partition("|")
    return form.command(hazard=hazard, **dict(form.body.model_validate(given)))


def _in_town_time(typed: str) -> datetime | str:
    try:
        return datetime.fromisoformat(typed).replace(tzinfo=TOWN_TIME)
    except ValueError:
        return typed


def field_for(form: HazardForm, rule: str) -> str | None:
    """The field of this form that a refusal speaks of."""
    field = FIELD_OF.get(rule)
    if field == "deadline_at" and "wanted_at" in form.body.model_fields:
        return "wanted_at"
    return field if field in form.body.model_fields else None


def offered(told: Mapping[str, Any], who: Actor, head_of: str | None) -> list[HazardForm]:
    """The forms this reader could send now with success. `head_of`: the village whose head they are, or act for.

    Only what saves a wasted attempt is looked at here; whether it may be done is decided when it is sent.
    """
    acting = who.on_behalf_of or who.person
    theirs = acting == told["responsible"] or (head_of is not None and head_of == told["village"])
    barred = {told["responsible"], told["completed_by"], told["leader"]}
    running = told["state"] == "three_fix_ordered"
    waiting = told["wanted_at"] is not None
    fits = {
        "three-fix": told["state"] == "listed",
        "extension-approval": waiting and acting != told["asked_by"],
        "extension-refusal": waiting and acting != told["asked_by"],
        "completion": running and theirs,
        "extension-requests": running and theirs and not waiting,
        "acceptance": told["state"] == "completed" and acting not in barred,
        "rejection": told["state"] == "completed" and acting not in barred,
        "leader": told["state"] in ("listed", "three_fix_ordered", "completed"),
    }
    return [form for form in FORMS if who.post in form.posts and fits[form.step]]
