"""What happens when: every entry is somebody's act at a minute of the town's clock."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import date, datetime, time
from itertools import groupby

from services.simulation.scene import Scene
from shared.plan.calendar import TOWN_TIME

YEAR = 2018

Act = Callable[[Scene], Awaitable[str | None]]
"""Does it, and may give a line of news."""


@dataclass(frozen=True)
class Entry:
    """`name` is unique. `alone`: in the order written, because hazards, sites and streams take numbers; else all at once."""

    at: datetime
    name: str
    act: Act
    alone: bool = True


def when(text: str) -> datetime:
    """ "02-03 02:17", in town time of the campaign's year."""
    return datetime.strptime(f"{YEAR}-{text}", "%Y-%m-%d %H:%M").replace(tzinfo=TOWN_TIME)


def on(day: date, hour: str) -> datetime:
    hours, minutes = hour.split(":")
    return datetime.combine(day, time(int(hours), int(minutes)), TOWN_TIME)


def by_moment(entries: Iterable[Entry]) -> list[tuple[datetime, list[Entry]]]:
    """Moments in order, each with its entries as they were written. Raises ValueError when two have one name."""
    ordered = sorted(entries, key=lambda entry: entry.at)
    names = [entry.name for entry in ordered]
    if len(set(names)) != len(names):
        raise ValueError(f"entries with one name: {sorted({name for name in names if names.count(name) > 1})}")
    return [(at, list(group)) for at, group in groupby(ordered, key=lambda entry: entry.at)]
