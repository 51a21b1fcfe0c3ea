"""The town of docker-compose.yml as a test runs it: a project, a port and secrets of its own, and nothing left behind."""

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from services.together import FIRST_PLAN, shipped
from shared.cli.environment import environment, read_environment
from shared.embedded.ports import free_port
from shared.plan.calendar import TOWN_TIME
from shared.plan.loader import load_plan
from shared.plan.shift import default_first_day, moved_to

ROOT = Path(__file__).parents[2]
BUILDING = 1200
"""Seconds. The first time, images are fetched and packages installed."""


class Failed(Exception):
    """What is not as it must be."""


@dataclass
class Containers:
    """`folder` holds the town's .env and, below town/, its plan."""

    folder: Path
    project: str
    port: int

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def settings(self) -> dict[str, str]:
        """What stands in .env."""
        return read_environment(self.folder / ".env")

    def compose(self, *words: str, seconds: float = 120, may_fail: bool = False) -> str:
        """What `docker compose` says. Raises Failed with it."""
        files = ["--env-file", f"{self.folder}/.env", "-f", "docker-compose.yml", "-f", "tests/compose/mail.yaml"]
        return docker(
            "compose", "--ansi", "never", "-p", self.project, *files, *words, seconds=seconds, may_fail=may_fail
        )

    def running(self) -> dict[str, dict[str, Any]]:
        """Service -> what docker knows of its container."""
        ids = self.compose("ps", "--quiet").split()
        found = json.loads(docker("inspect", *ids)) if ids else []
        return {one["Config"]["Labels"]["com.docker.compose.service"]: one for one in found}

    def start(self, service: str) -> None:
        """What was killed, alone: compose would run every step before it once more."""
        docker("start", self.compose("ps", "--all", "--quiet", service).strip())

    def sql(self, database: str, query: str) -> list[list[str]]:
        """Rows of text, asked by the superuser inside the container."""
        said = self.compose("exec", "-T", "postgres", "psql", "-U", "postgres", "-d", database, "-AtF,", "-c", query)
        return [line.split(",") for line in said.splitlines()]

    def logs(self, *services: str) -> str:
        return self.compose("logs", "--no-color", "--no-log-prefix", *services).replace("\x1b[2K", "")


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


def docker_is_there() -> None:
    """Raises Failed, saying what is missing."""
    if shutil.which("docker") is None:
        raise Failed("docker is not installed")
    for words, missing in (
        (("info",), "no docker daemon answers"),
        (("compose", "version"), "docker has no compose plugin, version 2"),
        (("buildx", "version"), "docker has no buildx plugin"),
    ):
        try:
            docker(*words)
        except Failed as error:
            raise Failed(f"{missing}: {error}") from error


@contextmanager
def a_project() -> Iterator[Containers]:
    """Not yet up; taken down with its volumes and its images at the end, whatever happened."""
    with tempfile.TemporaryDirectory(prefix="minewatch-compose-") as name:
        folder = Path(name)
        plan = folder / "town" / "plan.yaml"
        plan.parent.mkdir()
        today = datetime.now(TOWN_TIME).date()
        plan.write_text(moved_to(load_plan(shipped(FIRST_PLAN)), default_first_day(today)), "utf-8")
        plan.parent.chmod(0o755)  # read in the containers, by another user
        made = CliRunner().invoke(environment, ["--plan", str(plan), "--file", f"{folder}/.env"])
        if made.exit_code:
            raise Failed(made.output)
        containers = Containers(folder, f"minewatch-test-{os.getpid()}", free_port())
        with (folder / ".env").open("a", encoding="utf-8") as more:
            more.write(f"MINEWATCH_PUBLISH='127.0.0.1:{containers.port}'\n")
            more.write(f"MINEWATCH_CUSTODIAN_PUBLISH='127.0.0.1:{free_port()}'\n")
            more.write("MINEWATCH_MAIL='smtp://mail:2525?from=minewatch@example.org'\n")
            more.write("MINEWATCH_TRUSTED_PROXIES='10.0.0.0/8 172.16.0.0/12 192.168.0.0/16'\n")
        try:
            yield containers
        finally:
            containers.compose("down", "--volumes", "--rmi", "local", "--timeout", "10", may_fail=True)
