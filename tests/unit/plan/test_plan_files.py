"""The shipped plan files: what of the real plan must not get lost, and that the second town is another one."""

import pytest

from shared.plan.model import Plan, Quote
from shared.plan.rule_fitting import KEPT
from tests.support.plans import REAL, SECOND, loaded, plan

REAL_PLAN = loaded(REAL).plan
SECOND_PLAN = loaded(SECOND).plan


def quotes() -> list[Quote]:
    p = REAL_PLAN
    return [
        *p.goals,
        *p.organisation,
        *p.tasks,
        *p.requirements,
        *(duty for phase in p.phases for duty in phase.duties),
    ]


def test_every_clause_of_the_real_plan_is_quoted_once() -> None:
    clauses = [quote.clause for quote in quotes()]
    headings = {"4.1", "4.8", "4.19", "4.33"}  # the phases' own names and dates
    ends = {"1": 9, "2": 10, "3": 8, "4": 36, "5": 39}
    wanted = {f"{part}.{n}" for part, end in ends.items() for n in range(1, end + 1)} - headings
    assert set(clauses) == wanted and len(clauses) == len(wanted)


def test_the_thirteen_villages_have_their_codes_of_2017() -> None:
    codes = [village.code for village in REAL_PLAN.villages]
    assert codes == [f"140181101{n:03}" for n in (1, *range(200, 212))]
    assert [v.zh for v in REAL_PLAN.villages if v.unit == "dulan"] == ["独兰村"]


@pytest.mark.parametrize("of", [REAL_PLAN, SECOND_PLAN], ids=["real", "second"])
def test_people_have_invented_addresses_and_every_village_and_reporting_unit_its_own(of: Plan) -> None:
    assert all(p.email.endswith("@example.org") for p in of.people if p.email)
    assert not any(p.phone for p in of.people)
    for post in ("village_head", "keeper", "designated_reporter"):
        assert {p.village for p in of.people if p.post == post} >= {v.code for v in of.villages}
    assert {p.unit for p in of.people if p.post == "designated_reporter"} == set(of.reports.units)


def test_the_safety_offices_head_is_one_person_with_two_posts() -> None:
    held = {(p.post, p.unit) for p in REAL_PLAN.people if p.person == "p-director"}
    assert held == {("office_director", "campaign_office"), ("deputy_leader", "leading_group")}


def test_several_people_can_stand_in_for_one_another() -> None:
    for post in ("clerk", "inspector", "duty_officer", "police_officer", "land_officer"):
        assert len({p.person for p in REAL_PLAN.people if p.post == post}) >= 2


def test_tips_are_counted_for_the_town_only() -> None:
    assert {f.code for f in REAL_PLAN.reports.figures if f.scopes == ("town",)} == {
        *("tips_received", "tips_live", "tips_substantiated", "tips_unsubstantiated", "tips_forwarded"),
    }
    assert all(f.scopes == ("unit", "town") for f in REAL_PLAN.reports.figures if not f.code.startswith("tips_"))


def test_a_figure_of_law_names_its_article_or_says_that_it_is_from_memory() -> None:
    for rule in [*REAL_PLAN.rules, *SECOND_PLAN.rules]:
        if rule.source.kind == "law":
            assert rule.source.clause or rule.source.mark == "likely", rule.code
        if rule.source.mark == "unsure":
            assert "核对" in rule.source.text, rule.code


def test_thresholds_suggest_and_never_judge() -> None:
    for rule in REAL_PLAN.rules:
        if rule.unit == "yuan":
            assert rule.effect is not None and "不等于构成犯罪" in rule.effect


def test_the_second_town_shares_nothing_with_the_first_that_is_the_plans_own() -> None:
    assert len(SECOND_PLAN.phases) == 3
    assert SECOND_PLAN.reports.weekday == "wednesday"
    assert not plan(SECOND).knows("measure", "sealing")
    assert SECOND_PLAN.ladder != REAL_PLAN.ladder
    for kind in ("village", "phase", "category", "violation"):
        assert not set(plan(SECOND).codes(kind)) & set(plan(REAL).codes(kind)), kind
    kept = [[r.value for r in p.rules if r.code in KEPT] for p in (REAL_PLAN, SECOND_PLAN)]
    assert kept[0] != kept[1]
