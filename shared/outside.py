"""What a service brings to send something to the outside: what is recorded of an attempt, the letter, and the channels."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol
from uuid import UUID

from shared.decider import Command
from shared.errors import MinewatchError
from shared.sql import Tx


class SendFailed(MinewatchError):
    """The other side did not take it. `code`: smtp_451, http_503, refused, timeout …; `permanent`: trying again is no use."""

    def __init__(self, code: str, permanent: bool = False) -> None:
        super().__init__(code)
        self.code, self.permanent = code, permanent


@dataclass(frozen=True)
class Delivery:
    """One attempt of one delivery; `attempt` counts from 1. `delivery_id` is the same at every attempt."""

    delivery_id: UUID
    stream_id: str
    channel: str
    attempt: int
    traceparent: str | None
    correlation: str


class Sender(Protocol):
    """One channel."""

    async def send(self, delivery: Delivery, letter: Any) -> None:
        """Hands `letter` to the other side. Raises SendFailed."""
        ...


async def nothing_to_close() -> None:
    """For senders that hold no connection between two calls."""


@dataclass(frozen=True)
class Outside:
    """The commands record an attempt on the stream that asked for it; `error` is a SendFailed code, the last argument of
    `failed` the seconds until the next attempt, None when there is none. `lacking`: channels that this town has not set up ->
    a code that says what it lacks; by these nothing is attempted, and `unavailable` records that code. `write` makes the letter
    from what the service knows at the time of the attempt. Raises SendFailed when there is nobody to send it to. `close`: at the
    end of the service."""

    started: Callable[[Delivery], Command]
    unavailable: Callable[[Delivery, str], Command]
    succeeded: Callable[[Delivery], Command]
    failed: Callable[[Delivery, str, float | None], Command]
    given_up: Callable[[Delivery], Command]
    write: Callable[[Tx, Delivery], Awaitable[Any]]
    senders: Mapping[str, Sender]
    lacking: Mapping[str, str] = field(default_factory=dict)
    close: Callable[[], Awaitable[None]] = nothing_to_close
