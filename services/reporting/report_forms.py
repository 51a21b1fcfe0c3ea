"""The forms on a report's page: which are offered to whom. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from pydantic import BaseModel

from services.reporting.content import TOWN
from services.reporting.report_bodies import Because, Nothing, Submission
from services.reporting.weekly_report import REPORTER
from services.reporting.who_may import FILING, OFFICE
from shared.decider import Actor


@dataclass(frozen=True)
class ReportForm:
    """`step`: the last part of its address, and its name in the page; `posts`: who may send it, anybody when empty."""

    step: str
    posts: tuple[str, ...]
    body: type[BaseModel]


FORMS = (
    ReportForm("submission", (), Submission),
    ReportForm("acceptance", OFFICE, Nothing),
    ReportForm("return", OFFICE, Because),
    ReportForm("compilation", OFFICE, Nothing),
    ReportForm("filing", FILING, Nothing),
)
FIELD_OF = {"ReportReasonMissing": "reason"}
"""Rule → the field to look at; any other refusal speaks of the whole form."""


def offered(line: Mapping[str, Any], who: Actor, now: datetime) -> list[ReportForm]:
    """The forms this reader could send now with success.

    Only what saves a wasted attempt is looked at here; whether it may be done is decided when it is sent.
    """
    town, over = line["unit"] == TOWN, now >= line["cut_off_at"]
    deputy = who.on_behalf_of is not None and (who.unit == line["unit"] or who.post in OFFICE)
    theirs = (who.post == REPORTER and who.unit == line["unit"]) or deputy
    submitted = line["state"] == "submitted"
    fits = {
        "submission": not town and over and theirs and line["state"] in ("open", "due", "missing", "returned"),
        "acceptance": submitted,
        "return": submitted,
        "compilation": town and over and line["state"] in ("open", "compiled"),
        "filing": line["state"] == "compiled",
    }
    return [form for form in FORMS if (not form.posts or who.post in form.posts) and fits[form.step]]
