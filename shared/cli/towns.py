"""Where a command finds a running service: by MINEWATCH_… variables as `serve` does, or with --data in an embedded town."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import click

from shared.database import dsn_of
from shared.embedded.home import Home
from shared.embedded.ports import LOOPBACK
from shared.embedded.processes import NATS_USER, Access, PidFile
from shared.plan.loader import load_plan
from shared.settings import SERVICES, SettingMissing, Settings

data_option: Callable[[Any], Any] = click.option(
    "--data",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="the folder of a running town; without it MINEWATCH_… variables say where",
)


def settings_of(name: str, data: Path | None) -> Settings:
    """Raises SettingMissing; ClickException when no town runs in `data`."""
    return Settings.from_environment(name) if data is None else of_town(_running(data), name)


def services_at(data: Path | None) -> list[str]:
    """The services that can be reached: all of a town, or those whose database the environment names."""
    if data is not None:
        return list(SERVICES)
    named = [name for name in SERVICES if os.environ.get(f"MINEWATCH_{name.upper()}_APP_DSN")]
    if not named:
        raise SettingMissing("set the MINEWATCH_ variables of a service as for serve, or give --data DIR")
    return named


def owner_dsn(name: str, data: Path | None) -> str:
    """The database of `name` as its owner: by MINEWATCH_OWNER_DSN, or in the running town. Raises SettingMissing."""
    if data is not None:
        home = _running(data)
        return as_owner(home, name, _access(home.folder / "postgres" / "access.json").port)
    dsn = os.environ.get("MINEWATCH_OWNER_DSN")
    if not dsn:
        raise SettingMissing("set MINEWATCH_OWNER_DSN: the address of the database as its owner role")
    return dsn


def as_owner(home: Home, name: str, port: int) -> str:
    owner = f"{name}_owner"
    return dsn_of(f"postgresql://{LOOPBACK}:{port}/postgres", name, owner, home.secrets["passwords"][owner])


def _running(data: Path) -> Home:
    """Raises ClickException when no town runs in `data`."""
    home = Home(data.resolve())
    if not home.known or PidFile(home.run / "minewatch.pid", home.folder).live() is None:
        raise click.ClickException(f"no town runs in {home.folder}: minewatch up --data {home.folder}")
    return home


def of_town(home: Home, name: str) -> Settings:
    postgres = _access(home.folder / "postgres" / "access.json")
    kept = home.run / "nats.access.json"
    nats = _access(kept) if kept.exists() else Access(0, "")  # before its first start
    plan = load_plan(home.plans / (home.plans / "current").read_text("utf-8").strip()).plan
    return home.settings(
        name,
        plan.jurisdiction,
        f"postgresql://{LOOPBACK}:{postgres.port}/postgres",
        f"nats://{NATS_USER}:{quote(nats.password, '')}@{LOOPBACK}:{nats.port}",
    )


def _access(path: Path) -> Access:
    return Access(**json.loads(path.read_text("utf-8")))
