"""A plan file, read and checked: LoadedPlan, or every mistake in it with file, line, field and remedy."""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from pydantic import ValidationError

from shared.plan.fitting import misfits
from shared.plan.marked import Marked, read_marked
from shared.plan.mistakes import Mistake, PlanFileError, of_shape
from shared.plan.model import Plan

__all__ = ["LoadedPlan", "PlanFileError", "load_plan"]


@dataclass(frozen=True)
class LoadedPlan:
    """`version`: `<plan code>@<version in the file>`; `sha256`: hex, of the file's bytes."""

    plan: Plan
    version: str
    sha256: str
    path: Path


def load_plan(path: Path) -> LoadedPlan:
    """Raises PlanFileError, which lists every mistake, and FileNotFoundError."""
    content = path.read_bytes()
    plan, mistakes, lines = _read(content)
    if plan is None or mistakes:
        raise PlanFileError(path, mistakes, lines)
    return LoadedPlan(plan, f"{plan.code}@{plan.version}", hashlib.sha256(content).hexdigest(), path)


@lru_cache(maxsize=4)  # the services of one process have the same file
def _read(content: bytes) -> tuple[Plan | None, tuple[Mistake, ...], tuple[int, ...]]:
    """The plan, its mistakes and their lines."""
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        return None, (NOT_UTF8,), (content.count(b"\n", 0, error.start) + 1,)
    marked = read_marked(text)
    plan, mistakes = _checked(marked)
    return plan, tuple(mistakes), tuple(marked.line(mistake.at) for mistake in mistakes)


def _checked(marked: Marked) -> tuple[Plan | None, list[Mistake]]:
    """What must fit together is looked at only when every part has its shape."""
    mistakes = list(marked.mistakes)
    if marked.value is None and mistakes:
        return None, mistakes
    try:
        plan = Plan.model_validate(marked.value if marked.value is not None else {})
    except ValidationError as error:
        return None, [*mistakes, *(of_shape(one, Plan) for one in error.errors(include_url=False))]
    return plan, [*mistakes, *misfits(plan)]


NOT_UTF8 = Mistake(
    (),
    "文件不是 UTF-8 编码。",
    "the file is not in UTF-8.",
    "在编辑器中另存为 UTF-8。",
    "save it as UTF-8 in the editor.",
)
