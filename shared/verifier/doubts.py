"""What a verifier has to say against what it was given: the places, in order, and never more of them than fit in memory."""

from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass

from shared.verifier.words import WORDS

MOST_KEPT = 20
_LAST = 1 << 63


@dataclass(frozen=True)
class Doubt:
    """`code`: one of WORDS; `position`: of the first event it is about, from 1, None for the whole; `values` fill the words."""

    code: str
    position: int | None = None
    values: tuple[tuple[str, str], ...] = ()

    @property
    def chinese(self) -> str:
        return WORDS[self.code][0].format(**dict(self.values))

    @property
    def english(self) -> str:
        return WORDS[self.code][1].format(**dict(self.values))

    @property
    def _place(self) -> tuple[int, str, tuple[tuple[str, str], ...]]:
        return (_LAST if self.position is None else self.position, self.code, self.values)

    def __lt__(self, other: "Doubt") -> bool:
        return self._place < other._place


class Refused(Exception):
    """Ends the reading of one thing with one doubt about it."""

    def __init__(self, doubt: Doubt) -> None:
        super().__init__(doubt.english)
        self.doubt = doubt


def doubt(code: str, position: int | None = None, /, **values: object) -> Doubt:
    return Doubt(code, position, tuple((name, shown(value)) for name, value in values.items()))


def refused(code: str, position: int | None = None, /, **values: object) -> Refused:
    return Refused(doubt(code, position, **values))


def shown(value: object) -> str:
    """On one line, at most 200 characters, and nothing in it that moves a terminal's cursor."""
    text = value.hex() if isinstance(value, bytes) else str(value)
    text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text[:201])
    return text if len(text) <= 200 else text[:199] + "…"


class Doubts:
    """The first ones by position, and how many there were; what is about no single event comes last."""

    def __init__(self) -> None:
        self.first: list[Doubt] = []
        self.count = 0

    def add(self, one: Doubt) -> None:
        self.count += 1
        insort(self.first, one)
        del self.first[MOST_KEPT:]

    def take(self, others: "Doubts | Iterable[Doubt]") -> None:
        """Those of somebody who kept the first of many, or some."""
        more = others.count - len(others.first) if isinstance(others, Doubts) else 0
        for one in others.first if isinstance(others, Doubts) else others:
            self.add(one)
        self.count += more
