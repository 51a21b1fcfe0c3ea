"""Words and sizes: what a name may not be, how long a file may get, and which words the kernel does not know."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted(p for part in ("services", "shared") for p in (ROOT / part).rglob("*.py"))
BANNED = re.compile(r"(^|_)(managers?|helpers?|utils?|common|base|engine|processor|data|info|misc)($|_)", re.IGNORECASE)
KERNEL = (
    "app", "event_store", "sequencer", "relay", "receiver", "follower", "reaction", "deliveries", "wake_ups", "timers", "replay",
    "read_model", "stream", "log_feed", "bell", "sql", "sealer", "files",
)  # fmt: skip
CAMPAIGN_WORDS = re.compile(
    r"\b(tips?|hazards?|patrols?|mining|villages?|campaigns?|informants?|sites?|weekly)\b", re.IGNORECASE
)
ALLOWED_PHRASES = ("the campaign's clock",)
"""`decider` is left out for `Actor`, who may be bound to a village."""
MOST_LINES = 400


def words_of(name: str) -> str:
    """CamelCase as snake_case."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def banned_names(path: Path) -> list[str]:
    classes = [n.name for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.ClassDef)]
    return [name for name in (path.stem, *classes) if BANNED.search(words_of(name))]


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_module_or_class_has_a_name_that_says_nothing(path: Path) -> None:
    assert banned_names(path) == []


@pytest.mark.parametrize("name", ["TipManager", "date_utils", "BaseModelThing", "EventProcessor", "misc"])
def test_such_a_name_would_be_found(name: str) -> None:
    assert BANNED.search(words_of(name))


@pytest.mark.parametrize("path", SOURCES, ids=lambda p: str(p.relative_to(ROOT)))
def test_no_source_file_hides_a_second_story(path: Path) -> None:
    assert len(path.read_text("utf-8").splitlines()) <= MOST_LINES


@pytest.mark.parametrize("name", KERNEL)
def test_the_kernel_names_no_word_of_the_campaign(name: str) -> None:
    text = (ROOT / "shared" / f"{name}.py").read_text("utf-8")
    for phrase in ALLOWED_PHRASES:
        text = text.replace(phrase, "")
    assert sorted({match.group(0) for match in CAMPAIGN_WORDS.finditer(text)}) == []


def test_a_campaign_word_would_be_found() -> None:
    assert CAMPAIGN_WORDS.search("a tip of stream tip-1") and CAMPAIGN_WORDS.search("Hazards")
