"""Crash points: pause, raise or die at the very point of the kernel that a test names."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any


class Killed(BaseException):
    """The process ends here. No handler of errors sees it."""


@dataclass
class Point:
    """Stands at one crash point: the `nth` time it is passed, `act` happens."""

    name: str
    nth: int = 1
    act: Callable[[], Coroutine[Any, Any, None]] | None = None
    reached: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def __call__(self, name: str) -> None:
        if name != self.name:
            return
        self.nth -= 1
        if self.nth == 0:
            self.reached.set()
            if self.act is None:
                await self.go_on.wait()
            else:
                await self.act()


def pause_at(name: str, nth: int = 1) -> Point:
    """Waits there until `go_on` is set; `reached` tells that it does."""
    return Point(name, nth)


def kill_at(name: str, nth: int = 1) -> Point:
    """Dies there with Killed."""

    async def die() -> None:
        raise Killed(name)

    return Point(name, nth, die)


def raise_at(name: str, error: Exception, nth: int = 1) -> Point:
    async def fail() -> None:
        raise error

    return Point(name, nth, fail)


async def dies(part: Any) -> None:
    """Runs `part` until it is killed at its crash point."""
    try:
        await asyncio.wait_for(part.run(), 15)
    except Killed:
        return
    raise AssertionError("it ended by itself")
