"""What people do, and what they know of each other.

An act asks for one command and notes what the next act can go on with. Many are refused, as in life: somebody was there first.
Tips and patrols are in acts_intake.py, hazards and sites in acts_cases.py, reports and messages in acts_office.py.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any, Protocol

from shared.decider import Actor
from shared.ids import derived
from shared.plan.terms import PlanTerms
from tests.faults.ledger import Sent

DESK, PUBLIC_TIPS, PATROLS = "/intake/v1/tips", "/intake/v1/public/tips", "/intake/v1/patrols"
HAZARDS, SITES = "/cases/v1/hazards", "/cases/v1/sites"
REPORTS, MESSAGES = "/reporting/v1/reports", "/notify/v1/messages"
SPOTS = 40
"""Places where something is found, again and again: so finds join hazards, and come back after a close-out."""
FRESH = 1.0
"""Seconds between two looks at the lists."""


@dataclass
class Seen:
    """What the writers know of each other: bare ids. `tips`: received and to be screened; `screened`: to be verified;
    `receipts`: receipt -> tip; the last three as the services list them."""

    tips: list[str] = field(default_factory=list)
    screened: list[str] = field(default_factory=list)
    verified: list[str] = field(default_factory=list)
    receipts: dict[str, str] = field(default_factory=dict)
    hazards: list[dict[str, Any]] = field(default_factory=list)
    sites: list[str] = field(default_factory=list)
    messages: list[dict[str, Any]] = field(default_factory=list)

    @staticmethod
    def tip_of(sent: Sent) -> str:
        """The tip that this command brings, as reception.py names it."""
        return str(derived(sent.command, "tip"))


class Hand(Protocol):
    """A writer, as an act sees it."""

    chance: Random
    terms: PlanTerms
    seen: Seen

    def now(self, service: str) -> datetime: ...
    def who(self, post: str, unit: str | None = None) -> Actor: ...
    async def look(self, post: str, path: str, **query: Any) -> list[dict[str, Any]]: ...
    async def send(
        self, act: str, who: tuple[str, str | None] | None, path: str, body: dict[str, Any], *whole: tuple[str, ...]
    ) -> Sent: ...


async def look_around(hand: Hand, seen: Seen, stop: asyncio.Event) -> None:
    """Keeps the lists fresh until cancelled."""
    while not stop.is_set():
        seen.hazards = await hand.look("inspector", HAZARDS, state="open", limit=100) or seen.hazards
        seen.messages = await hand.look("clerk", MESSAGES, everybody="true", open="true", limit=100) or seen.messages
        await asyncio.sleep(FRESH)


Act = Callable[[Hand], Awaitable[None]]
ACTS: dict[str, tuple[float, Act]] = {}
"""name -> (how often, relative to the others, the act)."""


def act(often: float) -> Callable[[Act], Act]:
    def declare(does: Act) -> Act:
        ACTS[does.__name__] = (often, does)
        return does

    return declare


def a_find(hand: Hand) -> dict[str, Any]:
    """One of the spots: category, violation, place and village go together."""
    spot = hand.chance.randrange(SPOTS)
    village = hand.terms.codes("village")[spot % len(hand.terms.codes("village"))]
    category = hand.terms.codes("category")[spot % len(hand.terms.codes("category"))]
    place = {"lat_e7": 379_000_000 + spot * 20_000, "lon_e7": 1_120_000_000 + spot * 17_000, "accuracy_m": 8}
    violation = hand.chance.choice(hand.terms.codes("violation"))
    return {"category": category, "violation": violation, "village": village, "place": place}


def one_of(hand: Hand, many: list[Any], keep: float = 0.0) -> Any:
    """One of them, taken out; `keep`: how likely it is left in, for somebody who comes second. None when there is none."""
    if not many:
        return None
    nth = hand.chance.randrange(len(many))
    return many[nth] if hand.chance.random() < keep else many.pop(nth)
