"""One town for the tests of a file that only look, and one demo for all; the others make their own."""

import json
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from subprocess import STDOUT, Popen
from typing import Any

import pytest

from tests.support.attacked_town import attacked_town, ground
from tests.support.town import Town, a_town, stop_servers

__all__ = ["attacked_town", "ground"]

MINEWATCH = Path(sys.executable).parent / "minewatch"
PATIENCE = 400
"""Seconds of real time for the demo, on a machine that does other things as well; its own promise is 120."""


@pytest.fixture(scope="module")
async def running_town(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Town]:
    async with a_town(tmp_path_factory.mktemp("town") / "data") as town:
        yield town


@pytest.fixture
async def folder(tmp_path: Path) -> AsyncIterator[Path]:
    yield tmp_path / "data"
    await stop_servers(tmp_path / "data")


@pytest.fixture(scope="session")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the demo's town lives; it stands still once `demo` has run."""
    return tmp_path_factory.mktemp("demo") / "town"


@pytest.fixture(scope="session")
def demo(demo_folder: Path) -> tuple[int, dict[str, Any], str]:
    """(exit code, summary, what it said) of one whole run."""
    summary, waited = demo_folder.parent / "demo.json", 0.0
    with open(demo_folder.parent / "said", "w+b") as said:
        program = Popen(
            [MINEWATCH, "demo", "--exit", "--port", "0", "--data", demo_folder, "--summary", summary],
            stdout=said, stderr=STDOUT,
        )  # fmt: skip
        try:
            until = time.monotonic() + PATIENCE
            while program.poll() is None:
                waited = _waited(program.pid) or waited
                assert time.monotonic() < until, "the demo does not end"
                time.sleep(0.2)
        finally:
            program.terminate()  # it takes its servers along
            program.wait(60)
        (demo_folder.parent / "waited").write_text(str(waited))
        said.seek(0)
        told = json.loads(summary.read_text("utf-8")) if summary.exists() else {}
        return program.returncode, told, said.read().decode()


@pytest.fixture(scope="session")
def demo_waited(demo: object, demo_folder: Path) -> float:
    """Seconds that the demo's program could have run and another had the processor."""
    return float((demo_folder.parent / "waited").read_text())


def _waited(pid: int) -> float:
    """0 where the kernel does not tell, or the process has ended."""
    try:
        return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):
        return 0.0
