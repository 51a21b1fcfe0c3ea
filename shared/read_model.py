"""Read models: tables that are a function of events, and can be thrown away and built again.

An inline model is written in the append's own transaction and its rows belong to one stream. Any other is written by a
follower, in the order of each source's log. Which one it is, is the service's choice in main.py; the model does not know.
"""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import asyncpg
from sqlalchemy import Executable, MetaData, Table, Text
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.schema import CreateIndex, CreateTable

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.sql import Tx

Write = tuple[Executable, dict[str, Any]]
"""A Core statement and its parameters by name."""


# Only where it is not so yet: it waits for whoever tidies the table, and disturbs them.
UNSAMPLED = """
DO $$ BEGIN
    IF EXISTS (SELECT FROM pg_attribute
        WHERE attrelid = '"{table}"'::regclass AND attname IN ({names}) AND attstattarget IS DISTINCT FROM 0)
    THEN ALTER TABLE "{table}" {alter}; END IF;
END $$
"""


class Words(Text):
    """A column of texts that the office writes. Postgres takes no samples of it, which would outlive its row in `pg_statistic`;
    nobody looks for a row by it."""


class WordsWithin(JSONB):
    """As Words, among other facts."""


@dataclass(frozen=True)
class ReadModel:
    """`project` is pure: it reads nothing, and the same event always gives the same writes. `events`: what it listens to."""

    name: str
    tables: tuple[Table, ...]
    events: tuple[type[Event], ...]
    project: Callable[[Recorded[Any]], Iterable[Write]]

    def ddl(self) -> list[str]:
        """CREATE statements, with IF NOT EXISTS, in the schema that the search path names first; words are not sampled."""
        dialect = postgresql.dialect()  # type: ignore[no-untyped-call]
        made: list[str] = []
        for table in self.tables:
            made.append(str(CreateTable(table, if_not_exists=True).compile(dialect=dialect)))
            if unsampled := [c.name for c in table.columns if isinstance(c.type, (Words, WordsWithin))]:
                alter = ", ".join(f'ALTER COLUMN "{name}" SET STATISTICS 0' for name in unsampled)
                made.append(UNSAMPLED.format(table=table.name, names=", ".join(map(repr, unsampled)), alter=alter))
            made.extend(
                str(CreateIndex(index, if_not_exists=True).compile(dialect=dialect))
                for index in sorted(table.indexes, key=lambda i: str(i.name))
            )
        return made


COLUMNS = """
SELECT table_name::text AS table, array_agg(column_name::text) AS columns FROM information_schema.columns
WHERE table_schema = 'view' GROUP BY table_name
"""


async def outgrown(tx: Tx, models: Iterable[ReadModel]) -> frozenset[str]:
    """Tables that an earlier version made with other columns, or did not have: only a rebuild fills them as today's models want.

    None in a database where no version made any yet. Columns are told by name: whoever changes a type gives another name.
    """
    there = {row["table"]: set(row["columns"]) for row in await tx.all(COLUMNS)}
    tables = {table.name: set(table.columns.keys()) for model in models for table in model.tables}
    if tables.keys().isdisjoint(there):
        return frozenset()
    return frozenset(name for name, columns in tables.items() if there.get(name) != columns)


async def write_all(tx: Tx, models: Iterable[ReadModel], recorded: Recorded[Any]) -> None:
    """Runs what every model that listens to the event writes."""
    for model in models:
        if isinstance(recorded.event, model.events):
            for statement, params in model.project(recorded):
                await tx.run(statement, params)


def tables_of(models: Iterable[ReadModel]) -> list[str]:
    """Table names, each once."""
    return list(dict.fromkeys(table.name for model in models for table in model.tables))


@asynccontextmanager
async def reading(pool: asyncpg.Pool, models: Iterable[ReadModel]) -> AsyncIterator[Tx]:
    """One consistent view of all tables. `models`: the service's, or as many as begin its list.

    The swap of a rebuild (replay.py) comes before or after it, never between: both take the first table first, here before the
    view is taken. Postgres exchanges tables for everybody at once, but not their rows: an older view would be shown what the new
    tables held when it was taken.
    """
    async with pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        for table in tables_of(models)[:1]:
            await connection.execute(f'LOCK TABLE "{table}" IN ACCESS SHARE MODE')
        yield Tx(connection)


__all__ = ["MetaData", "ReadModel", "Words", "WordsWithin", "Write", "outgrown", "reading", "tables_of", "write_all"]
