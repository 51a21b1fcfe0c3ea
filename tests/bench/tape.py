"""The statements of one command as they went to Postgres, to be sent once more with every id made new."""

import itertools
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID, uuid4

import asyncpg
from asyncpg.connection import LoggedQuery
from asyncpg.pool import PoolConnectionProxy

NUMBERS = itertools.count(1_000_000)
"""Numbers that are reserved, for commands and tapes alike: from here on they are taken to be one."""
UUIDS = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Statement:
    """`on`: the name of the database it goes to."""

    on: str
    sql: str
    args: tuple[Any, ...]


@dataclass
class Tape:
    statements: list[Statement] = field(default_factory=list)

    def listen(self, on: str, connection: asyncpg.Connection | PoolConnectionProxy) -> None:
        """Records what goes over this connection from now on."""

        def note(query: LoggedQuery) -> None:
            self.statements.append(Statement(on, query.query, tuple(query.args or ())))

        connection.add_query_logger(note)

    def again(self) -> list[Statement]:
        """The same with other ids and numbers: whoever stood for one id before stands for one id again."""
        ids: dict[str, str] = {}
        for text in _ids_in(self.statements):
            ids.setdefault(text, str(uuid4()))
        number = next(NUMBERS)
        return [Statement(s.on, s.sql, tuple(_renewed(arg, ids, number) for arg in s.args)) for s in self.statements]

    def named(self) -> list[str]:
        """One line each: database, and how the statement begins."""
        return [f"{s.on}: {' '.join(s.sql.split())[:90]}" for s in self.statements]


async def played(statements: list[Statement], links: dict[str, asyncpg.Connection]) -> None:
    """One after the other, as they were."""
    for statement in statements:
        if statement.args:
            await links[statement.on].fetch(statement.sql, *statement.args)
        else:
            await links[statement.on].execute(statement.sql)


def _ids_in(statements: list[Statement]) -> Iterator[str]:
    for statement in statements:
        for arg in statement.args:
            for one in arg if isinstance(arg, list) else [arg]:
                if isinstance(one, str | UUID):
                    yield from UUIDS.findall(str(one))


def _renewed(arg: Any, ids: dict[str, str], number: int) -> Any:
    """`arg` with each known id replaced, inside texts and bytes as well."""
    match arg:
        case list():
            return [_renewed(one, ids, number) for one in arg]
        case UUID():
            return UUID(ids[str(arg)])
        case str():
            for old, new in ids.items():
                arg = arg.replace(old, new)
        case bytes():
            for old, new in ids.items():
                arg = arg.replace(old.encode(), new.encode())
        case int() if arg >= 1_000_000:
            return number
    return arg
