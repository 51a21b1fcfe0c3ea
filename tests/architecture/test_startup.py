"""A command waits for what it needs, and for nothing that only others need. Nothing is timed: what was imported is looked at."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from shared.cli.later import Later
from shared.cli.main import commands

PLAN = Path(__file__).parents[2] / "deploy" / "plans" / "zhenchengdi-2018.yaml"
HEAVY = {
    "alembic", "asyncpg", "fastapi", "faststream", "httpx", "jinja2", "jwt", "nats", "opentelemetry", "prometheus_client",
    "pydantic", "reportlab", "rich", "services", "shared.contracts.registry", "shared.service", "sqlalchemy", "sqlalchemy.orm",
    "starlette", "structlog", "uvicorn", "yaml",
}  # fmt: skip
PLANS = {"pydantic", "yaml"}
"""Who reads a plan file."""
TOWN = PLANS | {"asyncpg"}
"""Who finds a town and asks its database."""
KERNEL = TOWN | {"opentelemetry", "prometheus_client", "rich", "shared.contracts.registry", "sqlalchemy"}
"""Who asks by the kernel's own statements."""
WEB = KERNEL | {"fastapi", "httpx", "jinja2", "jwt", "nats", "shared.service", "starlette", "structlog", "uvicorn"}
"""A service that is served: it neither migrates nor makes a document, and only one of four sends."""
NEEDS: dict[str, set[str]] = {
    "--help": set(),
    "up --help": set(),
    "demo --help": set(),
    "signer --help": set(),
    "signer serve --help": set(),
    "witness --help": set(),
    "witness init --help": set(),
    "audit --help": set(),
    "audit verify --help": set(),
    "plan check --help": PLANS,
    "migrate --help": {"asyncpg"},
    "timers list --help": TOWN | {"rich"},
    "parked list --help": KERNEL,
    "status --help": KERNEL | {"httpx", "nats"},
    "serve --help": WEB,
}
"""Command -> what it may load of the heavy ones."""
IMPORTED: dict[str, set[str]] = {
    "shared.signer.__main__": set(),
    "shared.witness.__main__": {"starlette", "uvicorn"},
    "services.together": WEB | {"services"},
}
RUN = """
import atexit, sys
from shared.cli.main import main
atexit.register(lambda: print(*sys.modules, file=sys.stderr))
main()
"""
IMPORT = "import importlib, sys; importlib.import_module(sys.argv[1]); print(*sys.modules, file=sys.stderr)"


def loaded(code: str, *words: object) -> set[str]:
    """The heavy ones that a process of its own has at its end."""
    ended = subprocess.run(
        [sys.executable, "-c", code, *(str(word) for word in words)], capture_output=True, text=True, timeout=120
    )
    assert ended.returncode == 0, ended.stderr
    names = ended.stderr.split()
    assert "sys" in names
    return {heavy for heavy in HEAVY if heavy in names}


@pytest.mark.parametrize("command", NEEDS)
def test_a_command_says_what_it_does_without_the_libraries_of_others(command: str) -> None:
    assert loaded(RUN, *command.split()) <= NEEDS[command]


@pytest.mark.parametrize("module", IMPORTED)
def test_a_program_loads_what_it_runs_with(module: str) -> None:
    assert loaded(IMPORT, module) <= IMPORTED[module]


def test_commands_that_run_need_no_more(tmp_path: Path) -> None:
    secrets, folder = tmp_path / "env", tmp_path / "signer"
    assert loaded(RUN, "plan", "check", PLAN) <= PLANS
    assert loaded(RUN, "environment", "--plan", PLAN, "--file", secrets) <= TOWN
    assert loaded(RUN, "token", "--as", "clerk", "--data", secrets) <= TOWN | {"jwt"}
    assert loaded(RUN, "signer", "init", "--folder", folder, "--log", "town/cases") <= set()
    assert loaded(RUN, "witness", "init", "--folder", tmp_path / "witness", "--name", "police.example") <= set()


def later(group: click.Group, path: str = "") -> Iterator[tuple[str, Later]]:
    """(command as typed, what stands for it) of every command that is imported when it is asked for, those in groups too."""
    for name, command in group.commands.items():
        if isinstance(command, Later):
            yield f"{path}{name}", command
            command = command.itself()
        if isinstance(command, click.Group):
            yield from later(command, f"{path}{name} ")


def test_a_group_says_of_a_command_what_the_command_says_itself() -> None:
    table = dict(later(commands))
    assert {"status", "audit verify", "parked dismiss"} <= set(table)
    own = {name: command.itself() for name, command in table.items()}
    assert {name: command.help for name, command in table.items()} == {
        name: command.get_short_help_str(1_000) for name, command in own.items()
    }
    assert [command.name for command in own.values()] == [name.split()[-1] for name in table]
