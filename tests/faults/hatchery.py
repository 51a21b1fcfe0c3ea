"""Where the drill's processes come from: one parent that has imported everything and forks a child for each request.

A cold start of `minewatch serve` costs a second of CPU and most of it is imports; hundreds of restarts on two cores would leave
none for the load. The parent has neither threads nor an event loop, so what it forks is as good as started cold.

Lines of JSON on stdin {"name", "words", "environment", "log"} and on stdout {"name", "pid"}, later {"pid", "code"}; code is
negative for a signal. When stdin ends, every child is killed.
"""

import asyncio
import contextlib
import ctypes
import gc
import json
import os
import random
import select
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
_DIE_WITH_PARENT = 1  # PR_SET_PDEATHSIG


class Hatchery:
    """The drill's side. `ended` is called with (name, pid, code) when a child is gone; each town puts its own there."""

    ended: Callable[[str, int, int], None]

    def __init__(self) -> None:
        self._names: dict[int, str] = {}
        self._waiting: dict[str, list[asyncio.Future[int]]] = {}
        self._codes: dict[int, asyncio.Future[int]] = {}

    async def open(self) -> None:
        self._parent = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.faults.hatchery",
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT, start_new_session=True,
        )  # fmt: skip
        self._reading = asyncio.create_task(self._read())

    async def start(self, name: str, words: list[str], environment: dict[str, str], log: Path) -> int:
        """Forks; the pid."""
        forked = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(name, []).append(forked)
        request = {"name": name, "words": words, "environment": environment, "log": str(log)}
        assert self._parent.stdin is not None
        self._parent.stdin.write(json.dumps(request).encode() + b"\n")
        return int(await forked)

    async def code(self, pid: int) -> int:
        """Waits for the end of a child; its exit code, negative for a signal."""
        return await asyncio.shield(self._codes[pid])

    def ended_with(self, pid: int) -> int | None:
        """The code of a child that is gone, None while it is there."""
        return self._codes[pid].result() if self._codes[pid].done() else None

    async def clear(self) -> None:
        """Kills every child that is left, and waits until it is gone."""
        for pid in list(self._names):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
            await self.code(pid)

    async def close(self) -> None:
        """Kills every child that is left."""
        assert self._parent.stdin is not None
        self._parent.stdin.close()
        await self._parent.wait()
        await self._reading

    async def _read(self) -> None:
        assert self._parent.stdout is not None
        while line := await self._parent.stdout.readline():
            said = json.loads(line)
            pid: int = said["pid"]
            if "name" in said:
                self._names[pid] = said["name"]
                self._codes[pid] = asyncio.get_running_loop().create_future()
                self._waiting[said["name"]].pop(0).set_result(pid)
            else:
                self._codes[pid].set_result(said["code"])
                self.ended(self._names.pop(pid), pid, said["code"])


# ------------------------------------------------------------------------------------------------- the parent itself


def _hatch() -> None:
    from tests.faults import program  # with everything that a service imports

    program.warm()
    gc.collect()
    gc.freeze()  # what is shared stays shared: a collection would touch every page
    libc = ctypes.CDLL(None)
    alarm, ring = os.pipe()
    for end in (alarm, ring):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(ring)
    children: set[int] = set()
    waiting = b""
    while True:
        readable, _, _ = select.select([0, alarm], [], [])
        if alarm in readable:
            os.read(alarm, 4096)
            _reap(children)
        if 0 not in readable:
            continue
        read = os.read(0, 65536)
        if not read:
            break
        *lines, waiting = (waiting + read).split(b"\n")
        for line in lines:
            request = json.loads(line)
            if (pid := os.fork()) == 0:
                libc.prctl(_DIE_WITH_PARENT, signal.SIGKILL)
                _become(program.main, request, (alarm, ring))
            children.add(pid)
            _say({"name": request["name"], "pid": pid})
    for pid in children:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _reap(children: set[int]) -> None:
    while children:
        pid, status = os.waitpid(-1, os.WNOHANG)
        if pid == 0:
            return
        children.discard(pid)
        _say({"pid": pid, "code": os.waitstatus_to_exitcode(status)})


def _say(what: dict[str, Any]) -> None:
    os.write(1, json.dumps(what).encode() + b"\n")


def _become(main: Callable[[str, list[str]], int], request: dict[str, Any], pipe: tuple[int, int]) -> None:
    """The rest of the child's life."""
    code = 1
    try:
        signal.set_wakeup_fd(-1)
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        os.setsid()
        for end in pipe:
            os.close(end)
        log = os.open(request["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        nothing = os.open(os.devnull, os.O_RDONLY)
        for mine, there in ((nothing, 0), (log, 1), (log, 2)):
            os.dup2(mine, there)
        os.environ.clear()
        os.environ.update(request["environment"])
        random.seed()  # or all children would wait the same "random" times
        code = main(request["name"], request["words"])
        sys.stdout.flush()
        sys.stderr.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _hatch()
