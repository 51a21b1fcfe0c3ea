"""What the plan of 2018 answers, and what holds of any plan's periods and phases."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from shared.plan.calendar import at, town_day
from shared.plan.model import Closing
from shared.plan.terms import WEEKDAYS, PlanTerms, RuleNotInForce
from tests.support.plans import SECOND, plan

PLAN = plan()
NOON = at(date(2018, 2, 11), "12:00")
LASTING = tuple(r.model_copy(update={"from_on": date(2010, 1, 1)}) for r in PLAN.plan.rules if r.until_on is None)
FRIDAYS = [19, 26, 2, 9, 16, 23, 2, 9, 16, 23]


def tiles(terms: PlanTerms) -> bool:
    """The periods follow one another from the campaign's first moment to its last."""
    periods = terms.periods
    joined = all(a.cut_off_at == b.starts_at for a, b in pairwise(periods))
    return joined and periods[0].starts_at == terms.starts_at and periods[-1].cut_off_at == terms.ends_at


def test_the_reports_of_2018_are_eleven_and_tile_the_campaign() -> None:
    assert tiles(PLAN)
    assert [p.no for p in PLAN.periods] == list(range(1, 12))
    assert [p.closing for p in PLAN.periods] == [False] * 10 + [True]
    assert [town_day(p.cut_off_at).day for p in PLAN.periods[:-1]] == FRIDAYS
    first, fifth, last = PLAN.period(1), PLAN.period(5), PLAN.period(11)
    assert first.starts_at == datetime(2018, 1, 15, 16, tzinfo=UTC)
    assert (first.cut_off_at, first.due_at) == (at(date(2018, 1, 19), "17:00"), at(date(2018, 1, 19), "18:00"))
    assert (fifth.due_at, fifth.missing_at) == (at(date(2018, 2, 16), "18:00"), at(date(2018, 2, 16), "21:00"))
    assert (last.starts_at, last.cut_off_at) == (at(date(2018, 3, 23), "17:00"), at(date(2018, 3, 26), "24:00"))
    assert (last.due_at, last.missing_at) == (at(date(2018, 3, 27), "12:00"), at(date(2018, 3, 27), "15:00"))


def test_the_second_towns_reports_come_on_wednesdays() -> None:
    second = plan(SECOND)
    assert tiles(second)
    assert [f"{town_day(p.due_at):%m-%d}" for p in second.periods] == [
        *("09-08", "09-15", "09-22", "09-29", "10-06", "10-13", "10-18"),
    ]


@pytest.mark.parametrize("no", [0, 12, -1])
def test_a_period_the_campaign_does_not_have_is_refused(no: int) -> None:
    with pytest.raises(IndexError):
        PLAN.period(no)


@pytest.mark.parametrize(
    ("day", "hour", "no", "phase"),
    [
        ("2018-01-16", "00:00", 1, "mobilisation"),
        ("2018-01-19", "16:59", 1, "mobilisation"),
        ("2018-01-19", "17:00", 2, "mobilisation"),
        ("2018-01-20", "23:59", 2, "mobilisation"),
        ("2018-01-21", "00:00", 2, "screening"),
        ("2018-01-31", "23:59", 3, "screening"),
        ("2018-02-01", "00:00", 3, "rectification_drive"),
        ("2018-03-16", "23:59", 10, "rectification_drive"),
        ("2018-03-17", "00:00", 10, "acceptance"),
        ("2018-03-26", "23:59", 11, "acceptance"),
    ],
)
def test_every_moment_has_its_period_and_phase(day: str, hour: str, no: int, phase: str) -> None:
    moment = at(date.fromisoformat(day), hour)
    period = PLAN.period_at(moment)
    assert period is not None
    assert (period.no, PLAN.phase_at(moment)) == (no, phase)


def test_before_and_after_the_campaign_there_is_neither() -> None:
    for moment in (PLAN.starts_at - timedelta(microseconds=1), PLAN.ends_at):
        assert PLAN.period_at(moment) is None
        assert PLAN.phase_at(moment) is None


def test_the_phases_are_told_as_days_and_as_moments() -> None:
    lengths = [(p.phase, (p.ends_on - p.starts_on).days + 1) for p in PLAN.phases]
    assert lengths == [("mobilisation", 5), ("screening", 11), ("rectification_drive", 44), ("acceptance", 10)]
    assert [p.starts_at for p in PLAN.phases[1:]] == [p.ends_at for p in PLAN.phases[:-1]]
    assert (PLAN.phases[0].starts_at, PLAN.phases[-1].ends_at) == (PLAN.starts_at, PLAN.ends_at)


@settings(max_examples=40)
@given(
    start=some.dates(date(2016, 1, 1), date(2030, 1, 1)),
    days=some.integers(2, 120),
    weekday=some.sampled_from(WEEKDAYS),
    hour=some.sampled_from(["00:30", "09:00", "17:00", "23:30"]),
    offset=some.timedeltas(timedelta(0), timedelta(days=119)),
)
def test_the_periods_tile_whatever_campaign_there_is(
    start: date, days: int, weekday: str, hour: str, offset: timedelta
) -> None:
    end = start + timedelta(days=days - 1)
    closing = Closing(due_on=end + timedelta(days=1), due_at="12:00")
    schedule = {"weekday": weekday, "cut_off_at": hour, "due_at": "24:00", "closing": closing}
    reports = PLAN.plan.reports.model_copy(update=schedule)
    changed = {"starts_on": start, "ends_on": end, "reports": reports, "rules": LASTING}
    terms = PlanTerms(PLAN.plan.model_copy(update=changed), "v")
    assert tiles(terms)
    assert all(p.starts_at < p.cut_off_at <= p.due_at <= p.missing_at for p in terms.periods)
    moment = terms.starts_at + offset
    inside = [p for p in terms.periods if p.starts_at <= moment < p.cut_off_at]
    assert [terms.period_at(moment)] == (inside if moment < terms.ends_at else [None])


