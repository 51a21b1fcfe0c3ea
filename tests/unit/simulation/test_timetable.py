"""The script: every entry once, at a moment of the campaign, by somebody whom the plan knows."""

from datetime import timedelta

import pytest

from services.simulation.cast import Cast, NobodyInPost
from services.simulation.course import timetable
from services.simulation.fridays import TROUBLE, report_entries
from services.simulation.outside import MailBox
from services.simulation.scene import Scene
from services.simulation.story_patrols import patrol_plots
from services.simulation.story_tips import tip_plots
from services.simulation.timetable import Entry, by_moment, when
from shared.embedded.home import Home
from shared.identity.tokens import Tokens
from tests.support.plans import plan


@pytest.fixture(scope="module")
def cast(tmp_path_factory: pytest.TempPathFactory) -> Cast:
    kept = Home(tmp_path_factory.mktemp("home")).secrets
    return Cast(plan(), Tokens(kept["token_public"], kept["token_private"]))


async def nothing(_: Scene) -> None:
    return None


def test_every_moment_lies_between_the_first_hour_and_the_closing_report(cast: Cast) -> None:
    moments = by_moment(timetable(cast, MailBox()))
    assert cast.plan.starts_at < moments[0][0] and moments[-1][0] < cast.plan.periods[-1].due_at
    assert len({at.date() for at, _ in moments}) == 71


def test_entries_of_one_moment_keep_their_order() -> None:
    late, first, second = (
        Entry(when(at), name, nothing)
        for at, name in (("02-02 10:00", "late"), ("02-01 10:00", "a"), ("02-01 10:00", "b"))
    )
    assert [[e.name for e in group] for _, group in by_moment([late, first, second])] == [["a", "b"], ["late"]]


def test_two_entries_with_one_name_are_refused() -> None:
    with pytest.raises(ValueError, match="twice"):
        by_moment([Entry(when("02-01 10:00"), "twice", nothing), Entry(when("02-02 10:00"), "twice", nothing)])


def test_every_plot_names_codes_and_people_of_the_plan(cast: Cast) -> None:
    for plot in (*tip_plots(), *patrol_plots()):
        known = {"category": plot.category, "violation": plot.violation, "mineral": plot.mineral, "modus": plot.modus}
        for kind, code in known.items():
            assert code is None or cast.plan.knows(kind, code), (plot.name, kind, code)
        assert cast.village(plot.village)
        assert [step.at for step in plot.steps[:1]] == [min(step.at for step in plot.steps)], plot.name


def test_hazards_of_more_than_six_categories_are_told() -> None:
    assert len({plot.category for plot in (*tip_plots(), *patrol_plots())}) > 6


def test_every_village_and_the_town_report_in_every_period(cast: Cast) -> None:
    entries = list(report_entries(cast))
    assert sum(entry.name.endswith("上报") for entry in entries) == len(cast.plan.periods)
    assert {unit for _, unit in TROUBLE} <= set(cast.plan.reporting_units)
    new_year = cast.plan.periods[4]
    assert new_year.due_at == when("02-16 18:00") and not any(no == new_year.no for no, _ in TROUBLE)


def test_the_town_waits_for_the_late_until_the_grace_is_over(cast: Cast) -> None:
    compiled = {int(e.name[1]): e.at for e in report_entries(cast) if e.name.endswith("全镇汇总") and e.name[2] == "期"}
    for no, _ in TROUBLE:
        assert compiled[no] > cast.plan.period(no).missing_at
    assert compiled[1] < cast.plan.period(1).missing_at - timedelta(hours=1)


def test_a_post_that_nobody_holds_is_named(cast: Cast) -> None:
    with pytest.raises(NobodyInPost, match=r"inspector no\. 99"):
        cast.who("inspector 99")
    assert cast.who("village_head dulan").person == "p-village_head-dulan"
