"""What the README says about events is what the code does."""

import re
from pathlib import Path

from services.cases import main as cases
from services.intake import main as intake
from services.notify import main as notify
from services.reporting import main as reporting
from shared.contracts.registry import CONTRACTS

README = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
CARDS = [main.describe() for main in (intake, cases, reporting, notify)]


def rows() -> dict[str, tuple[list[str], list[str]]]:
    """publisher.aggregate -> (facts, consumers), from the README's table."""
    found = re.findall(r"^\| `([a-z_.]+)` \| ([a-z_, ]+) \| ([a-z, –]+) \|$", README, re.MULTILINE)
    return {key: (facts.split(", "), [] if users == "–" else users.split(", ")) for key, facts, users in found}


def truth() -> dict[str, tuple[list[str], list[str]]]:
    facts: dict[str, list[str]] = {}
    for type_ in CONTRACTS.types:
        publisher, aggregate, fact, _ = type_.split(".")
        facts.setdefault(f"{publisher}.{aggregate}", []).append(fact)

    def consumers(key: str) -> list[str]:
        publisher = key.split(".")[0]
        return [c.name for c in CARDS if any(t.startswith(f"{key}.") for t in c.consumes().get(publisher, ()))]

    return {key: (told, consumers(key)) for key, told in facts.items()}


def test_the_table_of_events_is_true() -> None:
    assert rows() == truth()
