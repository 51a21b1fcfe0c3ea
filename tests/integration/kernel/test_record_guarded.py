"""Who may do what in a database: nobody changes the record, and each role does its own work only."""

import contextlib

import asyncpg
import pytest

from tests.support.kernel import OpenSite, Place, a_cause

COLUMN = {
    "event": "body",
    "inbox": "body",
    "log": "leaf",
    "lineage": "since",
    "file": "stored_at",
    "forgotten": "shared",
    "node": "hash",
    "checkpoint": "note",
    "cosignature": "line",
}
FORBIDDEN = [
    statement
    for table, column in COLUMN.items()
    for statement in (
        f"UPDATE record.{table} SET {column} = {column}",
        f"DELETE FROM record.{table}",
        f"TRUNCATE record.{table} CASCADE",
        f"DROP TABLE record.{table} CASCADE",
        f"ALTER TABLE record.{table} DISABLE TRIGGER ALL",
        f"GRANT ALL ON record.{table} TO PUBLIC",
    )
]
GRANTED_TO_ALL = """
SELECT count(*) FROM pg_class, aclexplode(relacl) AS granted WHERE relnamespace = 'record'::regnamespace AND granted.grantee = 0
"""


async def test_no_table_of_the_record_is_left_out(place: Place) -> None:
    tables = await place.pool.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'record'::regnamespace"
    )
    assert {row["relname"] for row in tables} == set(COLUMN)


@pytest.mark.parametrize("statement", FORBIDDEN)
@pytest.mark.parametrize("role", ["cases_app", "cases_log"])
async def test_no_running_role_may_change_the_record(place: Place, statement: str, role: str) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    connection = await asyncpg.connect(place.templates.dsn(place.database, role))
    try:
        if statement.startswith("GRANT"):
            # A role that may do something with the table is only warned that nothing was granted.
            with contextlib.suppress(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
            assert await connection.fetchval(GRANTED_TO_ALL) == 0
        else:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
    finally:
        await connection.close()


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE record.event SET type = 'x'",
        "DELETE FROM record.event",
        "TRUNCATE record.event CASCADE",
        "TRUNCATE record.checkpoint CASCADE",
        "TRUNCATE record.cosignature",
    ],
)
async def test_the_triggers_refuse_even_the_owner(place: Place, statement: str) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    connection = await asyncpg.connect(place.templates.dsn(place.database, "cases_owner"))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError, match="never changed"):
            await connection.execute(statement)
    finally:
        await connection.close()


INSERT_EVENT = """INSERT INTO record.event (event_id, stream_id, version, type, body, recorded_at)
VALUES (gen_random_uuid(), 'x', 1, 'x', 'x', now())"""
FORBIDDEN_WORK = [
    ("cases_app", "DELETE FROM work.pending"),
    ("cases_app", "UPDATE work.pending SET ingest_id = 0"),
    ("cases_app", "UPDATE work.head SET position = 0"),
    ("cases_app", "DELETE FROM work.mark"),
    ("cases_app", "UPDATE work.answer SET version = 0"),
    ("cases_app", "SELECT work.sequence_batch(0, 1, now())"),
    ("cases_app", "INSERT INTO record.log SELECT 1, event_id, leaf, now() FROM record.event"),
    ("cases_app", "INSERT INTO record.node VALUES (1, 0, sha256('x'))"),
    ("cases_log", "INSERT INTO record.checkpoint VALUES ('x', 1, sha256('x'), 'x')"),
    ("cases_app", "INSERT INTO record.lineage (lineage, from_position) VALUES (gen_random_uuid(), 0)"),
    ("cases_app", "INSERT INTO record.forgotten VALUES ('cases', gen_random_uuid(), 0)"),
    ("cases_app", "CREATE TABLE work.mine (x int)"),
    ("cases_app", "CREATE TABLE record.mine (x int)"),
    ("cases_app", "CREATE TABLE public.mine (x int)"),
    ("cases_log", INSERT_EVENT),
    ("cases_log", "INSERT INTO work.pending VALUES (1, gen_random_uuid())"),
    ("cases_log", "INSERT INTO record.inbox VALUES ('x', gen_random_uuid(), 1, 'x', 'x')"),
    ("cases_log", "SELECT FROM work.answer"),
    ("cases_log", "DELETE FROM work.head"),
]


@pytest.mark.parametrize(("role", "statement"), FORBIDDEN_WORK)
async def test_each_role_may_do_its_own_work_only(place: Place, role: str, statement: str) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    connection = await asyncpg.connect(place.templates.dsn(place.database, role))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()
