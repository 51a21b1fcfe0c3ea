"""The verifier without some of its checks, to see that what they find goes unseen then.

A check is taken out of the source of its function, and what is compiled of the rest stands in the function's place, wherever
it was imported, as long as `without` lasts.
"""

import inspect
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import reduce
from importlib import import_module
from types import CodeType
from typing import Any


@dataclass(frozen=True)
class Check:
    """`function`: module:name; `there`: a part of its source that stands there once; `instead`: the same without the check."""

    function: str
    there: str
    instead: str


class NoSuchCheck(LookupError):
    """The source has changed: the check is not where it was, and taking it out would change nothing."""


@contextmanager
def without(check: Check) -> Iterator[None]:
    """Raises NoSuchCheck."""
    module, _, path = check.function.partition(":")
    function: Any = reduce(getattr, path.split("."), import_module(module))
    code, function.__code__ = function.__code__, _left(function, check)
    try:
        yield
    finally:
        function.__code__ = code


def _left(function: Any, check: Check) -> CodeType:
    source = textwrap.dedent(inspect.getsource(function))
    if source.count(check.there) != 1:
        raise NoSuchCheck(f"{check.function} has {source.count(check.there)} times {check.there!r}")
    made: dict[str, Any] = {}
    rest = compile(source.replace(check.there, check.instead), inspect.getfile(function), "exec", dont_inherit=True)
    exec(rest, function.__globals__, made)
    code: CodeType = made[function.__name__].__code__
    return code
