"""Every Chinese text of every page has its English, and the catalogues hold nothing that no page says."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

ROOT = Path(__file__).parents[2]
SHARED = ROOT / "shared" / "web"
PARTS = [SHARED, *sorted(p.parent for p in (ROOT / "services").glob("*/templates") if any(p.rglob("*.html")))]

FORBIDDEN = [
    re.compile(pattern)
    for pattern in (r"\sstyle=", "<style", "<script", r"\son[a-z]+=", "hx-on", "https?://", r"[^'\s]\s*\|\s*safe\b")
]
"""The last one: only a text that stands in the template itself goes out unescaped."""


def said(part: Path) -> set[str]:
    """The texts in the templates of one part."""
    found = extract_from_dir(part / "templates", method_map=[("**.html", "jinja2")])
    return {message if isinstance(message, str) else message[0] for _, _, message, _, _ in found}


def translated(part: Path) -> Iterator[str]:
    for path in sorted((part / "locale" / "en" / "LC_MESSAGES").glob("*.po")):
        with path.open("rb") as file:
            for message in read_po(file, locale="en"):
                one = message.id if isinstance(message.id, str) else message.id[0]
                if one and message.string and all(message.string) and not message.fuzzy:
                    yield one


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_every_text_of_a_page_has_its_english(part: Path) -> None:
    missing = said(part) - set(translated(part)) - set(translated(SHARED))
    assert not missing


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_nothing_is_translated_that_no_page_says(part: Path) -> None:
    assert set(translated(part)) <= said(part)


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.name)
def test_no_template_holds_what_the_policy_forbids(part: Path) -> None:
    """Styles and scripts inside a page, and addresses elsewhere, are blocked by the Content-Security-Policy."""
    for path in (part / "templates").rglob("*.html"):
        text = path.read_text("utf-8")
        Environment(extensions=["jinja2.ext.i18n"]).parse(text)
        for forbidden in FORBIDDEN:
            assert not forbidden.search(text), f"{path.relative_to(ROOT)} holds {forbidden.pattern}"


def test_all_four_services_have_pages_that_are_looked_at() -> None:
    assert {part.name for part in PARTS} == {"web", "intake", "cases", "reporting", "notify"}
