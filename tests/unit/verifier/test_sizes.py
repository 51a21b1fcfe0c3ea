"""A whole log passes, whatever its size, in one process as in several."""

from pathlib import Path

import pytest

from shared.verifier import log
from shared.verifier.doubts import Doubt
from shared.verifier.files import FolderLog
from shared.verifier.log import Asked, Known
from shared.verifier.working import hands
from tests.unit.verifier.logs import Tree, found, many_bodies, some_events, verified, write

LATEST = "2027-01-01T00:00:00.000000Z"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 100, 255, 256, 257, 513, 1000])
def test_a_log_of_any_size_is_proven(tmp_path: Path, size: int) -> None:
    events = some_events(size)
    write(tmp_path, events.bodies)
    report = verified(tmp_path)
    assert (report.code, found(report)) == (0, [])
    part = report.parts[0]
    assert part.events == size and part.streams == len({each["subject"] for each in events.envelopes})
    assert part.statements == sum("opening" in each["type"] for each in events.envelopes)


class InMemory:
    """A log that is read from the writer's tree."""

    def __init__(self, made: Tree) -> None:
        self.tree, self.size = made, made.size

    def entries(self, index: int) -> list[bytes]:
        return list(self.tree.bodies[index * 256 : index * 256 + 256])

    def tile(self, level: int, index: int) -> bytes:
        width = min(256, (self.size >> 8 * level) - index * 256)
        return b"".join(self.tree.tiles[level, index, width])


def test_a_log_with_tiles_of_three_levels_is_proven_against_every_root_on_its_way() -> None:
    """The roots at other sizes come from the writer's tree."""
    made = InMemory(Tree(many_bodies(65_537)))
    sizes = (0, 1, 255, 256, 257, 65_279, 65_280, 65_281, 65_535, 65_536, 65_537)
    right = [Known(size, made.tree.root_at(size), "known") for size in sizes]
    wrong = [Known(size, bytes(32), "root") for size in sizes]
    with hands(1) as alone:
        checked = log.check(made, Asked("/140181101/cases", LATEST, (*right, *wrong)), alone, None, lambda events: None)
    assert {one.code for one in checked.doubts.first} == {"root"}
    assert {int(dict(one.values)["size"]) for one in checked.doubts.first} == set(sizes)


@pytest.mark.parametrize("processes", [1, 2])
def test_several_processes_find_what_one_finds(tmp_path: Path, processes: int) -> None:
    bodies = many_bodies(17_000)
    bodies[9_000] = bodies[4_000]  # the same event twice, in another piece
    made = write(tmp_path, bodies)
    asked = Asked(
        "/140181101/cases", LATEST, (Known(made.size, made.root, "root"), Known(8_500, made.root_at(8_500), "known")),
        frozenset({made.leaves[16_999]}),
    )  # fmt: skip
    told: list[int] = []
    with hands(processes) as shared:
        checked = log.check(FolderLog(tmp_path, made.size), asked, shared, tmp_path, told.append)
    assert [(one.code, one.position) for one in checked.doubts.first] == [("event_id", 9_001), ("version", 9_001)]
    assert told == [5_120, 10_240, 15_360, 17_000]
    assert checked.found == {made.leaves[16_999]: (17_000, "2018-02-11T04:05:00.000001Z")}
    assert checked.streams == 17_000 and not list(tmp_path.glob("minewatch-verify-*"))


def test_of_many_doubts_the_first_by_position_are_kept_and_all_are_counted() -> None:
    doubts, more = log.Doubts(), log.Doubts()
    for position in range(1000, 0, -1):
        (doubts if position % 2 else more).add(Doubt("leaf", position))
    doubts.add(Doubt("root"))
    doubts.take(more)
    assert [one.position for one in doubts.first] == list(range(1, 21))
    assert doubts.count == 1001
