"""The demo's story hangs on its seed alone: neither on the machine's speed nor on the order in which things happen at once."""

from pathlib import Path

from services.simulation.course import live, timetable
from services.simulation.sequence import Sequence, sequences
from services.simulation.timetable import when
from services.together import FIRST_PLAN, shipped
from tests.support.stage import Silent, a_played_town


async def _lived(folder: Path, seed: int) -> dict[str, list[Sequence]]:
    """The first five days, with the first report in them."""
    async with a_played_town(folder, shipped(FIRST_PLAN), seed) as played:
        entries = timetable(played.stage.cast, played.world.mail)
        await live(played.stage, entries, Silent(), when("01-20 12:00"))
        return await sequences(played.together)


async def test_the_same_seed_tells_the_same_story_and_another_seed_another(tmp_path: Path) -> None:
    first, again, other = [await _lived(tmp_path / str(nth), seed) for nth, seed in enumerate((7, 7, 8))]
    assert {subject for subject in first if first[subject] != again.get(subject)} == set()
    assert first.keys() == again.keys() and len(first) > 100
    assert first != other
