"""Core statements become SQL and values in order, and a parameter that was forgotten is no NULL."""

from typing import Any

import pytest
from sqlalchemy import Column, Integer, MetaData, Table, Text, bindparam, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.sql import Tx

T = Table("t", MetaData(), Column("a", Text, primary_key=True), Column("b", Integer))


class Said:
    """A connection that keeps what it is told."""

    def __init__(self, status: str = "INSERT 0 1") -> None:
        self.status = status
        self.told: tuple[Any, ...] = ()

    async def execute(self, *told: Any) -> str:
        self.told = told
        return self.status

    async def fetchrow(self, *told: Any) -> None:
        self.told = told


def a_tx(said: Said) -> Tx:
    connection: Any = said
    return Tx(connection)


async def test_values_stand_in_the_order_of_their_places() -> None:
    said = Said()
    await a_tx(said).run(update(T).where(T.c.a == bindparam("of")).values(b=bindparam("to")), {"of": "x", "to": 2})
    sql, *values = said.told
    assert values == [2, "x"]
    assert sql.index("$1") < sql.index("$2")


async def test_a_list_is_spread_out() -> None:
    said = Said()
    await a_tx(said).one(
        select(T).where(T.c.a.in_(bindparam("some", expanding=True)), T.c.b == 3), {"some": ["x", "y"]}
    )
    sql, *values = said.told
    assert sorted(map(str, values)) == ["3", "x", "y"] and "$3" in sql


async def test_plain_sql_takes_its_values_as_they_are() -> None:
    said = Said()
    await a_tx(said).run("SELECT $1", (7,))
    assert said.told == ("SELECT $1", 7)


@pytest.mark.parametrize("given", [{}, {"a": "x"}, {"a": "x", "bb": 2}])
async def test_a_parameter_that_is_not_given_is_refused(given: dict[str, object]) -> None:
    put = insert(T).values(a=bindparam("a"), b=bindparam("b"))
    with pytest.raises(TypeError, match=r"not given: .*b"):
        await a_tx(Said()).run(put, given)


async def test_a_core_statement_takes_no_list() -> None:
    with pytest.raises(TypeError, match="by name"):
        await a_tx(Said()).run(select(T), (1,))


@pytest.mark.parametrize(("status", "rows"), [("INSERT 0 3", 3), ("UPDATE 0", 0), ("SELECT 5", 5), ("CREATE TABLE", 0)])
async def test_the_number_of_rows_is_read_from_the_status(status: str, rows: int) -> None:
    assert await a_tx(Said(status)).run("x") == rows


async def test_nothing_found_is_none() -> None:
    assert await a_tx(Said()).value("SELECT 1") is None
