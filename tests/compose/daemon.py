"""Docker, as a test asks it. By itself, `python -m tests.compose.daemon` says whether it is there at all."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


class Failed(Exception):
    """What is not as it must be."""


def docker(*words: str, seconds: float = 120, may_fail: bool = False) -> str:
    """What docker prints. Raises Failed with the end of it."""
    # A variable of this shell would win over the town's .env.
    bare = {name: value for name, value in os.environ.items() if not name.startswith("MINEWATCH_")}
    try:
        done = subprocess.run(["docker", *words], cwd=ROOT, env=bare, capture_output=True, text=True, timeout=seconds)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"docker {' '.join(words[-4:])}: not done after {seconds:.0f} s") from error
    if done.returncode and not may_fail:
        raise Failed(f"docker {' '.join(words[-4:])}\n{done.stdout[-1500:]}{done.stderr[-3000:]}")
    return done.stdout + (done.stderr if may_fail else "")


def docker_is_there(*plugins: str) -> None:
    """With these plugins. Raises Failed, saying what is missing."""
    if shutil.which("docker") is None:
        raise Failed("docker is not installed")
    _answers("no docker daemon answers", "info")
    for plugin in plugins:
        _answers(f"docker has no {plugin} plugin", plugin, "version")


def _answers(otherwise: str, *words: str) -> None:
    try:
        docker(*words)
    except Failed as error:
        raise Failed(f"{otherwise}: {error}") from error


if __name__ == "__main__":
    try:
        docker_is_there()
    except Failed as missing:
        sys.exit(f"docker is needed: {missing}")
