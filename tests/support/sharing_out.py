"""Which test files go to one worker of pytest-xdist together, and which first.

A file stays whole, for what its fixtures make. Files that look at the same expensive thing stay together, so that it is
made once. The longest come first, or one of them would begin when all the others have ended.
"""

from fnmatch import fnmatch
from functools import cache

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadFileScheduling

FIRST: tuple[tuple[str, ...], ...] = (
    # the demo's town, and a copy of it that is attacked
    ("tests/e2e/test_demo.py", "tests/e2e/test_demo_replayed.py", "tests/e2e/test_attack*.py"),
    ("tests/faults/test_plants.py",),
    ("tests/e2e/test_up.py",),
    ("tests/e2e/test_operations.py",),
    ("tests/faults/test_drill.py",),
    ("tests/e2e/test_informant.py",),
    ("tests/faults/test_checks.py",),
    ("tests/e2e/test_demo_seed.py",),
    ("tests/e2e/test_serve.py",),
    ("tests/e2e/test_backup.py",),
    ("tests/bench/test_bench.py",),
    ("tests/integration/operations/test_status_command.py",),
    ("tests/integration/operations/test_parked_command.py",),
    ("tests/integration/reporting/test_calendar.py",),
    ("tests/integration/notify/test_ladder.py",),
)
"""Patterns of what goes together, the longest first: what `pytest --durations` says of a file, fixtures included. The rest
comes in its own order."""


@cache
def share_of(file: str) -> tuple[int, str]:
    """(place in the order, what the share is called)."""
    for place, patterns in enumerate(FIRST):
        if any(fnmatch(file, pattern) for pattern in patterns):
            return place, patterns[0]
    return len(FIRST), file


def put_in_order(items: list[pytest.Item]) -> None:
    """Files keep their order within a share, and tests within a file."""
    items.sort(key=lambda item: share_of(_file(item.nodeid))[0])


def _file(nodeid: str) -> str:
    return nodeid.split("::", 1)[0]


class Shares(LoadFileScheduling):
    """As `--dist=loadfile`, with the files of a share as if they were one."""

    def __init__(self, config: pytest.Config, log: Producer | None = None) -> None:
        super().__init__(config, log)
        config.option.loadscopereorder = False  # it would hand out those of many tests first, and those are short

    def _split_scope(self, nodeid: str) -> str:
        return share_of(_file(nodeid))[1]
