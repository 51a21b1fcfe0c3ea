"""The migrated databases of a session and what tests get of them: a copy, or one that was used before and is as new again."""

import io
import itertools
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import asyncpg

from shared.database import SCRATCH, dsn_of, migrate, prepare_server, role_names
from tests.support.servers import PostgresAddress

PASSWORDS = {role: "test" for role in (*role_names(), SCRATCH)}
_numbers = itertools.count(1)

# A used database as if it were new, but for the rows that its template has. Deleting a test's few rows takes a
# millisecond, copying a template a hundred, and dropping the copy fifty.
CLEAN = """
SET session_replication_role = replica;
DO $$ DECLARE t regclass; BEGIN
    FOR t IN SELECT c.oid FROM pg_class c WHERE relkind = 'r' AND relnamespace::regnamespace::text IN ('view', 'shadow')
        AND c.oid::regclass::text <> ALL (ARRAY[{views}]::text[])
    LOOP EXECUTE format('DROP TABLE %s CASCADE', t); END LOOP;
    FOR t IN SELECT c.oid FROM pg_class c WHERE relkind = 'r'
        AND relnamespace::regnamespace::text IN ('record', 'work', 'view', 'public')
    LOOP EXECUTE format('DELETE FROM %s', t); END LOOP;
END $$;
"""
TABLES = """
SELECT n.nspname, c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace
WHERE relkind = 'r' AND nspname IN ('record', 'work', 'view', 'public')
"""
LINEAGE = {("record", "lineage"), ("work", "head")}
NEW_LINEAGE = """
INSERT INTO record.lineage (lineage, from_position) VALUES (gen_random_uuid(), 0);
INSERT INTO work.head (lineage) SELECT lineage FROM record.lineage;
"""
OTHERS = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
# All that a test can change of a database besides rows: then it is thrown away.
CATALOG = """
WITH n AS (SELECT oid, nspname, nspacl FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'),
     c AS (SELECT c.*, n.nspname FROM pg_class c JOIN n ON n.oid = relnamespace)
SELECT md5(string_agg(line, chr(10) ORDER BY line)) FROM (
    SELECT format('schema %s %s', nspname, nspacl) FROM n
    UNION ALL SELECT format('%s %s.%s %s %s %s', relkind, nspname, relname, relowner, relacl, reloptions) FROM c
    UNION ALL SELECT format('%s.%s %s %s %s %s %s', nspname, relname, attnum, attname,
        atttypid, attnotnull, attacl)
        FROM pg_attribute JOIN c ON c.oid = attrelid WHERE attnum > 0 AND NOT attisdropped
    UNION ALL SELECT format('%s.%s %s %s', nspname, relname, indkey, indisvalid) FROM pg_index JOIN c ON c.oid = indexrelid
    UNION ALL SELECT format('%s.%s %s %s', nspname, relname, tgenabled, CASE WHEN NOT tgisinternal THEN tgname END)
        FROM pg_trigger JOIN c ON c.oid = tgrelid
    UNION ALL SELECT format('%s.%s %s %s', nspname, conname, contype, convalidated) FROM pg_constraint JOIN n ON n.oid = connamespace
    UNION ALL SELECT format('%s.%s %s %s', nspname, proname, proacl, md5(prosrc)) FROM pg_proc JOIN n ON n.oid = pronamespace
    UNION ALL SELECT format('%s %s %s %s', datdba, datallowconn, datconnlimit, datacl) FROM pg_database WHERE datname = current_database()
    UNION ALL SELECT format('%s', s.setconfig) FROM pg_db_role_setting s JOIN pg_database d ON d.oid = setdatabase
        WHERE datname = current_database()
    UNION ALL SELECT format('%s %s %s', c.nspname, c.relname, d.description) FROM pg_description d JOIN c ON c.oid = objoid
) AS x (line)
"""  # noqa: E501


