"""Hypothesis state machines over real servers: each example has an event loop and places of its own."""

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test

T = TypeVar("T")


class Machine(RuleBasedStateMachine):
    """Rules are plain functions; `do` runs what they await. Contexts entered on `open` end with the example."""

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner(loop_factory=asyncio.new_event_loop)
        self.open = AsyncExitStack()

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(work)

    async def end(self) -> None:
        """What must hold when the example is over."""

    def teardown(self) -> None:
        try:
            self.do(self.end())
        finally:
            self.do(self.open.aclose())
            self._runner.close()


def run(machine: Callable[[], Machine], examples: int, steps: int) -> None:
    """Bounded, because every step takes real time; a failing example is printed as the calls that lead to it."""
    factory: Any = machine
    run_state_machine_as_test(
        factory,
        settings=settings(
            max_examples=examples,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
