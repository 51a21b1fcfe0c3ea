"""Town time, working days, and how a term is counted: the facts of the 2018 calendar, and what holds on any day."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.plan.calendar import TOWN_TIME, Calendar, after_months, at, days_of, reckoned, town_day
from shared.plan.model import Rule
from tests.support.plans import SECOND, plan

CALENDAR = plan().calendar
FEW = settings(max_examples=40)
DAYS = some.dates(date(2017, 12, 1), date(2019, 2, 28))
MOMENTS = some.datetimes(datetime(2017, 12, 1), datetime(2019, 2, 28), timezones=some.just(UTC))


def rule(value: int, unit: str, **more: Any) -> Rule:
    source = {"kind": "decision", "text": "本办", "mark": "found"}
    names = {"code": "term", "zh": "期限", "en": "term"}
    return Rule(**names, value=value, unit=unit, from_on=date(2018, 1, 1), source=source, **more)


def ends_on(start: str, value: int, unit: str, **more: Any) -> dict[str, str]:
    """way -> the day on which a term that begins at 09:30 on `start` ends."""
    began = at(date.fromisoformat(start), "09:30")
    ways = reckoned(rule(value, unit, **more), began, CALENDAR)
    return {way: town_day(end).isoformat()[5:] for way, end in ways.items()}


def test_the_campaign_has_seventy_days_and_forty_seven_working_days() -> None:
    days = days_of(date(2018, 1, 16), date(2018, 3, 26))
    assert len(days) == 70
    assert CALENDAR.working_days(days) == 47
    assert plan(SECOND).calendar.working_days(days_of(date(2021, 9, 6), date(2021, 10, 17))) == 26


def test_the_spring_festival_is_off_and_the_days_moved_for_it_are_not() -> None:
    off = [day for day in days_of(date(2018, 2, 10), date(2018, 2, 25)) if not CALENDAR.is_working_day(day)]
    assert [day.day for day in off] == [10, 15, 16, 17, 18, 19, 20, 21, 25]
    assert CALENDAR.is_working_day(date(2018, 2, 11)) and CALENDAR.is_working_day(date(2018, 2, 24))
    assert CALENDAR.named_days[date(2018, 2, 16)] == ("正月初一", "Lunar New Year's Day")
    assert CALENDAR.holidays[date(2018, 2, 16)] == ("春节", "Spring Festival")


@pytest.mark.parametrize(
    ("start", "natural", "rolled", "working"),
    [
        ("2018-02-12", "02-15", "02-22", "02-22"),
        ("2018-02-13", "02-16", "02-22", "02-23"),
        ("2018-02-14", "02-17", "02-22", "02-24"),
        ("2018-02-09", "02-12", "02-12", "02-13"),
    ],
)
def test_three_days_that_nobody_explained_are_counted_in_every_way(
    start: str, natural: str, rolled: str, working: str
) -> None:
    expected = {"natural_days": natural, "rolled_days": rolled, "working_days": working}
    assert ends_on(start, 3, "unsaid_days") == expected
    assert ends_on(start, 3, "natural_days") == {"natural_days": natural}
    assert ends_on(start, 3, "natural_days", rolls=True) == {"rolled_days": rolled}
    assert ends_on(start, 3, "working_days") == {"working_days": working}


def test_ten_working_days_over_the_festival() -> None:
    assert ends_on("2018-02-12", 10, "working_days") == {"working_days": "03-02"}


def test_hours_run_through_holidays() -> None:
    start = datetime(2018, 2, 15, 15, 59, tzinfo=UTC)
    (end,) = reckoned(rule(24, "hours"), start, CALENDAR).values()
    assert end == datetime(2018, 2, 16, 15, 59, tzinfo=UTC)


def test_a_term_of_days_ends_at_its_hour_or_at_the_hour_it_began() -> None:
    began = at(date(2018, 2, 9), "23:10")
    assert set(reckoned(rule(3, "working_days"), began, CALENDAR).values()) == {at(date(2018, 2, 13), "23:10")}
    evening = rule(3, "working_days", ends_at="18:00")
    assert set(reckoned(evening, began, CALENDAR).values()) == {at(date(2018, 2, 13), "18:00")}
    midnight = rule(3, "natural_days", ends_at="24:00")
    assert set(reckoned(midnight, began, CALENDAR).values()) == {at(date(2018, 2, 13), "00:00")}


def test_a_day_begins_at_the_towns_midnight() -> None:
    assert at(date(2018, 3, 26), "24:00") == datetime(2018, 3, 26, 16, tzinfo=UTC)
    assert town_day(datetime(2018, 3, 26, 15, 59, tzinfo=UTC)) == date(2018, 3, 26)
    assert town_day(datetime(2018, 3, 26, 16, tzinfo=UTC)) == date(2018, 3, 27)


def test_a_threshold_is_no_term() -> None:
    assert reckoned(rule(100, "yuan"), at(date(2018, 2, 1)), CALENDAR) == {}


def test_without_a_notice_the_weekday_decides() -> None:
    assert not CALENDAR.covers(date(2019, 1, 1)) and CALENDAR.covers(date(2018, 12, 31))
    assert CALENDAR.is_working_day(date(2019, 2, 5))
    assert not Calendar().is_working_day(date(2018, 2, 11))


@FEW
@given(DAYS, some.integers(0, 30))
def test_working_days_counted_on_are_the_working_days_in_between(day: date, count: int) -> None:
    end = CALENDAR.after_working_days(day, count)
    assert CALENDAR.working_days(days_of(day, end)[1:]) == count
    assert count == 0 or CALENDAR.is_working_day(end)


@FEW
@given(DAYS)
def test_the_next_working_day_skips_none(day: date) -> None:
    end = CALENDAR.next_working_day(day)
    assert CALENDAR.working_days(days_of(day, end)) == 1 and CALENDAR.is_working_day(end)


@FEW
@given(DAYS, some.integers(0, 40))
def test_months_keep_the_day_or_take_the_months_last(day: date, count: int) -> None:
    end = after_months(day, count)
    assert (end.year - day.year) * 12 + end.month - day.month == count
    assert end.day == day.day or (end.day < day.day and (end + timedelta(days=1)).day == 1)


@FEW
@given(MOMENTS, some.integers(0, 20), some.sampled_from(["minutes", "hours", "natural_days", "working_days", "months"]))
def test_a_term_ends_at_the_same_hour_or_later_never_before_it_began(start: datetime, value: int, unit: str) -> None:
    (end,) = reckoned(rule(value, unit), start, CALENDAR).values()
    assert end >= start and end.tzinfo is UTC
    if unit not in ("minutes", "hours"):
        assert end.astimezone(TOWN_TIME).time() == start.astimezone(TOWN_TIME).time()


@FEW
@given(MOMENTS, some.integers(0, 20))
def test_of_the_days_nobody_explained_the_natural_ones_end_first(start: datetime, value: int) -> None:
    ways = reckoned(rule(value, "unsaid_days"), start, CALENDAR)
    assert min(ways.values()) == ways["natural_days"] <= ways["rolled_days"]
