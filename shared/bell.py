"""Waking the next part in the same process at once; the poll stays as the net for other processes."""

import asyncio
import contextlib


class Bell:
    """Rung by whoever has made work, waited on by whoever does it. Rings are not counted."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def ring(self) -> None:
        self._event.set()

    async def wait(self, seconds: float) -> None:
        """Returns when rung, or after `seconds`."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._event.wait()
        self._event.clear()


class Chime:
    """Rings several bells at once: every waiter needs one of its own."""

    def __init__(self) -> None:
        self._bells: list[Bell] = []

    def bell(self) -> Bell:
        """A new bell that this chime rings."""
        self._bells.append(bell := Bell())
        return bell

    def ring(self) -> None:
        for bell in self._bells:
            bell.ring()
