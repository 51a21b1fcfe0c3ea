"""What the load asked for and what came of it, command by command: the other side of the books that checks_commands.py compares.

A command is written down before it is first sent, and closed when an answer came that settles it. What never got one is unknown:
then the town may hold all of it or nothing.
"""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Literal
from uuid import UUID

from shared.decider import Actor
from shared.ids import derived

Outcome = Literal["acknowledged", "refused", "unknown"]

PUBLIC = Actor(person="public", post="public")
"""Who a request without a token is from; as in shared/web/door.py."""


def command_id(who: Actor, path: str, key: str) -> UUID:
    """As the door derives it from caller, route and Idempotency-Key."""
    return derived("http", f"{who.person}|{who.in_role}|{who.on_behalf_of or ''}", f"POST {path}", key)


@dataclass
class Sent:
    """One command.

    whole: what it may record, as types without service and version, in order; anything when empty. events: ids of what it did
    record, as the answer said or as they follow from it. rule: why it was refused. tries: how often it was sent. answer: the body
    of the last answer.
    """

    service: str
    command: UUID
    act: str
    whole: tuple[tuple[str, ...], ...] = ()
    outcome: Outcome = "unknown"
    events: tuple[UUID, ...] = ()
    rule: str = ""
    tries: int = 0
    answer: dict[str, Any] = field(default_factory=dict, repr=False)


@dataclass
class Ledger:
    """Every command by its id. `broken`: answers of status 500, which no fault excuses, as "act: what it said"."""

    sent: dict[UUID, Sent] = field(default_factory=dict)
    broken: Counter[str] = field(default_factory=Counter)

    def sends(self, service: str, act: str, who: Actor, path: str, key: str, *whole: tuple[str, ...]) -> Sent:
        """Opens the entry. Raises ValueError for a key that was used before."""
        one = Sent(service, command_id(who, path, key), act, whole)
        if one.command in self.sent:
            raise ValueError(f"{key} was sent before")
        self.sent[one.command] = one
        return one

    def of(self, service: str) -> Iterator[Sent]:
        return (one for one in self.sent.values() if one.service == service)

    def settled(self) -> int:
        """How many have an answer that settles them."""
        return sum(one.outcome != "unknown" for one in self.sent.values())

    def counts(self) -> dict[str, int]:
        """outcome -> how many."""
        return dict(Counter(one.outcome for one in self.sent.values()))
