"""How a mistake in a plan file is told: where it stands, what is wrong, what to do; in Chinese, then in English."""

import difflib
import types
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

from shared.errors import MinewatchError

Loc = tuple[str | int, ...]
"""Where a value stands: ("phases", 2, "starts_on")."""


@dataclass(frozen=True)
class Mistake:
    """`zh`, `en`: what is wrong; `remedy_zh`, `remedy_en`: what to do about it."""

    at: Loc
    zh: str
    en: str
    remedy_zh: str
    remedy_en: str


class PlanFileError(MinewatchError):
    """A plan file that cannot be used, with every mistake in it. `lines`: the line of each mistake, from 1."""

    def __init__(self, path: Path, mistakes: Sequence[Mistake], lines: Sequence[int]) -> None:
        self.path, self.mistakes, self.lines = path, tuple(mistakes), tuple(lines)
        super().__init__(str(self))

    def __str__(self) -> str:
        count = len(self.mistakes)
        head = (
            f"{self.path}: 实施方案文件有 {count} 处错误。{count} mistake{'s' if count > 1 else ''} in the plan file."
        )
        told = sorted(zip(self.lines, self.mistakes, strict=True), key=lambda one: one[0])
        return "\n".join([head, *(_told(self.path, line, mistake) for line, mistake in told)])


def _told(path: Path, line: int, m: Mistake) -> str:
    where = f"{path}:{line}: {field_of(m.at)}" if m.at else f"{path}:{line}:"
    return f"\n{where}\n  {m.zh}改法：{m.remedy_zh}\n  {m.en} Remedy: {m.remedy_en}"


def field_of(at: Loc) -> str:
    """phases[2].starts_on, as the file's readers count: from 1."""
    text = ""
    for part in at:
        text += f"[{part + 1}]" if isinstance(part, int) else f".{part}" if text else part
    return text


WRONG: dict[str, tuple[str, str]] = {
    "string_pattern_mismatch": ("“{given}”写法不对。", "{given!r} is not written as it must be."),
    "literal_error": ("“{given}”不在允许的值之内。", "{given!r} is not one of the values allowed."),
    "too_short": ("清单是空的。", "the list is empty."),
    "string_": ("这里要有文字。", "text is wanted here."),
    "date": ("“{given}”不是日期。", "{given!r} is no date."),
    "int": ("“{given}”不是整数。", "{given!r} is no whole number."),
    "greater_than": ("“{given}”太小。", "{given!r} is too small."),
    "bool": ("“{given}”不是 true 或 false。", "{given!r} is neither true nor false."),
    "tuple": ("这里要一个清单。", "a list is wanted here."),
    "model": ("这里要若干“字段: 值”。", "fields with values are wanted here."),
    "": ("“{given}”不能用。", "{given!r} cannot be used."),
}
"""How pydantic's kind of error begins -> what is wrong, in words a clerk understands."""


def of_shape(error: ErrorDetails, model: type[BaseModel]) -> Mistake:
    """What pydantic found in a `model`."""
    at: Loc = tuple(error["loc"])
    kind = error["type"]
    example = _example(model, at)
    if kind == "extra_forbidden":
        return _unknown_field(at, model)
    if kind == "missing":
        line = f"{at[-1]}: {example or '…'}"
        return Mistake(at, f"缺少 {at[-1]}。", f"{at[-1]} is missing.", f"在此处加上 {line}", f"add the line {line}")
    zh, en = next(words for start, words in WRONG.items() if kind.startswith(start))
    given = error["input"]
    remedy = (
        (f"例如 {example}。", f"for example {example}.") if example else ("参看其他方案文件。", "see the other plans.")
    )
    if kind == "literal_error":
        allowed = str(error["ctx"]["expected"]).replace(" or ", ", ").replace("'", "")
        remedy = (f"只能是 {allowed}。", f"one of {allowed}.")
    elif kind.startswith("bool"):
        remedy = ("写 true 或 false。", "write true or false.")
    elif kind == "too_short":
        remedy = ("至少列出一项。", "list at least one.")
    return Mistake(at, zh.format(given=given), en.format(given=given), *remedy)


def _unknown_field(at: Loc, model: type[BaseModel]) -> Mistake:
    known = list(_fields_at(model, at[:-1]))
    near = difflib.get_close_matches(str(at[-1]), known, n=1, cutoff=0.5)
    zh, en = f"没有 {at[-1]} 这个字段。", f"there is no field {at[-1]}."
    if near:
        return Mistake(
            at, zh, en, f"是否想写 {near[0]}？否则删去这一行。", f"did you mean {near[0]}? Otherwise remove the line."
        )
    allowed = ", ".join(known)
    return Mistake(at, zh, en, f"删去这一行；可用的字段：{allowed}。", f"remove the line; the fields are {allowed}.")


def near_miss(given: str, known: Sequence[str]) -> tuple[str, str]:
    """(Chinese, English) remedy for a code that is not in its list."""
    near = difflib.get_close_matches(given, known, n=1, cutoff=0.5)
    if near:
        return f"是否想写 {near[0]}？", f"did you mean {near[0]}?"
    listed = ", ".join(known[:20])
    return f"可用的代码：{listed}。", f"the codes are {listed}."


def _example(model: type[BaseModel], at: Loc) -> str:
    """The example that the model gives for a field, or nothing."""
    names = [part for part in at if isinstance(part, str)]
    field = _fields_at(model, at[: at.index(names[-1])] if names else ()).get(names[-1]) if names else None
    return str(field.examples[0]) if field and field.examples else ""


def _fields_at(model: type[BaseModel], at: Loc) -> dict[str, FieldInfo]:
    """The fields that a mapping at `at` may have."""
    here: type[BaseModel] | None = model
    for part in at:
        if isinstance(part, str) and here is not None:
            field = here.model_fields.get(part)
            here = next(_models_in(field.annotation), None) if field else None
    return here.model_fields if here else {}


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if get_origin(annotation) in (Annotated, Union, types.UnionType, tuple):
        for inner in get_args(annotation):
            yield from _models_in(inner)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
