"""How test files are shared out among the workers: what looks at one demo stays together, and the long ones come first."""

import re
from fnmatch import fnmatch
from pathlib import Path

import pytest

from tests.support.sharing_out import FIRST, share_of

OF_THE_DEMO = re.compile(r"[(,]\s*(demo|demo_folder|attacked_town): ")
"""Asks for what is made of it; what attacks it does so by way of `ground`."""
FILES = [str(path) for path in Path("tests").rglob("test_*.py")]


@pytest.mark.parametrize("pattern", [pattern for patterns in FIRST for pattern in patterns])
def test_each_that_is_named_is_there(pattern: str) -> None:
    assert any(fnmatch(file, pattern) for file in FILES)


def test_files_that_look_at_the_demo_are_one_share() -> None:
    looking = [
        file for file in FILES if file.startswith("tests/e2e/") and OF_THE_DEMO.search(Path(file).read_text("utf-8"))
    ]
    looking += [file for file in FILES if "/test_attacks" in file]
    assert len(looking) > 4 and {share_of(file) for file in looking} == {(0, "tests/e2e/test_demo.py")}


def test_every_other_file_is_a_share_of_its_own_and_comes_later() -> None:
    others = [share_of(file) for file in FILES if share_of(file)[0] > 0]
    assert len(set(others)) == len(others) > 100
