"""Town time, working days, and how a term is counted. Pure.

The day a term begins on is not counted. Hours and minutes run through nights and holidays.
"""

import calendar as _months
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cached_property
from zoneinfo import ZoneInfo

from shared.plan.model import CalendarYear, Rule

TOWN_TIME = ZoneInfo("Asia/Shanghai")
ONE_DAY = timedelta(days=1)
FIXED = {"minutes": timedelta(minutes=1), "hours": timedelta(hours=1), "natural_days": ONE_DAY}
"""Units whose length no calendar changes."""


def town_day(moment: datetime) -> date:
    """The day it is in the town at an aware `moment`."""
    return moment.astimezone(TOWN_TIME).date()


def at(day: date, hour: str = "00:00") -> datetime:
    """The moment, in UTC, at which the town's clock shows `hour` on `day`; "24:00" is the end of the day."""
    hours, minutes = (int(part) for part in hour.split(":"))
    midnight = datetime.combine(day, time(), TOWN_TIME)
    return (midnight + timedelta(hours=hours, minutes=minutes)).astimezone(UTC)


def days_of(first: date, last: date) -> list[date]:
    """Every day from `first` to `last`, both included."""
    return [first + timedelta(days=n) for n in range((last - first).days + 1)]


@dataclass(frozen=True)
class Calendar:
    """Which days are working days: as the notices say, and by the weekday where no notice speaks."""

    years: tuple[CalendarYear, ...] = ()

    @cached_property
    def holidays(self) -> dict[date, tuple[str, str]]:
        """day -> (Chinese name, English name), of every day off that a notice names."""
        return {
            day: (h.zh, h.en) for year in self.years for h in year.holidays for day in days_of(h.from_on, h.until_on)
        }

    @cached_property
    def extra_working_days(self) -> frozenset[date]:
        return frozenset(day for year in self.years for day in year.extra_working_days)

    @cached_property
    def named_days(self) -> dict[date, tuple[str, str]]:
        """day -> (Chinese name, English name)."""
        return {day.on: (day.zh, day.en) for year in self.years for day in year.named_days}

    def covers(self, day: date) -> bool:
        """Whether a notice speaks of that day."""
        return any(year.from_on <= day <= year.until_on for year in self.years)

    def is_working_day(self, day: date) -> bool:
        return day in self.extra_working_days or (day not in self.holidays and day.weekday() < 5)

    def working_days(self, days: Iterable[date]) -> int:
        return sum(self.is_working_day(day) for day in days)

    def next_working_day(self, day: date) -> date:
        """`day` itself when work is done on it."""
        while not self.is_working_day(day):
            day += ONE_DAY
        return day

    def after_working_days(self, day: date, count: int) -> date:
        """The `count`-th working day after `day`; for 0, `day` itself."""
        for _ in range(count):
            day = self.next_working_day(day + ONE_DAY)
        return day


def after_months(day: date, count: int) -> date:
    """The same day of the month `count` months on, or that month's last."""
    months = day.year * 12 + day.month - 1 + count
    year, month = months // 12, months % 12 + 1
    return date(year, month, min(day.day, _months.monthrange(year, month)[1]))


def reckoned(rule: Rule, start: datetime, calendar: Calendar) -> dict[str, datetime]:
    """When a term of `rule` that begins at `start` ends, by every way to reckon it; nothing for a threshold.

    One way, or three where the rule does not say which days it means: natural_days, rolled_days (a last day without work moves
    to the next working day) and working_days. All in UTC.
    """
    if rule.unit in ("minutes", "hours"):
        return {rule.unit: start + FIXED[rule.unit] * rule.value}
    last = {way: _last_day(way, town_day(start), rule.value, calendar) for way in _ways(rule)}
    return {way: at(day, rule.ends_at) if rule.ends_at else _same_hour(start, day) for way, day in last.items()}


def _ways(rule: Rule) -> tuple[str, ...]:
    match rule.unit:
        case "unsaid_days":
            return ("natural_days", "rolled_days", "working_days")
        case "natural_days" if rule.rolls:
            return ("rolled_days",)
        case "natural_days" | "working_days" | "months":
            return (rule.unit,)
        case _:
            return ()


def _last_day(way: str, first: date, count: int, calendar: Calendar) -> date:
    match way:
        case "working_days":
            return calendar.after_working_days(first, count)
        case "rolled_days":
            return calendar.next_working_day(first + ONE_DAY * count)
        case "months":
            return after_months(first, count)
        case _:
            return first + ONE_DAY * count


def _same_hour(start: datetime, last: date) -> datetime:
    """On the day `last`, at the hour of `start` in the town."""
    return datetime.combine(last, start.astimezone(TOWN_TIME).timetz()).astimezone(UTC)
