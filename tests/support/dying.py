"""`minewatch …` as a process of its own that dies by SIGKILL at the crash point a test names, with nothing put away."""

import asyncio
import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from shared.parts import Points, no_points
from tests.support.commands import Said

_processes = multiprocessing.get_context("forkserver")  # imports the commands once for all that die
_processes.set_forkserver_preload(
    ["shared.cli.main", "shared.cli.restore", "alembic.command", "structlog", "tests.support.dying"]
)


def dies_at(point: str) -> Points:
    async def points(name: str) -> None:
        if name == point:
            os.kill(os.getpid(), signal.SIGKILL)

    return points


async def dying(point: str | None, words: Sequence[object], folder: Path, environment: Mapping[str, str] = {}) -> Said:
    """Its code is -9 where it died at `point`; with None it ends by itself. `folder`: a test's own, for what it prints."""
    said = folder / "said"
    process = _processes.Process(target=_run, args=(point, [str(word) for word in words], said, dict(environment)))
    process.start()
    await asyncio.to_thread(process.join, 120)
    assert process.exitcode is not None, f"{words} does not end"
    return Said(said.read_text("utf-8"), process.exitcode)


def _run(point: str | None, words: list[str], said: Path, environment: dict[str, str]) -> None:
    from shared.cli.main import commands
    from shared.errors import MinewatchError

    os.environ.update(environment)
    with said.open("wb") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    try:
        commands(words, obj=no_points if point is None else dies_at(point))
    except MinewatchError as error:  # as main() does
        sys.stderr.write(f"minewatch: {error}\n")
        sys.exit(2)
    finally:
        sys.stdout.flush()