@dataclass(frozen=True)
class Fresh:
    """A copy as it came: its catalog in one hash, its read models' tables, and its rows by (schema, table).

    `alike`: nothing was recorded in it yet. Then each gets a lineage of its own.
    """

    catalog: str
    views: tuple[str, ...]
    rows: dict[tuple[str, str], bytes]
    alike: bool

    @staticmethod
    async def of(connection: asyncpg.Connection) -> "Fresh":
        tables = [(row["nspname"], row["relname"]) for row in await connection.fetch(TABLES)]
        service = ("record", "event") in tables
        alike = service and not await connection.fetchval("SELECT EXISTS (SELECT FROM record.event)")
        rows = {}
        for schema, table in tables:
            if alike and (schema, table) in LINEAGE:
                continue
            if await connection.fetchval(f'SELECT EXISTS (SELECT FROM "{schema}"."{table}")'):
                kept = io.BytesIO()
                await connection.copy_from_table(table, schema_name=schema, output=kept, format="binary")
                rows[schema, table] = kept.getvalue()
        views = tuple(f"view.{table}" for schema, table in tables if schema == "view")
        return Fresh(await connection.fetchval(CATALOG), views, rows, alike)

    async def again(self, connection: asyncpg.Connection) -> bool:
        """Brings a used copy back to this; False where more of it was changed than rows."""
        await connection.execute(CLEAN.format(views=", ".join(f"'{name}'" for name in self.views)))
        for (schema, table), rows in self.rows.items():
            await connection.copy_to_table(table, schema_name=schema, source=io.BytesIO(rows), format="binary")
        if self.alike:
            await connection.execute(NEW_LINEAGE)
        return bool(await connection.fetchval(CATALOG) == self.catalog)


class Templates:
    """The migrated databases of this session, copied or lent for each test."""

    def __init__(self, address: PostgresAddress) -> None:
        self.address = address
        self.ready = False
        self._fresh: dict[str, Fresh] = {}
        self._clean: dict[str, list[str]] = {}

    async def prepare(self) -> None:
        if not self.ready:
            await prepare_server(self.address.superuser_dsn, PASSWORDS)
            await migrate(self.address.superuser_dsn, PASSWORDS)
            for role in PASSWORDS:
                await self.run(f'ALTER ROLE "{role}" SET deadlock_timeout = 100')  # ms; a test should not wait a second
            self.ready = True

    async def run(self, sql: str, database: str = "postgres") -> None:
        """As superuser."""
        async with self._superuser(database) as connection:
            await connection.execute(sql)

    async def copy(self, database: str) -> str:
        """A fresh copy; its name."""
        await self.prepare()
        name = f"{database}_{next(_numbers)}_{os.getpid()}"
        await self.run(f'CREATE DATABASE "{name}" TEMPLATE "{database}"')
        return name

    async def drop(self, name: str) -> None:
        await self.run(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    async def lend(self, template: str) -> str:
        """A database like `template`, which stays as it is as long as this lends of it; to be given back."""
        if free := self._clean.setdefault(template, []):
            return free.pop()
        name = await self.copy(template)
        if template not in self._fresh:
            async with self._superuser(name) as connection:
                self._fresh[template] = await Fresh.of(connection)
        return name

    async def give_back(self, template: str, name: str) -> None:
        """Nobody is connected to it any more. Where a test changed more of it than rows, it is dropped."""
        async with self._superuser(name) as connection:
            await connection.execute(OTHERS)
            same = await self._fresh[template].again(connection)
        if same:
            self._clean[template].append(name)
        else:
            await self.drop(name)

    def dsn(self, database: str, role: str | None = None) -> str:
        """Without a role: the superuser's."""
        if role is None:
            return self.address.superuser_dsn.rsplit("/", 1)[0] + f"/{database}"
        return dsn_of(self.address.superuser_dsn, database, role, PASSWORDS[role])

    @asynccontextmanager
    async def _superuser(self, database: str) -> AsyncIterator[asyncpg.Connection]:
        connection = await asyncpg.connect(self.dsn(database))
        try:
            yield connection
        finally:
            await connection.close()
