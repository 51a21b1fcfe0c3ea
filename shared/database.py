"""Databases, roles and migrations: the owner's work, done before a service starts and never by it."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg
from alembic import command
from alembic.config import Config
from sqlalchemy import Connection, NullPool
from sqlalchemy.ext.asyncio import create_async_engine

from shared.identity.key_store import KEY_ROLES, KEYS_DDL
from shared.settings import SERVICES
from shared.sql import prepare_connection

SEARCH_PATH = "view, work, record"


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
    """Brings all databases to the newest step, each as its owner."""
    for service in SERVICES:
        await migrate_one(service, dsn_of(server, service, f"{service}_owner", passwords[f"{service}_owner"]))
    connection = await asyncpg.connect(dsn_of(server, "keys", "keys_owner", passwords["keys_owner"]))
    try:
        if not await connection.fetchval("SELECT to_regclass('public.key') IS NOT NULL"):
            await connection.execute(KEYS_DDL)
    finally:
        await connection.close()


async def migrate_one(service: str, owner_dsn: str) -> None:
    """One service's database to the newest step."""
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    engine = create_async_engine(owner_dsn.replace("postgresql://", "postgresql+asyncpg://", 1), poolclass=NullPool)

    def upgrade(connection: Connection) -> None:
        config.attributes.update(connection=connection, service=service)
        command.upgrade(config, "head")

    async with engine.begin() as connection:
        await connection.run_sync(upgrade)
    await engine.dispose()


async def _nothing_to_reset(_: asyncpg.Connection) -> None:
    """Settings and locks here last one transaction at most; asyncpg's own reset would cost a statement at every release."""


async def open_pool(dsn: str, size: int, search_path: str = SEARCH_PATH) -> asyncpg.Pool:
    """Connections that read JSON as values and find read models first."""
    return await asyncpg.create_pool(
        dsn,
        min_size=1,
        max_size=size,
        init=prepare_connection,
        reset=_nothing_to_reset,
        server_settings={"search_path": search_path, "application_name": "minewatch"},
        command_timeout=30,
    )
