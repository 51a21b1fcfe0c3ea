"""Databases, roles and migrations: the owner's work, done before a service starts and never by it."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from shared.half_restored import refuse_half
from shared.identity.key_schema import KEY_ROLES, make_schema
from shared.settings import SERVICES

SEARCH_PATH = "view, work, record"
SCRATCH = "scratch"
"""A role that makes databases for read models of another moment, and may connect to no service's own."""


def dsn_of(server: str, database: str, user: str, password: str) -> str:
    """The server's address with another database and user."""
    parts = urlsplit(server)
    host = f"{parts.hostname}:{parts.port}" if parts.port else str(parts.hostname)
    return urlunsplit((parts.scheme, f"{quote(user)}:{quote(password)}@{host}", f"/{database}", parts.query, ""))


def roles_of(service: str) -> tuple[str, str, str]:
    """owner (migrates, not in a running service), app (appends and reads), log (numbers)."""
    return f"{service}_owner", f"{service}_app", f"{service}_log"


async def prepare_server(server: str, passwords: Mapping[str, str]) -> None:
    """Makes what is missing: a login role per name in `passwords`, a database per service, and `keys`. As superuser."""
    connection = await asyncpg.connect(server)
    try:
        for role, password in passwords.items():
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1)", role):
                await connection.execute(f'CREATE ROLE "{role}" LOGIN')
            literal = await connection.fetchval("SELECT quote_literal($1::text)", password)
            await connection.execute(f'ALTER ROLE "{role}" PASSWORD {literal}')
        if SCRATCH in passwords:
            await connection.execute(f'ALTER ROLE "{SCRATCH}" CREATEDB')
        for service in SERVICES:  # so that the owner may hand the view schema to the app
            await connection.execute(f'GRANT "{service}_app" TO "{service}_owner"')
        for database in (*SERVICES, "keys"):
            if not await connection.fetchval("SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database):
                owner = f"{database}_owner"
                await connection.execute(
                    f'CREATE DATABASE "{database}" OWNER "{owner}" TEMPLATE template0 ENCODING UTF8'
                )
                await connection.execute(f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC')
            users = KEY_ROLES if database == "keys" else roles_of(database)[1:]
            for user in users:
                await connection.execute(f'GRANT CONNECT ON DATABASE "{database}" TO "{user}"')
    finally:
        await connection.close()


def role_names() -> list[str]:
    """Every role that `prepare_server` needs a password for."""
    return [role for service in SERVICES for role in roles_of(service)] + ["keys_owner", *KEY_ROLES]


async def migrate(server: str, passwords: Mapping[str, str]) -> None:
    """Brings all databases to the newest step, each as its owner. Raises NotReady, before anything is done, for those of a
    half-restored town."""
    of = {name: dsn_of(server, name, f"{name}_owner", passwords[f"{name}_owner"]) for name in (*SERVICES, "keys")}
    for name, owner_dsn in of.items():
        connection = await asyncpg.connect(owner_dsn)
        try:
            await refuse_half(connection, name)
        finally:
            await connection.close()
    for service in SERVICES:
        await migrate_one(service, of[service])
    await migrate_keys(of["keys"])


async def migrate_keys(owner_dsn: str) -> None:
    """The key store to its newest step."""
    connection = await asyncpg.connect(owner_dsn)
    try:
        await make_schema(connection)
    finally:
        await connection.close()


async def migrate_one(service: str, owner_dsn: str, step: str = "head") -> None:
    """One service's database to the newest step, or to an earlier one that a backup was taken at."""
    # Only whoever migrates waits for these; a service and most commands want addresses and pools.
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import Connection, NullPool
    from sqlalchemy.ext.asyncio import create_async_engine

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)

    def upgrade(connection: Connection) -> None:
        config.attributes.update(connection=connection, service=service)
        command.upgrade(config, step)

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def prepare_connection(connection: asyncpg.Connection) -> None:
    """JSON columns come and go as Python values."""
    for kind in ("json", "jsonb"):
        await connection.set_type_codec(kind, schema="pg_catalog", encoder=_as_json, decoder=json.loads, format="text")


def _as_json(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """Settings and locks here last one transaction at most; asyncpg's own reset would cost a statement at every release."""


IDLE = 15.0
"""Seconds after which a connection that nobody needed is closed: each costs its server some megabytes."""


async def open_pool(
    dsn: str, size: int, search_path: str = SEARCH_PATH, command_timeout: float = 30, **settings: str
) -> asyncpg.Pool:
    """Connections that read JSON as values and find read models first; `settings` of Postgres besides."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        max_inactive_connection_lifetime=IDLE,
        init=prepare_connection,
        reset=_nothing_to_reset,
        server_settings={"search_path": search_path, "application_name": "minewatch", **settings},
        command_timeout=command_timeout,
    )
