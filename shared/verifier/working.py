"""Work that is shared by processes, with its answers in the order of the questions and few of them waiting."""

import multiprocessing
import os
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Q = TypeVar("Q")
A = TypeVar("A")
Answers = Callable[[Callable[[Q], A], Iterable[Q]], Iterator[A]]


class Hands:
    """`executor` None: this process does everything itself."""

    def __init__(self, executor: Executor | None, count: int) -> None:
        self._executor, self._ahead = executor, 2 * count

    def answers(self, do: Callable[[Q], A], questions: Iterable[Q]) -> Iterator[A]:
        """Raises what `do` raises, and BrokenProcessPool when a process died."""
        if self._executor is None:
            yield from map(do, questions)
            return
        waiting: deque[Future[A]] = deque()
        for question in questions:
            waiting.append(self._executor.submit(do, question))
            if len(waiting) > self._ahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@contextmanager
def hands(count: int) -> Iterator[Hands]:
    """`count` processes; with 1 none but this one."""
    if count < 2:
        yield Hands(None, 1)
        return
    # A fork shares what is loaded; elsewhere the processes begin anew.
    how = multiprocessing.get_context("fork" if sys.platform == "linux" else "spawn")
    with ProcessPoolExecutor(count, how) as executor:
        try:
            yield Hands(executor, count)
        except BaseException:
            executor.shutdown(wait=False, cancel_futures=True)
            raise


def cores() -> int:
    """Those this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
