"""A plan in a page."""

import unicodedata

import pytest
from click.testing import CliRunner

from shared.cli.plan import plan as command
from shared.plan.explain import explain
from shared.plan.gaps import gaps
from shared.plan.loader import LoadedPlan
from shared.plan.model import Plan
from shared.plan.terms import PlanTerms
from tests.support.plans import FOLDER, REAL, SECOND, loaded, plan
from tests.unit.plan.small_plan import TEXT, line_of

PAGE = explain(loaded())
LINES = [" ".join(line.split()) for line in PAGE.splitlines()]


@pytest.mark.parametrize(
    "line",
    [
        "2018-01-16 周二 — 2018-03-26 周一 70 天，其中 47 个工作日 70 days, 47 of them working days",
        "全国两会 the two sessions: 03-03 — 03-20",
        "1 01-16 周二 — 01-20 周六 5 天 6 项职责 部署动员阶段 mobilisation",
        "4 03-17 周六 — 03-26 周一 10 天 3 项职责 检查验收阶段 inspection and acceptance",
        "周报 Reports：11 期，首尾相接，覆盖整个行动；15 个单位报送 11 periods tile the campaign, 15 units",
        "4 02-09 周五 17:00 02-09 周五 18:00 02-09 周五 21:00",
        "5 02-16 周五 17:00 02-16 周五 18:00 02-16 周五 21:00 正月初一，照报 Lunar New Year's Day, due all the same",
        "7 03-02 周五 17:00 03-02 周五 18:00 03-02 周五 21:00 元宵节 Lantern Festival",
        "11 03-26 周一 24:00 03-27 周二 12:00 03-27 周二 15:00 末期 closing report",
        "所在村（居） + 镇城底派出所：压覆区域内的居民住宅",
        "线索核实 3 个工作日，末日 18:00 他处做法（须核对） verification of a tip",
        "非法采矿价值或损失 100,000–300,000 元 法规",
        "组长 group leader 山明远",
        "村（居）负责人 village head 13 人",
        "上报 Ladder：责任人 → 村（居）负责人 → 安监办人员 → 办公室主任 → 副组长 → 组长",
        "- 须核对起止日期：全国两会。 Dates to be checked: two_sessions.",
    ],
)
def test_the_page_of_2018_says(line: str) -> None:
    assert line in LINES


def width(text: str) -> int:
    """In places of a terminal, where a Chinese character takes two."""
    return sum(2 if unicodedata.east_asian_width(letter) in "WF" else 1 for letter in text)


def test_columns_stand_under_one_another_in_places_not_letters() -> None:
    held = {"组长 group leader": "山明远", "办公室工作人员 clerk": "文清和、纪若华", "审计员 auditor": "衡正言"}
    rows = [(line, name) for line in PAGE.splitlines() for post, name in held.items() if line.startswith(f"  {post} ")]
    assert len(rows) == 3
    assert len({width(line[: line.index(name)]) for line, name in rows}) == 1
    assert all(line == line.rstrip() for line in PAGE.splitlines())


def test_it_is_a_page_and_ends_in_a_line_feed() -> None:
    assert len(LINES) < 110
    assert PAGE.endswith(".\n") and not PAGE.endswith("\n\n")


def test_a_report_due_in_national_day_week_is_due_all_the_same() -> None:
    assert "国庆节，照报 National Day, due all the same" in explain(loaded(SECOND))


def test_who_holds_several_posts_is_named() -> None:
    (line,) = [line for line in LINES if line.startswith("一人多职")]
    assert "安定邦（副组长、办公室主任）" in line and "石砺锋（副组长、派出所民警）" in line


def without(of: Plan, post: str, unit: str = "") -> PlanTerms:
    kept = tuple(p for p in of.people if p.post != post or (unit and p.unit != unit))
    return PlanTerms(of.model_copy(update={"people": kept}), "v")


@pytest.mark.parametrize(
    ("post", "unit", "told"),
    [
        ("custodian", "", "Nobody holds the post custodian."),
        ("designated_reporter", "dulan", "No designated_reporter: dulan."),
        ("village_head", "dulan", "No village_head: dulan."),
        ("keeper", "dulan", "No keeper: dulan."),
    ],
)
def test_a_post_that_nobody_holds_is_a_gap(post: str, unit: str, told: str) -> None:
    assert told not in [en for _, en in gaps(plan())]
    assert told in [en for _, en in gaps(without(loaded().plan, post, unit))]


def test_what_has_to_be_checked_is_a_gap_and_the_end_of_the_calendar_too() -> None:
    told = [en for _, en in gaps(plan())]
    assert "To be checked: verification_deadline." in told
    assert "No calendar speaks of days after 2018-12-31; they are taken by their weekday." in told


def test_the_command_explains_a_plan() -> None:
    shown = CliRunner().invoke(command, ["check", str(FOLDER / REAL)])
    assert (shown.exit_code, shown.stdout) == (0, PAGE)


def test_the_command_names_mistakes_and_fails(tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("plan") / "spoilt.yaml"
    path.write_text(TEXT.replace("post: village_head", "post: vilage_head"), "utf-8")
    shown = CliRunner().invoke(command, ["check", str(path)])
    assert shown.exit_code == 1
    assert f"{path}:{line_of(TEXT, '{assignment: c-2')}: people[2].post" in shown.stderr
    assert shown.stdout == ""


def test_a_plan_without_gaps_says_so() -> None:
    real = loaded().plan
    sure = [
        r.model_copy(update={"source": r.source.model_copy(update={"mark": "found"}), "up_to": None})
        for r in real.rules
    ]
    year = real.calendar[0].model_copy(update={"until_on": real.ends_on.replace(year=2019)})
    changed = {"rules": tuple(sure), "special_periods": (), "calendar": (year,)}
    page = explain(LoadedPlan(real.model_copy(update=changed), "v", "0", FOLDER / REAL))
    assert page.endswith("缺口 Gaps\n  无 none\n")
