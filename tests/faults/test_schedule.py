"""What a schedule promises before anything runs."""

import re
from collections import Counter
from pathlib import Path

import pytest

from tests.faults.schedule import ALONE, INJURIES, KINDS, LONG_SECONDS, POINTS, make
from tests.faults.town import PROCESSES

SHARED = Path(__file__).parents[2] / "shared"


def test_a_seed_gives_the_same_steps_each_time_and_another_seed_others() -> None:
    assert make(7) == make(7)
    assert make(7).digest == make(7).digest != make(8).digest


@pytest.mark.parametrize("seed", range(5))
def test_the_long_drill_kills_200_times_injures_20_times_in_each_way_and_restores_5_times(seed: int) -> None:
    counts = make(seed).counts()
    assert counts["kill"] >= 200 and counts["restore"] >= 5
    assert all(counts[kind] >= 20 for kind in INJURIES)
    assert all(counts[kind] >= 2 for kind in KINDS)


@pytest.mark.parametrize("seed", range(5))
def test_the_long_drill_kills_every_process_both_servers_and_all_at_once(seed: int) -> None:
    killed = Counter(step.target for step in make(seed).steps if step.kind == "kill")
    assert set(killed) == {*PROCESSES, "nats", "postgres", "postgres backend", "everything"}


def test_the_long_drill_arms_every_crash_point() -> None:
    named = {
        name.strip()
        for path in SHARED.glob("*.py")
        for name in re.findall(r'points\(f?"([^"{]+)', path.read_text("utf-8"))
    }
    assert named == {point for points in POINTS.values() for point in points}
    armed = {str(step.parameter).partition(" ")[2] for step in make(3).steps if step.kind == "point"}
    assert armed == {point for points in POINTS.values() for point in points}


@pytest.mark.parametrize("seed", range(5))
def test_a_minute_has_every_kind_of_step(seed: int) -> None:
    assert set(make(seed, 60).counts()) == KINDS


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("seconds", [60.0, LONG_SECONDS])
def test_two_sequencers_two_relays_and_two_receivers_are_at_work_first(seconds: float, seed: int) -> None:
    doubles = [step.target.partition(".")[2] for step in make(seed, seconds).steps if step.kind == "double"]
    assert sorted(doubles[: len(ALONE)]) == sorted(ALONE) == ["receiver", "relay", "sequencer"]


@pytest.mark.parametrize("seconds", [60.0, LONG_SECONDS])
def test_steps_come_in_the_order_of_time_and_nobody_is_poisoned_before_the_last_restore(seconds: float) -> None:
    steps = make(5, seconds).steps
    assert [step.at for step in steps] == sorted(step.at for step in steps)
    assert steps[0].at >= 0 and steps[-1].at <= seconds
    assert all(step.at < 0.6 * seconds for step in steps if step.kind == "away")
    last = max(step.at for step in steps if step.kind == "restore")
    assert last < min(step.at for step in steps if step.kind == "poison")


def test_one_kind_alone_comes_as_it_would_among_all() -> None:
    alone = make(4, kinds={"purge"}).steps
    assert alone == tuple(step for step in make(4).steps if step.kind == "purge")
    assert len(make(4, kinds={"purge"}, often=2).steps) == 2 * len(alone)


def test_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ValueError, match="flood"):
        make(1, kinds={"flood"})
