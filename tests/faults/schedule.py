"""What happens to the town and when: made from a seed before anything runs, so that a run can be done again."""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Collection, Iterator
from dataclasses import astuple, dataclass

from shared.settings import SERVICES
from tests.faults.town import PROCESSES, SIGNERS, parts_of

INJURIES = ("wipe", "older_folder", "delete_stream", "purge", "delete_inside", "delete_last")
"""Of a stream; the first two hit all four at once."""

POINTS: dict[str, tuple[str, ...]] = {
    "sequencer": ("sequencer: inside a batch",),
    "relay": ("relay: before a batch", "relay: after a batch"),
    "receiver": ("receiver: before the commit", "receiver: after the commit"),
    "follower": ("reaction: before the commit", "reaction: after the commit", "projection"),
    "timers": ("timer: before the commit", "timer: after the commit"),
    "jobs": ("delivery: before the wake-up", "delivery: before the call", "delivery: after the call"),
    "checkpoint": (
        "checkpoint: before signing", "checkpoint: signed", "checkpoint: kept", "witness: signed", "witness: kept",
    ),
}  # fmt: skip
"""part -> the kernel's crash points that it passes; `projection` stands for those of all groups."""

LONG = {
    "kill": 205,
    **dict.fromkeys(INJURIES, 21),
    "point": 66,
    "double": 24,
    "pause": 12,
    "away": 4,
    "slow_mail": 3,
    "refused_mail": 3,
    "refused_for_good": 3,
    "full_postgres": 2,
    "full_nats": 2,
    "clock": 8,
    "restore": 5,
    "poison": 2,
}
"""How often each kind of step comes in LONG_SECONDS."""
LONG_SECONDS = 470.0
KINDS = frozenset(LONG)

ALONE = ("sequencer", "relay", "receiver")
"""Parts of which two at once get into each other's way."""
SERVER_KILLS = {"nats": 12, "postgres": 8, "postgres backend": 8, "everything": 2}
"""Of LONG["kill"]; the others go to the services' processes in turn."""
LASTS = {
    "double": (3.0, 9.0),
    "pause": (1.0, 6.0),
    "away": (5.0, 9.0),
    "slow_mail": (3.0, 6.0),
    "refused_mail": (3.0, 6.0),
    "refused_for_good": (2.0, 4.0),
    "full_postgres": (2.0, 3.0),
    "full_nats": (2.0, 3.0),
    "restore": (6.0, 14.0),
}
"""Seconds, from and to. For a restore: how much is lost."""
PIECE = {"poison": (0.85, 0.95), "restore": (0.15, 0.8), "away": (0.0, 0.6)}
"""Of the whole time, where not all of it: poison comes after the last restore, and who is away waits for the load."""
MINUTE, DAY = 60, 86_400


@dataclass(frozen=True, order=True)
class Step:
    """`at`: seconds from the beginning; from the end of the schedule on: when the last answer has come, before the clocks go on,
    so that nobody changes any more what a deadline is about. `target`: a process, a service, `all`, or a server. `parameter`:

    point, dawdle   "nth point", "point"            double, pause, down                   seconds it lasts
    clock           seconds of the jump             away, slow_mail, refused_*, full_*    seconds it lasts at least
    purge           the part that goes, 0–1         restore                               seconds that are lost
    delete_inside   where, 0–1
    older_folder    how many copies ago             wipe                                  1: while the server runs
    """

    at: float
    kind: str
    target: str
    parameter: str | float | int = 0


@dataclass(frozen=True)
class Schedule:
    """`steps` in the order of time; those that `make` makes all begin within `seconds`. `paced`: seconds are counted by what the
    load has got done, so that a slow machine does the same, later."""

    seed: int
    seconds: float
    steps: tuple[Step, ...]
    paced: bool = False

    @property
    def digest(self) -> str:
        """SHA-256 of the steps, hex."""
        return hashlib.sha256(json.dumps([astuple(step) for step in self.steps]).encode()).hexdigest()

    def counts(self) -> Counter[str]:
        return Counter(step.kind for step in self.steps)


