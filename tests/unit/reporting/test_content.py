"""What a report says is a function of the events counted; every figure is the length of its list."""

import json
from dataclasses import replace

import pytest

from services.reporting.content import (
    FIGURES,
    LATE_FIGURE,
    TIP_FIGURES,
    Content,
    Counted,
    content_of,
    covers,
    differences,
    figures_of,
    is_late,
    moved,
)
from services.reporting.read_models.counting import RULES
from services.reporting.read_models.report_line import has_seen
from shared.contracts.intake import tip
from shared.contracts.parts import Figure
from tests.support import plans
from tests.unit.reporting.world import (
    CUT_OFF,
    DAY,
    LINEAGE,
    MINUTE,
    PERIOD,
    PLAN,
    SHANTOU,
    about,
    counted,
    cut,
)


def count(*events: Counted, unit: str = "dulan") -> Content:
    return content_of(PLAN, about(unit), events, cut(100))


def value(content: Content, figure: str) -> int:
    found = content.of(figure)
    assert found is not None
    return found.value


HAZARD = counted("hazards_listed", 5, source="cases", unit=None, actor="system:cases")


def test_a_village_counts_its_own_patrols_and_the_hazards_in_its_bounds() -> None:
    content = count(
        counted("patrols", 1),
        counted("patrols", 2, unit="police_station"),
        HAZARD,
        replace(HAZARD, position=6, village=SHANTOU),
    )
    assert (value(content, "patrols"), value(content, "hazards_listed")) == (1, 1)


def test_a_department_counts_what_it_did_wherever_that_was() -> None:
    content = count(counted("patrols", 1), counted("patrols", 2, unit="police_station"), HAZARD, unit="police_station")
    assert (value(content, "patrols"), value(content, "hazards_listed")) == (1, 0)


def test_the_town_counts_everything_also_what_no_unit_answers_for() -> None:
    content = count(
        counted("patrols", 1), counted("patrols", 2, unit="police_station"), HAZARD,
        replace(HAZARD, position=6, village="unknown"), counted("tips_received", 3, village=None, unit=None),
        unit="town",
    )  # fmt: skip
    assert [value(content, f) for f in ("patrols", "hazards_listed", "tips_received")] == [2, 2, 1]


def test_the_first_moment_of_a_period_belongs_to_it_and_the_cut_off_to_the_next() -> None:
    inside = counted("patrols", 1, occurred_at=PERIOD.starts_at)
    assert value(count(inside), "patrols") == 1
    assert value(count(replace(inside, occurred_at=CUT_OFF)), "patrols") == 0
    assert value(count(replace(inside, occurred_at=PERIOD.starts_at - MINUTE)), "patrols") == 0


def test_a_week_that_straddles_two_phases_is_split_by_when_things_happened() -> None:
    before, after = PLAN.phases[1].ends_at - MINUTE, PLAN.phases[1].ends_at
    content = count(
        counted("patrols", 1, occurred_at=before, recorded_at=before),
        counted("patrols", 2, occurred_at=after, recorded_at=after),
        counted("patrols", 3, occurred_at=after + DAY, recorded_at=after + DAY),
    )
    figure = content.of("patrols")
    assert figure is not None
    assert figure.by_phase == {PLAN.phases[1].phase: 1, PLAN.phases[2].phase: 2}


def test_what_was_entered_late_is_counted_again_once_an_event_and_by_persons_only() -> None:
    late = PERIOD.starts_at + 3 * DAY
    content = count(
        counted("patrols", 1, recorded_at=late),
        counted("patrol_findings", 1, part=1, recorded_at=late),
        counted("patrol_findings", 1, part=2, recorded_at=late),
        counted("patrols", 2),
        replace(HAZARD, recorded_at=late),
    )
    figure = content.of(LATE_FIGURE)
    assert figure is not None
    assert [(one.position, one.part) for one in figure.events] == [(1, 0)]


