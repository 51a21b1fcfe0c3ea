"""The example plan moved to other days, so that `minewatch up` without a plan has a campaign that runs now."""

from datetime import date, timedelta
from typing import Any

import yaml

from shared.errors import MinewatchError
from shared.plan.loader import LoadedPlan
from shared.plan.model import Plan

TUESDAY = 1

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
HEADER = """\
# 示例 EXAMPLE：由 {code} 平移 {weeks} 周生成，首日 {first_day}。
# 节假日、调休和特殊时期一并平移，不是真实的放假安排；法律规定的有效期没有移动。
# Made from {code} by moving its days {weeks} weeks. Holidays, extra working days and special periods moved along and are NOT
# real. The validity of legal rules was not moved.

"""


class WeekdaysWouldMove(MinewatchError):
    """A campaign moves by whole weeks only, or its reports would fall on other weekdays."""


def default_first_day(today: date, weekday: int = TUESDAY) -> date:
    """The latest day not after `today` that is a Tuesday (or another `weekday`, Monday is 0)."""
    return today - timedelta(days=(today.weekday() - weekday) % 7)


def moved_to(of: Plan | LoadedPlan, first_day: date) -> str:
    """A plan file's text in which the campaign begins on `first_day`. Raises WeekdaysWouldMove.

    Every day moves by the same whole weeks, but the validity of legal rules: a law does not move with an example. Code, version
    and name tell the file from the one it was made of.
    """
    plan = of.plan if isinstance(of, LoadedPlan) else of
    by = first_day - plan.starts_on
    if by.days % 7:
        raise WeekdaysWouldMove(f"{first_day} is no {plan.starts_on:%A}; {plan.code} begins on one")
    fields = plan.model_dump(exclude_none=True, exclude_defaults=True)
    moved = {name: _moved(value, by) for name, value in fields.items()}
    moved["rules"] = [r if r["source"]["kind"] == "law" else _moved(r, by) for r in fields["rules"]]
    moved["code"] = f"{_stem(plan.code)}-example-{first_day.year}"
    moved["version"] = f"{plan.version}-{first_day:%Y%m%d}"
    moved["name"] = f"{plan.name}（示例）"
    moved["name_en"] = f"{plan.name_en} (example)"
    for year in moved["calendar"]:
        year["source"] = f"示例：平移所得，不是真实的放假安排。原为：{year['source']}"
    header = HEADER.format(code=plan.code, weeks=by.days // 7, first_day=first_day)
    return header + yaml.dump(
        moved, Dumper=_DUMPER, allow_unicode=True, sort_keys=False, width=120, default_flow_style=None
    )


def _stem(code: str) -> str:
    """The plan's code without the year at its end."""
    stem, _, year = code.rpartition("-")
    return stem if stem and year.isdigit() else code


def _moved(value: Any, by: timedelta) -> Any:
    if isinstance(value, date):
        return value + by
    if isinstance(value, dict):
        return {name: _moved(inner, by) for name, inner in value.items()}
    if isinstance(value, tuple | list):
        return [_moved(inner, by) for inner in value]
    return value
