"""Imports make many objects, and nearly all of them stay. Python's collector goes through them a dozen times meanwhile, and
again when the process ends: a quarter of the time that a short command takes."""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_own: list[bool] = []


def own_process() -> None:
    """Said by `minewatch` itself. Elsewhere, in a test's process say, nothing may be put out of the collector's reach."""
    _own.append(True)


@contextmanager
def importing() -> Iterator[None]:
    """The collector waits, and in a process of our own it leaves alone from now on what was imported."""
    waits = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if _own:
            gc.freeze()
        if waits:
            gc.enable()