def test_deadlines_are_the_plans() -> None:
    assert PLAN.longest_deadline == timedelta(days=30)
    assert PLAN.recurrence_watch_until == datetime(2019, 3, 26, 16, tzinfo=UTC)
    assert PLAN.due("longest_deadline", NOON) == NOON + PLAN.longest_deadline
    assert PLAN.due("live_call_out", NOON) == NOON + timedelta(minutes=1)
    assert PLAN.due("live_ack", NOON) == NOON + timedelta(minutes=10)
    for rule in ("due_soon_before", "escalation_step", "report_remind_before", "late_recorded_after"):
        assert PLAN.due(rule, NOON) == NOON + timedelta(hours=24)
    assert PLAN.due("verification_deadline", at(date(2018, 2, 13), "09:00")) == at(date(2018, 2, 23), "18:00")


def test_a_rule_holds_as_it_stood_when_its_term_began() -> None:
    old, new = at(date(2020, 8, 6), "23:59"), at(date(2020, 8, 7))
    assert "2001年" in PLAN.rule("transfer_decision", old).source.text
    assert "2020年" in PLAN.rule("transfer_decision", new).source.text
    assert PLAN.rule("transfer_decision", old).source.mark == "likely"


def test_of_several_readings_the_earliest_alarms() -> None:
    start = at(date(2018, 2, 13), "09:00")
    readings = PLAN.readings("transfer_decision", start)
    assert {way: town_day(end - timedelta(seconds=1)).day for way, end in readings.items()} == {
        "natural_days": 16,
        "rolled_days": 22,
        "working_days": 23,
    }
    assert PLAN.due("transfer_decision", start) == readings["natural_days"]


@pytest.mark.parametrize(
    ("rule", "when"),
    [
        ("no_such_rule", NOON),
        ("verification_deadline", PLAN.starts_at - timedelta(seconds=1)),
        ("evidence_registration", NOON),
        ("crime_value", NOON),
    ],
)
def test_what_is_no_term_then_gives_no_deadline(rule: str, when: datetime) -> None:
    with pytest.raises(RuleNotInForce):
        PLAN.due(rule, when)


@pytest.mark.parametrize(
    ("kind", "code", "zh", "en"),
    [
        ("channel", "hotline", "举报电话", "hotline"),
        ("village", "140181101207", "独兰村", "Dulan"),
        ("unit", "dulan", "独兰村", "Dulan"),
        ("unit", "town", "镇城底镇", "Zhenchengdi"),
        ("post", "group_leader", "组长", "group leader"),
        ("category", "closed_mine", "关闭矿井", "closed mine"),
        ("violation", "unlicensed_digging", "私挖盗采", "unlicensed digging"),
        ("mineral", "bauxite", "铝矾土", "bauxite"),
        ("modus", "hit_and_run", "游击战", "hit and run"),
        ("pretext", "livestock_farm", "建设养殖场", "livestock farm"),
        ("patrol_class", "key", "重点巡查区域", "key area"),
        ("handling", "stopped", "当场制止", "stopped on the spot"),
        ("measure", "sealing", "封堵", "sealing"),
        ("forward_to", "next_town", "相邻乡镇", "neighbouring town"),
        ("patrol_reason", "surprise", "突击检查", "surprise check"),
        ("phase", "screening", "排查自查阶段", "screening and self-check"),
        ("figure", "late_recorded", "补录事项", "recorded late"),
    ],
)
def test_codes_have_names(kind: str, code: str, zh: str, en: str) -> None:
    assert PLAN.knows(kind, code)
    assert code in PLAN.codes(kind)
    assert (PLAN.name(kind, code), PLAN.name(kind, code, "en")) == (zh, en)


def test_an_unknown_code_or_list_is_not_known_and_stands_for_itself() -> None:
    for kind, code in (("village", "999999999999"), ("nonsense", "stopped")):
        assert not PLAN.knows(kind, code)
        assert PLAN.name(kind, code) == code
    assert PLAN.codes("nonsense") == ()


def test_villages_and_their_units_belong_together() -> None:
    assert PLAN.unit_of_village("140181101207") == "dulan"
    assert PLAN.village_of_unit("dulan") == "140181101207"
    assert PLAN.unit_of_village("999999999999") is None
    assert PLAN.village_of_unit("police_station") is None
    assert PLAN.town_unit == "town"
    assert len(PLAN.reporting_units) == 15


def test_keepers_follow_the_category() -> None:
    keepers = PLAN.keepers("closed_mine")
    assert keepers is not None
    assert (keepers.territorial, keepers.departmental) == ("village", "safety_office")
    assert PLAN.keepers("castle") is None
