"""The demo's story hangs on its seed alone: neither on the machine's speed nor on the order in which things happen at once."""

from datetime import datetime
from pathlib import Path
from typing import Any

from services.simulation.course import live, timetable
from services.simulation.sequence import Sequence, sequences
from services.simulation.timetable import when
from services.together import FIRST_PLAN, shipped
from tests.support.stage import Silent, a_played_town

FIRST_REPORT, BEFORE = when("01-20 12:00"), when("01-17 12:00")


async def _lived(folder: Path, seed: int, until: datetime) -> dict[str, list[Sequence]]:
    """The days from the first to then."""
    async with a_played_town(folder, shipped(FIRST_PLAN), seed) as played:
        entries = timetable(played.stage.cast, played.world.mail)
        await live(played.stage, entries, Silent(), until)
        return await sequences(played.together)


async def test_the_same_seed_tells_the_same_story_and_another_seed_another(tmp_path: Path) -> None:
    lives = ((7, FIRST_REPORT), (7, FIRST_REPORT), (8, BEFORE))
    first, again, other = [await _lived(tmp_path / str(nth), *life) for nth, life in enumerate(lives)]
    assert {subject for subject in first if first[subject] != again.get(subject)} == set()
    assert first.keys() == again.keys() and len(first) > 100
    assert begun(first, other) != begun(other, other)


def begun(story: dict[str, list[Sequence]], by: dict[str, list[Sequence]]) -> dict[str, Any]:
    """How each subject begins of those in `by`, which ended sooner."""
    return {subject: story[subject][0][0] for subject in by if subject in story}
