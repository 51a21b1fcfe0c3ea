"""Stopping what runs in the background, for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any

ASK_AGAIN = 2.0
"""Seconds, in which a task may close what it has open."""


async def ended(tasks: Iterable[asyncio.Task[Any]]) -> None:
    """Cancels them and returns when all have ended; their errors are theirs.

    Cancelled once, a task may run on: asyncio.wait_for of Python 3.11, which nats-py waits with, swallows a cancellation that
    comes in the same moment as what it waited for. So it is asked again.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=ASK_AGAIN)
