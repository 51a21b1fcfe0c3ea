"""What guards a record is what the migrations made; whatever else stands in its place, or beside it, is named."""

from collections.abc import AsyncIterator

import asyncpg
import pytest

from shared.audit.guards import faults, made_by_migrations
from shared.settings import SERVICES
from shared.sql import Tx
from tests.support.kernel import Templates

OTHER = """
CREATE FUNCTION record.other() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
"""
ATTACKS: dict[str, tuple[str, str]] = {
    "switched off": ("ALTER TABLE record.event DISABLE TRIGGER event_rows", "the guard event_rows is off or gone"),
    "dropped": ("DROP TRIGGER log_whole ON record.log", "the guard log_whole is off or gone"),
    "its function hollowed out": (
        "CREATE OR REPLACE FUNCTION record.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
        "the function record.refuse is another than it was made",
    ),
    "its function hollowed out, and the old text kept beside it": (
        "CREATE FUNCTION record.refuse(int) RETURNS int LANGUAGE plpgsql AS $f${refuse}$f$;"
        "CREATE OR REPLACE FUNCTION record.refuse() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'",
        "the function record.refuse is another than it was made",
    ),
    "under a condition that is never met": (
        "CREATE OR REPLACE TRIGGER event_rows BEFORE UPDATE OR DELETE ON record.event FOR EACH ROW WHEN (false) "
        "EXECUTE FUNCTION record.refuse()",
        "the guard event_rows is another than it was made",
    ),
    "against updates alone": (
        "CREATE OR REPLACE TRIGGER inbox_rows BEFORE UPDATE ON record.inbox FOR EACH ROW EXECUTE FUNCTION record.refuse()",
        "the guard inbox_rows is another than it was made",
    ),
    "against one column's updates": (
        "CREATE OR REPLACE TRIGGER file_rows BEFORE DELETE OR UPDATE OF media_type ON record.file FOR EACH ROW "
        "EXECUTE FUNCTION record.refuse()",
        "the guard file_rows is another than it was made",
    ),
    "against what has been done already": (
        "DROP TRIGGER node_rows ON record.node; CREATE TRIGGER node_rows AFTER UPDATE OR DELETE ON record.node "
        "FOR EACH ROW EXECUTE FUNCTION record.refuse()",
        "the guard node_rows is another than it was made",
    ),
    "one more that alters what is written": (
        f"{OTHER} CREATE TRIGGER helper BEFORE INSERT ON record.event FOR EACH ROW EXECUTE FUNCTION record.other()",
        "the trigger helper is none of the record's own",
    ),
    "a dismissal that may be changed": (
        "CREATE OR REPLACE TRIGGER parked_decided BEFORE UPDATE OR DELETE ON work.parked FOR EACH ROW "
        "WHEN (OLD.state IS NULL) EXECUTE FUNCTION work.refuse()",
        "the guard parked_decided is another than it was made",
    ),
    "the function that numbers": (
        "ALTER FUNCTION work.sequence_batch(bigint, int, timestamptz) RENAME TO sequence_batch_no_more",
        "the function work.sequence_batch is another than it was made, or gone",
    ),
    "a rule": (
        "CREATE RULE quiet AS ON INSERT TO record.forgotten DO INSTEAD NOTHING",
        "record.forgotten has a rule, quiet",
    ),
    "a right": ("GRANT UPDATE ON record.event TO cases_app", "cases_app may UPDATE in record.event, and must not"),
    "a right to one column": (
        "GRANT UPDATE (body) ON record.event TO cases_log",
        "cases_log may UPDATE in record.event, and must not",
    ),
    "a right that everybody has": (
        "GRANT INSERT ON record.lineage TO PUBLIC",
        "cases_log may INSERT in record.lineage, and must not",
    ),
    "the service as owner": (
        "ALTER TABLE record.log OWNER TO cases_app",
        "cases_app may TRUNCATE in record.log, and must not",
    ),
    "no trigger fires in this database": (
        "ALTER DATABASE {database} SET session_replication_role = replica",
        "no guard need act (session_replication_role)",
    ),
}


@pytest.fixture
async def database(templates: Templates) -> AsyncIterator[str]:
    """Of cases, freshly migrated, and dropped afterwards."""
    name = await templates.copy("cases")
    yield name
    await templates.drop(name)


async def found(templates: Templates, database: str, service: str = "cases") -> list[str]:
    connection = await asyncpg.connect(templates.dsn(database, f"{service}_app"))
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            return [each.en async for each in faults(Tx(connection), service)]
    finally:
        await connection.close()


@pytest.mark.parametrize("service", SERVICES)
async def test_what_the_migrations_made_is_as_they_made_it(templates: Templates, service: str) -> None:
    """So what is read from their statements is all that they do."""
    await templates.prepare()
    assert await found(templates, service, service) == []
    made, connection = made_by_migrations(service), await asyncpg.connect(templates.dsn(service))
    try:
        for table in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'record'"):
            for kind in ("rows", "whole"):
                assert f"{table[0]} {table[0]}_{kind}" in made.triggers
        for table, role, privilege in made.rights:
            assert await connection.fetchval("SELECT has_table_privilege($1, $2, $3)", role, table, privilege)
    finally:
        await connection.close()


@pytest.mark.parametrize("what", ATTACKS)
async def test_what_was_done_to_a_guard_is_named(templates: Templates, database: str, what: str) -> None:
    change, words = ATTACKS[what]
    refuse = made_by_migrations("cases").functions["record.refuse"]
    await templates.run(change.replace("{database}", database).replace("{refuse}", refuse), database)
    said = await found(templates, database)
    assert any(words in each for each in said), said


async def test_a_role_that_may_keep_triggers_from_firing_is_named(templates: Templates, database: str) -> None:
    """A right of the whole server, given back afterwards."""
    await templates.run("GRANT SET ON PARAMETER session_replication_role TO cases_app")
    try:
        assert await found(templates, database) == ["for cases_app no guard need act (session_replication_role)"]
    finally:
        await templates.run("REVOKE SET ON PARAMETER session_replication_role FROM cases_app")


async def test_a_role_that_became_the_owner_by_the_way_is_named(templates: Templates, database: str) -> None:
    await templates.run("GRANT cases_owner TO cases_log")
    try:
        assert "cases_log may DELETE in record.event, and must not" in await found(templates, database)
    finally:
        await templates.run("REVOKE cases_owner FROM cases_log")
