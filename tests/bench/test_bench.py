"""The bench itself still works: every part runs, small, and its JSON has every row. It holds nothing against a clock."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.bench import commanding
from tests.bench.library import INSTALLED
from tests.bench.rows import Aim, row_of
from tests.bench.tape import Statement, Tape

ROWS = {"a": 3, "b": 10, "c": 3, "d": 6, "e": 6, "f": 5, "g": 2, "h": 24, "i": 4}
"""With --quick: 1 and 2 writers, and 8 on hot streams."""
AIMED = {"b": {3}, "d": {4}, "e": {3}, "f": {1}, "h": {0, 2}, "i": {3}}
"""Rows with an aim. Part h holds nothing against one when it could not keep up its 50 events a second."""
BY_THE_LIBRARY = ("eventsourcing", "to the library")
Kept = dict[str, Any]


@pytest.fixture(scope="module")
async def kept(tmp_path_factory: pytest.TempPathFactory) -> Kept:
    """What `python -m tests.bench --quick` writes."""
    folder = tmp_path_factory.mktemp("bench")
    file, servers = folder / "bench.json", folder / "servers"
    running = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.bench", "--quick", "--json", str(file), "--dir", str(servers),
        cwd=Path(__file__).parents[2], stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    said, _ = await asyncio.wait_for(running.communicate(), 600)
    assert running.returncode == 0, said.decode()
    assert list(servers.iterdir()) == [], "it takes its folders away"
    written: Kept = json.loads(file.read_text("utf-8"))
    return written


def of(kept: Kept, part: str) -> list[Kept]:
    return [row for row in kept["rows"] if row["part"] == part]


@pytest.mark.parametrize("part", ROWS)
async def test_every_part_has_its_rows_and_each_row_its_figure(kept: Kept, part: str) -> None:
    rows = of(kept, part)
    assert len(rows) == ROWS[part], [row["name"] for row in rows]
    assert sum(row["aim"] is not None for row in rows) in AIMED.get(part, {0})
    for row in rows:
        if INSTALLED or not any(words in row["name"] for words in BY_THE_LIBRARY):
            assert row["figure"] is not None and row["figure"] >= 0, row
            assert (row["ratio"] is None) == (row["of"] is None), row
            assert (row["met"] is None) == (row["aim"] is None), row
        else:
            assert row["figure"] is None and "not installed" in row["note"], row


async def test_it_is_measured_with_fsync_on_and_says_so(kept: Kept) -> None:
    assert "fsync on, synchronous_commit on" in kept["about"]["postgres"]
    assert kept["about"]["size"] == "quick"


async def test_every_program_of_a_town_is_counted(kept: Kept) -> None:
    for state in ("idle", "50 events/s"):
        for what in ("memory", "processor"):
            figures = {
                row["name"]: row["figure"] for row in of(kept, "h") if row["name"].startswith(f"{state}: {what}")
            }
            total = figures.pop(f"{state}: {what}, all five")
            assert total == pytest.approx(sum(figures.values()))
            assert {name.split()[-1] for name in figures} == {"up", "Postgres", "NATS", "signer", "witness"}
            assert what == "processor" or min(figures.values()) > 1, figures


async def test_a_slice_ends_early_when_the_prepared_commands_run_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(commanding, "MOST_BARE", 1)
    cut = await commanding._bare(Tape(), {}, writers=2, seconds=60)
    assert len(cut.took) == 60
    assert cut.seconds < 60


async def test_what_was_appended_is_seen_elsewhere_without_a_gap(kept: Kept) -> None:
    """Each steady row counts the events whose arrival was found; all that were written."""
    assert {row["more"]["of"] for row in of(kept, "e") if "50 events/s" in row["name"]} == {25}


def test_a_ratio_is_the_median_of_the_rounds_and_decides_over_the_aim() -> None:
    row = row_of("b", "x", [10.0, 30.0, 90.0], "events/s", ("a", [100.0, 100.0, 100.0]), Aim(least=0.4))
    assert (row.figure, row.ratio, row.met) == (30.0, 0.3, False)
    assert row_of("e", "x", [4.0], "ms", aim=Aim(most=5)).met is True
    assert row_of("c", "x", [], "events/s", ("a", [1.0]), Aim(least=1)).met is None


def test_a_tape_gives_other_ids_the_same_ones_at_the_same_places() -> None:
    old = "0f3c9a52-6a1e-4a3e-9d0a-0c8f5d1f7a11"
    tape = Tape([Statement("cases", "…", (f"site-{old}", [old], f"{{{old}}}".encode(), 1_000_007, 3))])
    (name, listed, body, number, small), (other, *_) = (tape.again()[0].args for _ in range(2))
    new = name.removeprefix("site-")
    assert new != old and other != name
    assert (listed, body, small) == ([new], f"{{{new}}}".encode(), 3)
    assert number != 1_000_007
