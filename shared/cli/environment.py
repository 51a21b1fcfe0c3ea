"""`minewatch environment`: the settings and fresh secrets that docker-compose.yml reads, in one file."""

import base64
import os
import secrets
import sys
from pathlib import Path

import click

from shared.database import SCRATCH, role_names
from shared.identity.token_keys import fresh_pair
from shared.plan.loader import PlanFileError, load_plan
from shared.settings import SERVICES


def fresh_secrets() -> dict[str, str]:
    """Variable -> value, each made now: passwords, the services' root secrets, the master key, the pair that signs tokens.

    Passwords are a letter and 48 hex digits: they stand unquoted in addresses, in JSON, and in the configuration of NATS, which
    would take a value that begins with a digit for a number.
    """
    public, private = fresh_pair()
    users = ["postgres", *role_names(), SCRATCH, *(f"nats_{service}" for service in SERVICES), "grafana"]
    return {
        **{f"MINEWATCH_{user.upper()}_PASSWORD": f"p{secrets.token_hex(24)}" for user in users},
        **{f"MINEWATCH_{service.upper()}_SECRET": secrets.token_urlsafe(48) for service in SERVICES},
        "MINEWATCH_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
        "MINEWATCH_TOKEN_PUBLIC": _one_line(public),
        "MINEWATCH_TOKEN_PRIVATE": _one_line(private),
    }


def _one_line(pem: str) -> str:
    r"""With the two characters \n for every line's end, as settings read it."""
    return pem.replace("\n", "\\n")


def environment_file(plan: Path, jurisdiction: str) -> str:
    """The file's text. Single quotes keep compose and a shell from finding variables in a value."""
    town = {
        "MINEWATCH_JURISDICTION": jurisdiction,
        "MINEWATCH_TOWN": str(plan.resolve().parent),
        "MINEWATCH_PLAN": plan.name,
    }
    lines = [
        "# Made by `minewatch environment`. Whoever reads it can read everything: keep it, and a copy, where nobody else can.",
        "# Without MINEWATCH_MASTER_KEY no sealed text can ever be opened again, unless a key service wraps the keys.",
        "# What else may stand here: docker-compose.yml.",
        *(f"{name}='{value}'" for name, value in (town | fresh_secrets()).items()),
    ]
    return "\n".join(lines) + "\n"


def read_environment(file: Path) -> dict[str, str]:
    """Variable -> value of a file that `environment_file` wrote, and of lines of the same kind that a person added."""
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    pairs = (line.partition("=") for line in lines if line and not line.startswith("#"))
    return {name: value.strip("'\"") for name, _, value in pairs}


@click.command()
@click.option(
    "--plan", type=click.Path(path_type=Path, exists=True, dir_okay=False), required=True, help="the town's plan file"
)
@click.option(
    "--file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path(".env"),
    show_default=True,
    help="write here",
)
def environment(plan: Path, file: Path) -> None:
    """Make the file that docker-compose.yml reads: every secret fresh, readable by its owner only. Never overwrites one."""
    try:
        jurisdiction = load_plan(plan).plan.jurisdiction
    except PlanFileError as error:
        click.echo(str(error), err=True)
        sys.exit(1)
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as out:
            out.write(environment_file(plan, jurisdiction))
    except FileExistsError:
        raise click.ClickException(
            f"{file} is there already; its secrets belong to a town and are not made twice"
        ) from None
    click.echo(f"{file} made; docker compose up --detach starts the town")
