"""SQLAlchemy Core says it, asyncpg runs it.

Read models declare tables and statements in Core; the kernel's own hot statements are plain SQL. Both go through one asyncpg
connection, because the driver's own calls cost a third of what a second layer around them costs (docs/adr/0004).
"""

import functools
from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg
from asyncpg.pool import PoolConnectionProxy
from sqlalchemy import Executable
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.sql import visitors
from sqlalchemy.sql.elements import BindParameter, ClauseElement

_DIALECT = PGDialect_asyncpg()  # type: ignore[no-untyped-call]

Statement = Executable | str
Params = Mapping[str, Any] | Sequence[Any]


class _Compiled:
    """A statement's SQL, the names of its parameters in order, and how each value is prepared for the driver."""

    def __init__(self, statement: ClauseElement) -> None:
        compiled: Any = statement.compile(dialect=_DIALECT)
        self._compiled = compiled
        self._defaults: dict[str, Any] = compiled.construct_params(_check=False)
        binds = (part for part in visitors.iterate(statement) if isinstance(part, BindParameter))
        self._required = {bind.key for bind in binds if bind.required}
        self._expands = bool(compiled.post_compile_params)
        self._sql = str(compiled)
        self._slots = [] if self._expands else self._slots_of(compiled.positiontup or ())

    def _slots_of(self, names: Sequence[str]) -> list[tuple[str, Any]]:
        binds = self._compiled.binds
        return [(name, binds[name].type.dialect_impl(_DIALECT).bind_processor(_DIALECT)) for name in names]

    def ready(self, params: Mapping[str, Any]) -> tuple[str, list[Any]]:
        """SQL and values in order. A list for IN is spread out here. Raises TypeError for a parameter that is not given: it would
        be written as NULL."""
        if missing := self._required - params.keys():
            raise TypeError(f"parameters not given: {', '.join(sorted(missing))}")
        given = {**self._defaults, **params}
        if self._expands:
            state = self._compiled.construct_expanded_state(given)
            return state.statement, [state.parameters[name] for name in state.positiontup]
        return self._sql, [prepare(given[name]) if prepare else given[name] for name, prepare in self._slots]


@functools.lru_cache(maxsize=2048)
def _kept(statement: ClauseElement) -> _Compiled:
    return _Compiled(statement)


class Tx:
    """One asyncpg connection inside one transaction (or reading outside one)."""

    def __init__(self, connection: asyncpg.Connection | PoolConnectionProxy) -> None:
        self.connection = connection

    def _ready(self, statement: Statement, params: Params) -> tuple[str, Sequence[Any]]:
        if isinstance(statement, str):
            return statement, list(params)
        if not isinstance(params, Mapping):
            if params:
                raise TypeError("a Core statement takes its parameters by name")
            params = {}
        assert isinstance(statement, ClauseElement)
        return _kept(statement).ready(params)

    async def run(self, statement: Statement, params: Params = ()) -> int:
        """Runs it; the number of rows it touched."""
        sql, values = self._ready(statement, params)
        status: str = await self.connection.execute(sql, *values)
        tail = status.rsplit(" ", 1)[-1]
        return int(tail) if tail.isdigit() else 0

    async def all(self, statement: Statement, params: Params = ()) -> list[asyncpg.Record]:
        sql, values = self._ready(statement, params)
        return list(await self.connection.fetch(sql, *values))

    async def one(self, statement: Statement, params: Params = ()) -> asyncpg.Record | None:
        sql, values = self._ready(statement, params)
        return await self.connection.fetchrow(sql, *values)

    async def value(self, statement: Statement, params: Params = ()) -> Any:
        """The first column of the first row, or None."""
        row = await self.one(statement, params)
        return row[0] if row is not None else None