def test_late_is_after_the_plans_term_or_after_the_cut_off() -> None:
    one = counted("patrols", 1)
    assert not is_late(PLAN, CUT_OFF, replace(one, recorded_at=one.occurred_at + DAY))
    assert is_late(PLAN, CUT_OFF, replace(one, recorded_at=one.occurred_at + DAY + MINUTE))
    just = replace(one, occurred_at=CUT_OFF - MINUTE)
    assert not is_late(PLAN, CUT_OFF, replace(just, recorded_at=CUT_OFF - MINUTE))
    assert is_late(PLAN, CUT_OFF, replace(just, recorded_at=CUT_OFF))


def test_a_unit_reports_no_tips_whatever_the_plan_lists() -> None:
    figures = tuple(f.model_copy(update={"scopes": ("unit", "town")}) for f in PLAN.plan.reports.figures)
    reports = PLAN.plan.reports.model_copy(update={"figures": figures})
    careless = replace(PLAN, plan=PLAN.plan.model_copy(update={"reports": reports}))
    assert not TIP_FIGURES & set(figures_of(careless, "dulan"))
    assert TIP_FIGURES & set(figures_of(careless, "town"))


def test_figures_come_in_the_plans_order() -> None:
    order = [f.code for f in PLAN.figures]
    assert [f.figure for f in count(unit="town").figures] == order
    assert [f.figure for f in count().figures] == [code for code in order if not code.startswith("tips_")]


@pytest.mark.parametrize("name", [plans.REAL, plans.SECOND])
def test_every_figure_of_the_shipped_plans_can_be_counted(name: str) -> None:
    assert {f.code for f in plans.plan(name).figures} <= FIGURES


def test_the_table_of_counts_knows_every_figure_and_tips_count_for_tip_figures_only() -> None:
    assert {rule.figure for rule in RULES} == FIGURES - {LATE_FIGURE}
    assert {rule.figure for rule in RULES if rule.event in tip.EVENTS} == TIP_FIGURES


def test_the_canonical_bytes_name_every_event_in_the_order_of_the_logs() -> None:
    events = [counted("patrol_findings", 9, part=2), counted("patrol_findings", 9, part=1), counted("patrols", 9)]
    content = count(*events)
    told = json.loads(content.canonical)
    figure = next(f for f in told["figures"] if f["figure"] == "patrol_findings")
    assert figure["events"] == [f"{events[0].event_id}:1", f"{events[0].event_id}:2"]
    assert figure["value"] == 2
    assert content.canonical == count(*reversed(events)).canonical
    assert told["cut"] == [at.model_dump() for at in cut(100)]


def test_another_cut_is_another_content() -> None:
    assert count().sha256 != content_of(PLAN, about(), (), cut(101)).sha256


def test_differences_name_figures_that_are_new_gone_or_changed() -> None:
    def figures(**values: int) -> list[Figure]:
        return [Figure(figure=figure, value=value) for figure, value in values.items()]

    assert differences(figures(a=1, b=2, c=3), figures(a=1, b=5, d=4)) == [("b", 2, 5), ("d", 0, 4), ("c", 3, 0)]


def test_what_moved_is_what_was_counted_at_one_of_the_two_only() -> None:
    one, two, three = (counted("patrols", n) for n in (1, 2, 3))
    assert moved(count(one, two), count(two, three), "patrols") == (one.event_id, three.event_id)


def test_a_cut_covers_another_that_has_seen_no_more_of_any_source() -> None:
    assert covers(cut(5, 5), cut(5, 4))
    assert not covers(cut(6, 3), cut(5, 4))
    assert not covers((), cut(0, 1))


def test_a_cut_of_another_lineage_is_a_newer_past_however_low_its_numbers_are() -> None:
    restored = tuple(at.model_copy(update={"lineage": "9b…"}) for at in cut(2, 2))
    assert covers(restored, cut(5, 5))


def test_a_cut_has_seen_what_lies_at_or_before_it_in_the_same_lineage() -> None:
    kept = [at.model_dump() for at in cut(5, 7)]
    assert has_seen(kept, "intake", LINEAGE, 5) and has_seen(kept, "cases", LINEAGE, 6)
    assert not has_seen(kept, "intake", LINEAGE, 6)
    assert not has_seen(kept, "intake", "9b…", 1)
    assert not has_seen([], "intake", LINEAGE, 1)
