"""Other people's verifiers agreed with the log's code as it stands."""

import shutil
from pathlib import Path

from tests.crosscheck import sources


def test_others_agreed_with_these_very_sources() -> None:
    assert sources.fresh(), sources.REMEDY


def test_every_source_counts_and_every_change_of_one(tmp_path: Path) -> None:
    copy = tmp_path / "checkout"
    for name in sources.SOURCES:
        assert (sources.ROOT / name).exists(), name
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (shutil.copytree if (sources.ROOT / name).is_dir() else shutil.copy)(sources.ROOT / name, copy / name)
    assert sources.digest(copy) == sources.digest()
    for name in (
        "shared/transparency/tree.py",
        "shared/sequencer.py",
        "shared/audit/export.py",
        "shared/contracts/envelope.py",
        "shared/migrations/versions/0001_kernel.py",
        "shared/web/log_api.py",
        "tests/crosscheck/check.go",
    ):
        before = sources.digest(copy)
        (copy / name).write_text((copy / name).read_text("utf-8") + "\n", "utf-8")
        assert sources.digest(copy) != before, name
    before = sources.digest(copy)
    (copy / "shared/transparency/tree.py").rename(copy / "shared/transparency/trees.py")
    assert sources.digest(copy) != before


def test_what_they_agreed_with_is_no_source_of_its_own(tmp_path: Path) -> None:
    copy = tmp_path / "tests/crosscheck"
    shutil.copytree(sources.ROOT / "tests/crosscheck", copy)
    before = sources.digest(tmp_path)
    (copy / "agreed").write_text("something else\n", "utf-8")
    assert sources.digest(tmp_path) == before


def test_ci_asks_them_when_they_have_not_been_asked() -> None:
    ask = ".venv/bin/python -m tests.crosscheck.sources || step make audit-crosscheck"
    assert ask in (sources.ROOT / ".ci/run").read_text("utf-8").splitlines()
