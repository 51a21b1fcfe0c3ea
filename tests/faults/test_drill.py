"""The drill in one minute: every kind of fault at least once, and every effect compared."""

from pathlib import Path

from tests.faults import schedule
from tests.faults.drill import FULL, Less, run

SEED, SECONDS, RATE = 20180116, 60.0, 16.0


async def test_a_minute_of_every_fault_leaves_everything_equal(tmp_path: Path) -> None:
    steps = schedule.make(SEED, SECONDS)
    report = await run(steps, where=tmp_path, less=Less(rate=RATE))
    assert report.wrong == [], f"python -m tests.faults --seed {SEED} --seconds {SECONDS:g}; logs in {report.logs}"
    left_out = set(FULL) if report.left_out else set()
    assert set(report.steps) == schedule.KINDS - left_out
    assert report.kills >= steps.counts()["kill"]
    assert report.commands > 100 and report.events > report.commands / 2
    assert report.checkpoints > 10
