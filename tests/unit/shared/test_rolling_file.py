"""A log grows to its limit and is put aside; old ones go, and no line is torn or lost while they are kept."""

from pathlib import Path

import pytest

from shared.rolling_file import NoLogLimit, RollingFile, log_limits, rolling


def lines(path: Path) -> list[str]:
    return path.read_text("utf-8").splitlines()


def test_it_rolls_at_its_limit_and_keeps_so_many_old_ones(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "a.jsonl"
    file = RollingFile(path, most=20, kept=2)
    for n in range(9):
        print(f"line {n:04}", file=file, flush=True)  # ten bytes
    assert sorted(p.name for p in path.parent.iterdir()) == ["a.jsonl", "a.jsonl.1", "a.jsonl.2"]
    assert lines(path) == ["line 0008"]
    assert lines(path.with_name("a.jsonl.1")) == ["line 0006", "line 0007"]
    assert lines(path.with_name("a.jsonl.2")) == ["line 0004", "line 0005"]


def test_a_line_that_is_written_in_parts_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = RollingFile(path, most=4, kept=1)
    for text in ("first", " line", "\n", "second", "\n"):
        file.write(text)
    file.close()
    assert (lines(path.with_name("a.jsonl.1")), lines(path)) == (["first line"], ["second"])


def test_what_an_earlier_process_wrote_counts(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_text("矿巡\n", "utf-8")  # seven bytes
    file = RollingFile(path, most=7, kept=1)
    file.write("next\n")
    file.close()
    assert (lines(path.with_name("a.jsonl.1")), lines(path)) == (["矿巡"], ["next"])


def test_size_is_counted_in_bytes_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    file = RollingFile(path, most=7, kept=1)
    file.write("矿巡\n")
    file.write("next\n")
    file.close()
    assert lines(path) == ["next"]


def test_size_and_number_are_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert log_limits({}) == (16 * 1024 * 1024, 5)
    monkeypatch.setenv("MINEWATCH_LOG_MEGABYTES", "1")
    monkeypatch.setenv("MINEWATCH_LOG_FILES", "2")
    file = rolling(tmp_path / "a.jsonl")
    for _ in range(5):
        file.write("x" * 600_000 + "\n")
    file.close()
    sizes = {path.name: path.stat().st_size for path in tmp_path.iterdir()}
    assert sizes == {"a.jsonl": 600_001, "a.jsonl.1": 1_200_002}


@pytest.mark.parametrize("name", ["MINEWATCH_LOG_MEGABYTES", "MINEWATCH_LOG_FILES"])
@pytest.mark.parametrize("given", ["0", "many", "-1", "1.5"])
def test_a_setting_that_is_no_such_number_is_named(name: str, given: str) -> None:
    with pytest.raises(NoLogLimit, match=name):
        log_limits({name: given})
