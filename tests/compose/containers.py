"""The town of docker-compose.yml as a test runs it: a project, a port and secrets of its own, and nothing left behind."""

import json
import os
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
from tests.compose.daemon import Failed, docker

BUILDING = 1200
"""Seconds. The first time, images are fetched and packages installed."""


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
            more.write(f"MINEWATCH_GRAFANA_PORT='{free_port()}'\n")
            more.write("MINEWATCH_MAIL='smtp://mail:2525?from=minewatch@example.org'\n")
            more.write("MINEWATCH_TRUSTED_PROXIES='10.0.0.0/8 172.16.0.0/12 192.168.0.0/16'\n")
        try:
            yield containers
        finally:
            containers.compose(
                "--profile", "observability", "down", "--volumes", "--rmi", "local", "--timeout", "10", may_fail=True
            )
