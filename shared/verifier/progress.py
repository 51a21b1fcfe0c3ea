"""How far a verification has come: a line on the terminal, if there is one."""

import sys
import time
from collections.abc import Callable

from shared.verifier.doubts import shown

Told = Callable[[str, int, int], None]
"""(what is verified, events so far, of how many)"""
PAUSE = 0.1
"""Seconds between two lines about the same: a pack's events come one by one."""


class Progress:
    def __init__(self) -> None:
        self._shown = sys.stderr.isatty()
        self._began: dict[str, float] = {}
        self._name, self._next = "", 0.0

    def __enter__(self) -> "Progress":
        return self

    def __exit__(self, *_: object) -> None:
        self.clear()

    def clear(self) -> None:
        """Before something else is said: the line is taken away."""
        if self._shown and self._began:
            print("\r\x1b[K", end="", file=sys.stderr, flush=True)

    def told(self, name: str, events: int, size: int) -> None:
        now = time.monotonic()
        if not self._shown or (name == self._name and events < size and now < self._next):
            return
        self._name, self._next = name, now + PAUSE
        took = now - self._began.setdefault(name, now)
        bar = "█" * (20 * events // max(1, size))
        rate = f" {events / took:,.0f}/s" if took > 1 else ""
        print(f"\r\x1b[K{shown(name)} [{bar:<20}] {events:,} / {size:,}{rate}", end="", file=sys.stderr, flush=True)
