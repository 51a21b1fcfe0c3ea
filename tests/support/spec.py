"""given(DECIDER, *history).when(command, terms=…).then(*events) / .refused(Rule) / .changes_nothing()

History is folded the way the store gives it back: every sealed text is a `Sealed` object, so a decider that looks at a
text fails here.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import pytest
from pydantic import BaseModel

from shared.contracts.event import Event, Sealed, SealedBy
from shared.decider import Command, Decider
from shared.errors import Refusal, own_words

State = TypeVar("State")

SEALED = Sealed(k="key", n="nonce", c="unreadable", m="commitment")


def as_stored(event: Event) -> Event:
    """The event with every sealed text replaced by an unreadable object."""
    sealed = {path for path, marker in type(event).text_fields() if isinstance(marker, SealedBy)}
    return event.model_copy(update=_sealed_fields(event, sealed, ""))


def _sealed_fields(part: BaseModel, sealed: set[str], path: str) -> dict[str, Any]:
    return {name: _as_stored(getattr(part, name), sealed, f"{path}{name}") for name in type(part).model_fields}


def _as_stored(value: Any, sealed: set[str], path: str) -> Any:
    if isinstance(value, str) and path in sealed:
        return SEALED
    if isinstance(value, tuple):
        return tuple(_as_stored(item, sealed, path) for item in value)
    if isinstance(value, BaseModel) and not isinstance(value, Sealed):
        return value.model_copy(update=_sealed_fields(value, sealed, f"{path}."))
    return value


@dataclass(frozen=True)
class Outcome:
    """What came of the command: new facts, or the rule that forbade it."""

    events: Sequence[Event]
    refusal: Refusal | None

    def then(self, *expected: Event) -> None:
        """Exactly these facts, in this order."""
        if self.refusal is not None:
            raise AssertionError(f"refused by {self.refusal.rule}: {own_words(type(self.refusal))}") from self.refusal
        assert list(self.events) == list(expected)

    def changes_nothing(self) -> None:
        """An empty answer, as for a repeated command."""
        self.then()

    def refused(self, rule: type[Refusal]) -> Refusal:
        """This very rule forbade it, and tells so in Chinese and English."""
        assert self.refusal is not None, f"not refused, but: {list(self.events)}"
        assert type(self.refusal) is rule
        others = {own_words(base) for base in rule.__bases__}
        assert own_words(rule) not in {None, *others}, f"{rule.__name__} needs a line in each language"
        return self.refusal


@dataclass(frozen=True)
class History(Generic[State]):
    decider: Decider[State]
    state: State

    def when(self, command: Command, terms: Any) -> Outcome:
        """Decides once."""
        assert type(command) in self.decider.commands, f"{type(command).__name__} is no command of this aggregate"
        assert command.stream_id.startswith(f"{self.decider.category}-")
        try:
            events = self.decider.decide(command, self.state, terms)
        except Refusal as refusal:
            return Outcome((), refusal)
        for event in events:
            assert type(event) in self.decider.events, f"{event.type} is no event of this aggregate"
        return Outcome(events, None)


def given(decider: Decider[State], *history: Event) -> History[State]:
    """A stream in which `history` has happened."""
    state = decider.initial()
    for event in history:
        state = decider.evolve(state, as_stored(event))
    return History(decider, state)


def happened(decider: Decider[Any], *wishes: tuple[Command, Any]) -> tuple[Event, ...]:
    """The facts that follow from commands given one after another, each with its terms."""
    facts: list[Event] = []
    for command, terms in wishes:
        outcome = given(decider, *facts).when(command, terms)
        if outcome.refusal is not None:
            pytest.fail(f"{type(command).__name__} was refused by {outcome.refusal.rule}")
        facts += outcome.events
    return tuple(facts)
