"""deploy/requirements.lock: what an image installs is what the tests ran with, and no more than a service needs."""

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TEXT = (ROOT / "deploy" / "requirements.lock").read_text("utf-8")


def pinned(text: str) -> dict[str, str]:
    """Package -> version."""
    return dict(re.findall(r"^([a-z0-9-]+)==(\S+)", text, re.MULTILINE))


def named(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9-]", requirement)[0].lower() for requirement in requirements}


def test_the_versions_are_those_that_were_tested() -> None:
    assert pinned(TEXT).items() <= pinned((ROOT / "requirements.lock").read_text("utf-8")).items()


def test_it_holds_what_a_service_needs_and_nothing_for_development() -> None:
    assert named(PROJECT["dependencies"]) <= pinned(TEXT).keys()
    extra = named([one for group in PROJECT["optional-dependencies"].values() for one in group])
    assert not extra & pinned(TEXT).keys()


def test_every_package_has_hashes_and_no_address() -> None:
    entries = re.split(r"\n(?=[a-z])", TEXT.strip())
    assert [entry.split("==")[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in TEXT
