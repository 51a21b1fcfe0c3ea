"""The words of a message, made from its template when it is shown or sent.

A template sees the facts below and nothing else: numbers, times, and names out of the plan file.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from shared.plan.calendar import TOWN_TIME

FOLDER = Path(__file__).parent / "templates" / "messages"

Names = Callable[[str, str], str]
"""(list, code) -> the plan's name of it; lists: village, unit, post. A code without a name stands for itself."""


@dataclass(frozen=True)
class Subject:
    """What a template may speak of. `number`: of the hazard or report; `step`: 0, or how far up the ladder."""

    kind: str
    number: int | None
    village: str | None
    unit: str
    post: str
    due_at: datetime | None
    answer_by: datetime | None
    step: int


@dataclass(frozen=True)
class Letter:
    """A message ready to go. `title` is one line; `body` Chinese first, then English."""

    message: str
    about: str
    subject: Subject
    recipient: str
    email: str | None
    issued_at: datetime
    title: str
    body: str


def words(of: Subject, names: Names) -> tuple[str, str]:
    """(title, body). Raises jinja2.TemplateNotFound for a kind without a folder."""
    facts = {
        "number": ""
        if of.number is None
        else f"{of.number:03}"
        if not of.kind.startswith("report")
        else str(of.number),
        "village": names("village", of.village) if of.village else "",
        "unit": names("unit", of.unit),
        "post": names("post", of.post),
        "due": _shown(of.due_at),
        "answer_by": _shown(of.answer_by),
        "step": of.step,
    }
    title = " ".join(_template(of.kind, "subject").render(facts).split())
    return title, _template(of.kind, "body").render(facts).strip() + "\n"


@cache
def _environment() -> Environment:
    return Environment(loader=FileSystemLoader(FOLDER), undefined=StrictUndefined, trim_blocks=False)


def _template(kind: str, part: str) -> Template:
    return _environment().get_template(f"{kind}/{part}.txt")


def _shown(moment: datetime | None) -> str:
    """Month, day and time in town time, as people there write it."""
    return moment.astimezone(TOWN_TIME).strftime("%m-%d %H:%M") if moment else ""
