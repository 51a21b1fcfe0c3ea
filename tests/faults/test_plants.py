"""A drill that finds nothing proves nothing: each planted bug must be found, by the check that its docstring names.

The same faults without a bug leave everything equal. None of it hangs on chance or on the machine's speed: moments are counted by
what the load has got done, and each step says why it is enough.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.faults import drill
from tests.faults.drill import Less
from tests.faults.hatchery import Hatchery
from tests.faults.plants import PLANTS
from tests.faults.raising import Stood, stand
from tests.faults.schedule import Schedule, Step

SEED, SECONDS, RATE = 7, 5.0, 48.0
SERVICES = ("intake", "cases")
ACTS = ("tells", "keys_in", "screens", "verifies", "walks", "orders", *["registers"] * 14)
"""Of the load: what brings hazards and puts them under order. Nobody completes one, so every deadline has something to say; and
a site can be registered at any time, so that something is always recorded in cases."""
STUCK = 2.0
"""Seconds in which nothing moves, with a bug that lets nothing come to rest."""


@dataclass(frozen=True)
class Fault:
    """`check` must find the bug, in a line that begins with `words`, a pattern. `rests`: whether all comes to rest in spite of
    it."""

    check: str
    words: str
    steps: tuple[Step, ...]
    rests: bool = True


FAULTS = {
    # What 50 commands bring, of which every third is for cases, is gone from the stream before its receiver comes back.
    "skip_instead_of_gap_check": Fault(
        "inbox", "cases from intake: .* is missing",
        (Step(0.5, "down", "cases.receiver", 2.5), Step(2.6, "purge", "intake", 1.0)),
    ),
    # All that was published meanwhile comes to the receiver in one batch, and it dies in the middle of that.
    "mark_before_inbox": Fault(
        "inbox", "cases from intake: .* is missing",
        (
            Step(0.5, "down", "cases.receiver", 2.0),
            Step(1.5, "point", "cases.receiver", "1 receiver: after the commit"),
        ),
    ),
    # Nobody publishes meanwhile, so it is the last message that goes; the relay puts that event one place too far.
    "relay_trusts_last_message": Fault(
        "stream", "intake: ends at",
        (Step(1.0, "down", "intake.relay", 1.0), Step(1.2, "delete_last", "intake")),
        rests=False,
    ),
    # The load has ended, and then the clock goes on: the first deadline that is claimed then is lost.
    "timer_claim_committed_first": Fault(
        "deadlines", "cases: hazard.overdue .* is gone without a trace",
        (Step(SECONDS, "point", "cases.timers", "1 timer: after the commit"),),
    ),
    # The step itself sees to it that later ids are numbered before the follower commits its own.
    "sequencer_by_id_greater_than_last": Fault(
        "log", "cases: .* has no position, later ones have",
        (Step(3.2, "dawdle", "cases.follower", "reaction: before the commit"),),
        rests=False,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
async def stood(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stood]:
    """The town of which each test has a copy."""
    hatchery = Hatchery()
    await hatchery.open()
    try:
        yield await stand(tmp_path_factory.mktemp("stood"), SERVICES, hatchery)
    finally:
        await hatchery.close()


def steps(*names: str) -> Schedule:
    every = sorted(step for name in names for step in FAULTS[name].steps)
    return Schedule(SEED, SECONDS, tuple(every), paced=True)


def test_there_are_faults_for_every_plant() -> None:
    assert FAULTS.keys() == PLANTS.keys()


@pytest.mark.parametrize("plant", FAULTS)
async def test_the_drill_finds_the_planted_bug(plant: str, stood: Stood, tmp_path: Path) -> None:
    fault = FAULTS[plant]
    less = Less(stood, ACTS, RATE, None if fault.rests else STUCK)
    report = await drill.run(steps(plant), plant, where=tmp_path, less=less)
    found = [line for line in report.wrong if re.match(f"{fault.check}: {fault.words}", line)]
    assert found, report.wrong


async def test_the_same_faults_without_a_bug_leave_everything_equal(stood: Stood, tmp_path: Path) -> None:
    report = await drill.run(steps(*FAULTS), where=tmp_path, less=Less(stood, ACTS, RATE))
    assert report.wrong == [], report.logs
    assert report.steps.total() == sum(len(fault.steps) for fault in FAULTS.values()) and report.points
