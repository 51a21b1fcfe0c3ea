"""Slows down whoever guesses receipt codes: so many wrong ones a minute from one address, counted in this process alone.

Real time, not the campaign's clock. Addresses live in memory for a minute and are written nowhere.
"""

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from shared.errors import MinewatchError

WINDOW = 60.0
"""Seconds."""


class TooManyTries(MinewatchError):
    """试错次数太多，请稍后再试。
    Too many wrong tries. Wait a moment and try again."""

    def __init__(self, seconds: int) -> None:
        """`seconds` to wait, in real time."""
        super().__init__(seconds)
        self.seconds = seconds


@dataclass
class WrongTries:
    """`most` wrong codes from one address within WINDOW; after that it must wait."""

    most: int = 20
    seconds: Callable[[], float] = time.monotonic
    _at: dict[str, deque[float]] = field(default_factory=dict)

    def wait(self, address: str) -> int:
        """Whole seconds this address must wait before its next try; 0 when it need not."""
        tries = self._recent(address)
        return 0 if len(tries) < self.most else math.ceil(tries[-self.most] + WINDOW - self.seconds())

    def note(self, address: str) -> None:
        """A wrong code came from `address`."""
        if len(self._at) > 10_000:
            self._at = {a: tries for a in list(self._at) if (tries := self._recent(a))}
        self._at.setdefault(address, deque(maxlen=self.most)).append(self.seconds())

    def _recent(self, address: str) -> deque[float]:
        tries = self._at.get(address, deque())
        while tries and tries[0] <= self.seconds() - WINDOW:
            tries.popleft()
        return tries
