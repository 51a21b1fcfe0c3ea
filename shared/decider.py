"""The shape of every aggregate: what happened so far and a wish give new facts, or a refusal.

decide(command, state, terms) -> list[Event]     an empty list answers a repeated command
evolve(state, event) -> state                    sees no time, no ids, no terms
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict

from shared.contracts.event import Event

State = TypeVar("State")


@dataclass(frozen=True)
class Actor:
    """Who acts, in which post, and for whom.

    person: id of a person, client or part of the system ("p-012", "client:police", "system:timer"), never a name;
    post, unit: codes of the plan; village: 12-digit division code when the post is bound to one;
    on_behalf_of: the person acted for, with `ground`, a code (no_phone, deputy, absent …).
    """

    person: str
    post: str = "system"
    unit: str = ""
    village: str | None = None
    on_behalf_of: str | None = None
    ground: str | None = None

    @property
    def in_role(self) -> str:
        """`post@unit`, as it stands in the envelope."""
        return f"{self.post}@{self.unit}" if self.unit else self.post


class Command(BaseModel):
    """A wish. Subclasses name their stream; `occurred_at` is when it happened outside, None for now."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    occurred_at: datetime | None = None

    @property
    def stream_id(self) -> str:
        """`<category>-<id>`, for example "hazard-0f3c…"."""
        raise NotImplementedError(f"{type(self).__name__} names no stream")


@dataclass(frozen=True)
class Decider(Generic[State]):
    """One aggregate: `category` is the stream prefix; `events` every contract of the stream, old versions too."""

    category: str
    initial: Callable[[], State]
    decide: Callable[[Any, State, Any], Sequence[Event]]
    evolve: Callable[[State, Any], State]
    commands: tuple[type[Command], ...]
    events: tuple[type[Event], ...]
