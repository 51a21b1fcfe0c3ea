"""The example plan: moved by whole weeks, valid, and told apart from the one it was made of."""

from datetime import date, timedelta
from functools import cache
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.plan.calendar import town_day
from shared.plan.loader import LoadedPlan, load_plan
from shared.plan.shift import WeekdaysWouldMove, default_first_day, moved_to
from shared.plan.terms import PlanTerms
from tests.support.plans import loaded, plan
from tests.unit.plan.small_plan import TEXT

FIRST_DAY = date(2026, 11, 24)
WEEKS = (FIRST_DAY - plan().plan.starts_on).days // 7


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> LoadedPlan:
    path = tmp_path_factory.mktemp("plans") / "example.yaml"
    path.write_text(moved_to(loaded(), FIRST_DAY), "utf-8")
    return load_plan(path)


def test_the_moved_plan_is_sound_and_has_a_code_version_and_name_of_its_own(example: LoadedPlan) -> None:
    assert example.version == "zhenchengdi-example-2026@1-20261124"
    assert example.plan.name == f"{plan().title}（示例）"
    assert all("不是真实的放假安排" in year.source for year in example.plan.calendar)
    header = example.path.read_text("utf-8").splitlines()[:4]
    assert all(line.startswith("# ") for line in header)
    assert "示例 EXAMPLE" in header[0] and "NOT" in header[2]


def test_every_day_moves_by_the_same_weeks(example: LoadedPlan) -> None:
    before, after = plan(), PlanTerms(example.plan, example.version)
    by = timedelta(weeks=WEEKS)
    assert [p.due_at - by for p in after.periods] == [p.due_at for p in before.periods]
    assert [p.starts_at - by for p in after.phases] == [p.starts_at for p in before.phases]
    assert {day - by for day in after.calendar.holidays} == set(before.calendar.holidays)
    assert {town_day(p.cut_off_at).weekday() for p in after.periods[:-1]} == {4}
    assert {p.from_on for p in after.people} == {FIRST_DAY}
    assert after.longest_deadline == before.longest_deadline


def test_a_law_does_not_move_with_an_example(example: LoadedPlan) -> None:
    for before, after in zip(plan().plan.rules, example.plan.rules, strict=True):
        by = timedelta(0) if before.source.kind == "law" else timedelta(weeks=WEEKS)
        assert after.from_on - by == before.from_on
        assert after.value == before.value
    assert {r.source.kind for r in plan().plan.rules} >= {"law", "decision"}


def test_moved_there_and_back_it_says_what_it_said(example: LoadedPlan, tmp_path: Path) -> None:
    path = tmp_path / "back.yaml"
    path.write_text(moved_to(example, plan().plan.starts_on), "utf-8")
    told = {"code", "version", "name", "name_en", "calendar"}
    assert load_plan(path).plan.model_dump(exclude=told) == plan().plan.model_dump(exclude=told)


@pytest.mark.parametrize("first_day", [date(2026, 11, 23), date(2018, 1, 17)])
def test_weekdays_do_not_move(first_day: date) -> None:
    with pytest.raises(WeekdaysWouldMove):
        moved_to(plan().plan, first_day)


@cache
def small(folder: Path) -> LoadedPlan:
    path = folder / "small.yaml"
    path.write_text(TEXT, "utf-8")
    return load_plan(path)


@settings(max_examples=8)
@given(weeks=some.integers(-50, 1500))
def test_whatever_the_weeks_the_moved_plan_is_sound(tmp_path_factory: pytest.TempPathFactory, weeks: int) -> None:
    folder = tmp_path_factory.getbasetemp()
    first_day = small(folder).plan.starts_on + timedelta(weeks=weeks)
    path = folder / "moved.yaml"
    path.write_text(moved_to(small(folder), first_day), "utf-8")
    moved = load_plan(path)
    assert moved.plan.starts_on == first_day
    assert moved.plan.code == f"small-example-{first_day.year}"


@settings(max_examples=40)
@given(some.dates(date(2018, 1, 1), date(2040, 1, 1)))
def test_the_example_began_on_the_latest_tuesday(today: date) -> None:
    first = default_first_day(today)
    assert first.weekday() == 1
    assert timedelta(0) <= today - first < timedelta(weeks=1)
