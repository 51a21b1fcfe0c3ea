"""What processes take: memory as the kernel counts it, and processor time; read from /proc."""

import os
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Taken:
    """`pss` and `rss` in MB (pss counts a shared page once, in parts); `cpu` in seconds since the processes began."""

    pss: float
    rss: float
    cpu: float
    at: float


def _stat(pid: int) -> list[str]:
    """Fields of /proc/pid/stat from the state on; empty when the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return []


def family(root: int) -> list[int]:
    """`root` and everything below it."""
    parents = {int(p.name): int(stat[1]) for p in Path("/proc").glob("[0-9]*") if (stat := _stat(int(p.name)))}
    found = [root]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found


def taken(pids: Iterable[int]) -> Taken:
    """Of these processes together, with their children that have ended."""
    pss = rss = ticks = 0
    for pid in pids:
        try:
            rolled = Path(f"/proc/{pid}/smaps_rollup").read_text()
        except OSError:
            continue
        sizes = {line.split(":")[0]: int(line.split()[1]) for line in rolled.splitlines()[1:]}
        pss, rss = pss + sizes["Pss"], rss + sizes["Rss"]
        ticks += sum(int(field) for field in _stat(pid)[11:15])
    return Taken(pss / 1024, rss / 1024, ticks / TICK, time.monotonic())


def cores(before: Taken, after: Taken) -> float:
    """How many processors were busy on average between the two."""
    return (after.cpu - before.cpu) / (after.at - before.at)
