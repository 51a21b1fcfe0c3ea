"""Writers that do one thing over and over for a moment, and what came of it."""

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

Act = Callable[[int], Awaitable[bool]]
"""Does it once as writer number n; False when another writer came first, which does not count."""
BlockingAct = Callable[[int], bool]


class NothingLeft(Exception):
    """Raised by an act that has nothing to do any more."""


@dataclass
class Slice:
    """`done` acts in `seconds`; `took`: seconds of each."""

    seconds: float = 0.0
    took: list[float] = field(default_factory=list)

    @property
    def rate(self) -> float:
        return len(self.took) / self.seconds

    def at(self, share: float) -> float:
        """Milliseconds that `share` of the acts stayed under."""
        return at(self.took, share) * 1000


def at(values: list[float], share: float) -> float:
    """The value that `share` of them do not exceed; 0 when there is none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


async def loaded(writers: int, seconds: float, act: Act) -> Slice:
    """`writers` tasks for `seconds`, or until nothing is left to do; each ends with the act it is in."""
    result, began = Slice(), time.perf_counter()
    until = began + seconds

    async def write(nth: int) -> None:
        while (at := time.perf_counter()) < until:
            try:
                counts = await act(nth)
            except NothingLeft:
                return
            if counts:
                result.took.append(time.perf_counter() - at)

    await asyncio.gather(*(write(nth) for nth in range(writers)))
    result.seconds = time.perf_counter() - began
    return result


def loaded_by_threads(writers: int, seconds: float, act: BlockingAct) -> Slice:
    """The same with threads, for what blocks. Raises what an act raised."""
    result, failed, began = Slice(), [], time.perf_counter()
    until = began + seconds

    def write(nth: int) -> None:
        try:
            while (at := time.perf_counter()) < until:
                if act(nth):
                    result.took.append(time.perf_counter() - at)
        except Exception as error:
            failed.append(error)

    threads = [threading.Thread(target=write, args=(nth,)) for nth in range(writers)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    result.seconds = time.perf_counter() - began
    return result


async def paced(per_second: float, seconds: float, act: Callable[[], Awaitable[None]]) -> int:
    """Starts an act at each tick, whether the one before has ended or not; how many. Raises what an act raised."""
    began, most = time.perf_counter(), int(per_second * seconds)
    running: list[asyncio.Task[None]] = []
    for nth in range(most):
        await asyncio.sleep(max(0.0, began + nth / per_second - time.perf_counter()))
        running.append(asyncio.ensure_future(act()))
    await asyncio.gather(*running)
    return most
