"""Every release leaves a town behind: a version that was given out and is not in kept/ fails, and so does one kept twice.

What was released is told by the version in pyproject.toml alone, because a checkout knows no tags: numbers are counted without
gaps, so 0.3.1 says that 0.3.0, some 0.2 and some 0.1 came before it. Between releases the version ends in `.dev0`; without
such an ending this very commit is a release, and its own town must be there.
"""

import hashlib
import lzma
import os
import re
import tomllib
from collections.abc import Collection
from pathlib import Path

import pytest

from tests.upgrade.archive import KEPT, NAME, SUMS, packed, sums, unpack

ROOT = Path(__file__).parents[2]
FIRST = (0, 1, 0)
LARGEST = 400_000

Number = tuple[int, int, int]


def not_kept(version: str, kept: Collection[str]) -> str | None:
    """The latest release up to `version` that is not in `kept` ("0.2" when not even its last number is known), or None."""
    found = re.fullmatch(r"(\d+)\.(\d+)\.(\d+)(.*)", version)
    assert found, f"{version} is no version of the form 1.2.3 or 1.2.3.dev0"
    number: Number = (int(found[1]), int(found[2]), int(found[3]))
    if not found[4] and version not in kept:
        return version
    have = {(int(a), int(b), int(c)) for a, b, c in (each.split(".") for each in kept)}
    while number > FIRST:
        major, minor, patch = number
        if patch:
            wanted, among = f"{major}.{minor}.{patch - 1}", {n for n in have if n == (major, minor, patch - 1)}
        elif minor:
            wanted, among = f"{major}.{minor - 1}", {n for n in have if n[:2] == (major, minor - 1)}
        else:
            wanted, among = f"{major - 1}", {n for n in have if n[0] == major - 1}
        if not among:
            return wanted
        number = max(among)
    return None


def test_every_release_up_to_this_version_is_kept() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    missing = not_kept(version, [folder.name for folder in KEPT.iterdir() if folder.is_dir()])
    assert missing is None, f"run python -m tests.upgrade.keep on release {missing} and commit it (docs/upgrades.md)"


def test_what_is_kept_stands_as_it_was_made_and_stays_small() -> None:
    files = {path.relative_to(KEPT).as_posix(): path.read_bytes() for path in KEPT.glob(f"*/{NAME}")}
    assert {path: hashlib.sha256(content).hexdigest() for path, content in files.items()} == sums(
        (KEPT / SUMS).read_text("utf-8")
    )
    assert {path: len(content) for path, content in files.items() if len(content) > LARGEST} == {}


@pytest.mark.parametrize("archive", sorted(KEPT.glob(f"*/{NAME}")), ids=lambda path: path.parent.name)
def test_what_is_kept_is_packed_the_same_way_again(archive: Path, tmp_path: Path) -> None:
    unpack(archive, tmp_path)
    for path in tmp_path.rglob("*"):  # as if it lay there since another day, in another's hands
        path.chmod(0o755)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert packed(tmp_path) == lzma.decompress(archive.read_bytes())


@pytest.mark.parametrize(
    ("version", "kept", "missing"),
    [
        ("0.1.0", [], "0.1.0"),
        ("0.1.0", ["0.1.0"], None),
        ("0.1.1.dev0", ["0.1.0"], None),
        ("0.2.0.dev0", [], "0.1"),
        ("0.2.0", ["0.1.0"], "0.2.0"),
        ("0.2.2", ["0.1.0", "0.2.0", "0.2.2"], "0.2.1"),
        ("0.3.0", ["0.1.0", "0.3.0"], "0.2"),
        ("0.3.0", ["0.1.1", "0.2.0", "0.3.0"], "0.1.0"),
        ("1.0.0.dev0", ["0.1.0", "0.10.0"], "0.9"),
        ("1.0.0", ["0.1.0", "0.2.0", "1.0.0"], None),
    ],
)
def test_a_release_that_was_not_kept_is_named(version: str, kept: list[str], missing: str | None) -> None:
    assert not_kept(version, kept) == missing