def make(
    seed: int, seconds: float = LONG_SECONDS, kinds: Collection[str] | None = None, often: float = 1.0
) -> Schedule:
    """As many steps of each kind as belong to `seconds`, at least one; `kinds` None means all, `often` multiplies.

    Raises ValueError for a kind that is none.
    """
    wanted = set(KINDS if kinds is None else kinds)
    if unknown := wanted - KINDS:
        raise ValueError(f"no such kind of step: {', '.join(sorted(unknown))}")
    steps: list[Step] = []
    for kind in sorted(wanted):
        number = max(1, round(LONG[kind] * seconds / LONG_SECONDS * often))
        chosen = random.Random(f"{seed} {kind}")  # its own, so that another kind more or less leaves the rest as it is
        targets = _targets(kind, number, chosen)
        for nth in range(number):
            target, _, point = next(targets).partition(": ") if kind == "point" else (next(targets), "", "")
            at = _moment(kind, nth, number, seconds, chosen)
            steps.append(
                Step(at, kind, target, f"{chosen.randint(1, 3)} {point}" if point else _parameter(kind, nth, chosen))
            )
    return Schedule(seed, seconds, tuple(sorted(steps)))


def _moment(kind: str, nth: int, number: int, seconds: float, chosen: random.Random) -> float:
    """Spread evenly, and then at random within its own piece."""
    begin, end = PIECE.get(kind, (0.0, 1.0))
    piece = (end - begin) / number
    return round(seconds * (begin + piece * (nth + chosen.random())), 2)


def _targets(kind: str, number: int, chosen: random.Random) -> Iterator[str]:
    """Everybody in turn, in an order of its own."""
    if kind == "kill":
        servers = [
            name for name, most in SERVER_KILLS.items() for _ in range(max(1, round(most * number / LONG["kill"])))
        ]
        names = servers[:number] + _in_turn(PROCESSES, number, chosen)[: max(0, number - len(servers))]
        chosen.shuffle(names)
        return iter(names)
    if kind == "double":
        return iter(_doubles(number, chosen))
    every: dict[str, tuple[str, ...]] = {
        "point": tuple(f"{name}: {point}" for name, point in _places()),
        "pause": (*PROCESSES, "nats"),
        "away": ("cases.receiver", "notify.receiver", "reporting.receiver"),
        "clock": ("all", "all", *SERVICES),
        "poison": ("reporting",),
        "restore": SERVICES,
    }
    one_for_all = (
        "wipe", "older_folder", "slow_mail", "refused_mail", "refused_for_good", "full_postgres", "full_nats",
    )  # fmt: skip
    return iter(_in_turn(("all",) if kind in one_for_all else every.get(kind, SERVICES), number, chosen))


def _in_turn(names: tuple[str, ...], number: int, chosen: random.Random) -> list[str]:
    turns: list[str] = []
    while len(turns) < number:
        turns += chosen.sample(names, len(names))
    return turns[:number]


def _doubles(number: int, chosen: random.Random) -> list[str]:
    """One of each part in ALONE comes first, then everybody in turn."""
    first = [f"{chosen.choice(SERVICES)}.{part}" for part in ALONE]
    names = tuple(name for name in PROCESSES if name not in SIGNERS and not name.endswith(".web"))
    return [*chosen.sample(first, len(first)), *_in_turn(names, number, chosen)][:number]


def _places() -> list[tuple[str, str]]:
    """(process, point): each point where most of the work is, so that it is passed soon."""
    busy = {"timers": "notify", "jobs": "notify"}
    places = [(f"{busy.get(part, 'cases')}.{part}", point) for part, points in POINTS.items() for point in points]
    others = [
        (f"{service}.{part}", point)
        for service in SERVICES
        for part in parts_of(service)
        for point in POINTS.get(part, ())
        if not (service == "intake" and point.startswith("reaction"))  # it has none
    ]
    return list(dict.fromkeys(places + others))


def _parameter(kind: str, nth: int, chosen: random.Random) -> float | int:
    if kind == "clock":
        back = nth % 2 == 0
        return -chosen.randint(1, 10) * MINUTE if back else chosen.randint(1, 2 * DAY)
    if kind == "purge":
        return round(chosen.choice((1.0, chosen.uniform(0.1, 0.9))), 3)
    if kind == "delete_inside":
        return round(chosen.random(), 3)
    if kind == "older_folder":
        return chosen.randint(1, 3)
    if kind == "wipe":
        return nth % 3 // 2
    if kind in LASTS:
        return round(chosen.uniform(*LASTS[kind]), 2)
    return 0
