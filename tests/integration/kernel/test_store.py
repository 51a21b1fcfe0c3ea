"""Appending: one version once, all of a command or nothing, the same command id the same answer."""

import asyncio
import contextlib
import itertools
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.contracts.envelope import attribute, leaf_of
from shared.decider import Actor
from shared.errors import (
    IdempotencyMismatch,
    NotFound,
    NotReady,
    OccurredInFuture,
    StreamExists,
    TooMuchForOneRecord,
    UniqueConflict,
    VersionConflict,
)
from shared.event_store import NewEvent, append
from shared.sql import Tx
from tests.support.kernel import Assign, OpenSite, Place, Strike, Struck, Templates, a_cause, a_place, instead, until


async def test_a_command_becomes_an_event_a_queue_row_and_an_inline_row(place: Place) -> None:
    answer = await place.app.handle(OpenSite(site="a"), a_cause())
    assert (answer.stream_id, answer.version, len(answer.events)) == ("site-a", 1, 1)
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1
    assert await place.pool.fetchval("SELECT count(*) FROM work.pending") == 1
    assert await place.pool.fetchval("SELECT name FROM toy_line WHERE site = 'site-a'") == "一号井口"


async def test_each_event_names_the_leaf_before_it_in_its_stream(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    await place.app.handle(Assign(site="a", times=3), a_cause())
    bodies = [r[0] for r in await place.pool.fetch("SELECT body FROM record.event ORDER BY version")]
    assert attribute(bodies[0], "prev") is None
    for earlier, later in itertools.pairwise(bodies):
        assert attribute(later, "prev") == leaf_of(earlier).hex()
    leaves = [r[0] for r in await place.pool.fetch("SELECT leaf FROM record.event ORDER BY version")]
    assert leaves == [leaf_of(b) for b in bodies]


async def test_the_same_command_id_gets_the_first_answer(place: Place) -> None:
    cause = a_cause()
    first = await place.app.handle(OpenSite(site="a"), cause)
    again = await place.app.handle(OpenSite(site="a"), cause)
    assert again == replace(first, repeated=True)
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1


async def test_the_same_command_id_with_other_content_is_refused(place: Place) -> None:
    cause = a_cause()
    await place.app.handle(OpenSite(site="a"), cause)
    with pytest.raises(IdempotencyMismatch):
        await place.app.handle(OpenSite(site="b"), replace(cause, body_hash=b"other"))


async def test_a_refused_command_leaves_nothing_and_may_be_sent_again(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    cause = a_cause()
    with pytest.raises(StreamExists):
        await place.app.handle(OpenSite(site="a"), cause)
    assert await place.pool.fetchval("SELECT count(*) FROM work.answer WHERE command_id = $1", cause.command_id) == 0


async def test_thirty_writers_of_one_stream_all_get_through(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    writers = [_stubborn(place) for _ in range(30)]
    await asyncio.gather(*writers)
    versions = [r[0] for r in await place.pool.fetch("SELECT version FROM record.event ORDER BY version")]
    assert versions == list(range(1, 32))
    assert await place.pool.fetchval("SELECT assigned FROM toy_line") == 30


async def _stubborn(place: Place) -> None:
    cause = a_cause()
    while True:
        try:
            await place.app.handle(Assign(site="a"), cause)
        except VersionConflict:
            continue
        return


async def test_an_expected_version_that_is_gone_is_a_conflict(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    await place.app.handle(Assign(site="a"), a_cause(expected_version=1))
    with pytest.raises(VersionConflict):
        await place.app.handle(Assign(site="a"), a_cause(expected_version=1))


async def test_a_reservation_taken_by_another_stream_is_a_named_conflict(place: Place) -> None:
    await place.app.handle(OpenSite(site="a", no=7), a_cause())
    with pytest.raises(UniqueConflict):
        await place.app.handle(OpenSite(site="b", no=7), a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1


async def test_several_commands_stand_or_fall_together(place: Place) -> None:
    with pytest.raises(Struck):
        await place.app.handle_all([OpenSite(site="a"), Strike(site="a"), Assign(site="a")], a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 0


async def test_the_future_is_refused_and_the_past_is_kept(place: Place) -> None:
    now = place.clock.now()
    with pytest.raises(OccurredInFuture):
        await place.app.handle(OpenSite(site="a", occurred_at=now + timedelta(minutes=6)), a_cause())
    await place.app.handle(OpenSite(site="a", occurred_at=now - timedelta(days=9)), a_cause())
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert attribute(body, "time") == "2018-01-07T00:00:00.000000Z"
    assert attribute(body, "recordedat") == "2018-01-16T00:00:00.000000Z"


@pytest.mark.parametrize("much", [{"name": "字" * 22_000}, {"no": 2**53}], ids=["text", "number"])
async def test_what_does_not_fit_one_event_is_refused_and_leaves_nothing(place: Place, much: dict[str, Any]) -> None:
    with pytest.raises(TooMuchForOneRecord):
        await place.app.handle(OpenSite(site="a", **much), a_cause())
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 0


async def test_on_whose_behalf_stands_in_the_bytes(place: Place) -> None:
    actor = Actor("p-9", "clerk", "campaign_office", on_behalf_of="p-2", ground="no_phone")
    await place.app.handle(OpenSite(site="a"), replace(a_cause(), actor=actor))
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert attribute(body, "onbehalfof") == "p-2;no_phone"
    assert attribute(body, "inrole") == "clerk@campaign_office"


async def test_a_commit_whose_answer_was_lost_is_found_by_its_command_id(place: Place) -> None:
    """The connection dies with the commit: the second round finds the first answer and appends nothing."""
    once = place.app._once

    async def loses_the_answer(*given: Any) -> Any:
        await once(*given)
        instead(place.app, "_once", once)
        raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle of operation")

    instead(place.app, "_once", loses_the_answer)
    answer = await place.app.handle(OpenSite(site="a"), a_cause())
    assert (answer.version, answer.repeated) == (1, False), "whoever asked hears it for the first time"
    assert await place.pool.fetchval("SELECT count(*) FROM record.event") == 1


async def test_a_connection_lost_before_the_commit_is_done_again(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    blocker = await place.superuser()
    try:
        lock = blocker.transaction()
        await lock.start()
        await blocker.execute("LOCK TABLE record.event IN EXCLUSIVE MODE")
        waiting = asyncio.create_task(place.app.handle(Assign(site="a"), a_cause()))
        await asyncio.sleep(0.3)
        await _kill_connections(place)
        await lock.rollback()
        answer = await waiting
    finally:
        await blocker.close()
    assert (answer.version, answer.repeated) == (2, False)


async def test_a_deadlock_is_done_again(place: Place) -> None:
    for site in ("a", "b"):
        await place.app.handle(OpenSite(site=site, no=ord(site)), a_cause())
    pairs = [("a", "b"), ("b", "a")] * 4
    await asyncio.gather(*(_both(place, *pair) for pair in pairs))
    assert await place.pool.fetchval("SELECT sum(assigned) FROM toy_line") == 16


async def _both(place: Place, first: str, second: str) -> None:
    cause = a_cause(command_id=uuid4())
    while True:
        try:
            await place.app.handle_all([Assign(site=first), Assign(site=second)], cause)
        except VersionConflict:
            continue
        return


async def _kill_connections(place: Place) -> None:
    superuser = await place.superuser()
    try:
        await superuser.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND usename = 'cases_app'",
            place.database,
        )
    finally:
        await superuser.close()


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


async def test_a_command_sent_twice_at_once_with_a_version_gets_one_answer(place: Place) -> None:
    """The second meets the first at the stream, and is no conflict with itself."""
    await place.app.handle(OpenSite(site="a"), a_cause())
    held, execute = asyncio.Event(), place.app.execute

    async def holds(*given: Any) -> Any:
        done = await execute(*given)
        await held.wait()
        return done

    cause = a_cause(expected_version=1)
    instead(place.app, "execute", holds)
    first = asyncio.create_task(place.app.handle(Assign(site="a"), cause))
    second = asyncio.create_task(place.app.handle(Assign(site="a"), cause))
    await until(place.somebody_waits)
    held.set()
    answers = [await first, await second]
    assert {(a.version, *a.events) for a in answers} == {(2, answers[0].events[0])}
    assert sorted(a.repeated for a in answers) == [False, True]


@pytest.mark.parametrize("version", [None, 0])
async def test_a_command_sent_again_while_it_is_done_is_not_refused_for_what_it_did_itself(
    place: Place, version: int | None
) -> None:
    """The connection broke off, the first sending went on: the second looked its id up too early, and met its own site."""
    held, reached, execute = asyncio.Event(), asyncio.Event(), place.app.execute

    async def comes_late(*given: Any) -> Any:
        instead(place.app, "execute", execute)
        reached.set()
        await held.wait()
        return await execute(*given)

    cause = a_cause(expected_version=version)
    instead(place.app, "execute", comes_late)
    again = asyncio.create_task(place.app.handle(OpenSite(site="a"), cause))
    await reached.wait()
    first = await place.app.handle(OpenSite(site="a"), cause)
    held.set()
    assert await again == replace(first, repeated=True)


async def test_a_command_is_not_refused_for_what_it_did_itself_before_it_is_made(place: Place) -> None:
    """What is looked up for a command may be what the command changed when it was first sent."""
    cause = a_cause()

    async def made() -> OpenSite:
        if await place.pool.fetchval("SELECT EXISTS (SELECT FROM toy_line)"):
            raise NotFound("a place for it")
        return OpenSite(site="a")

    first = await place.app.handle_made(made, cause)
    assert await place.app.handle_made(made, cause) == replace(first, repeated=True)
    with pytest.raises(NotFound):
        await place.app.handle_made(made, a_cause())
    with pytest.raises(IdempotencyMismatch):
        await place.app.handle_made(made, replace(cause, body_hash=b"other"))


async def test_a_refusal_that_cannot_be_looked_up_is_no_refusal(place: Place) -> None:
    await place.app.handle(OpenSite(site="a"), a_cause())
    look = place.app._first_answer

    async def is_cut_off(*given: Any) -> Any:
        async def breaks(*_: Any) -> Any:
            raise asyncpg.ConnectionDoesNotExistError("x")

        instead(place.app, "_first_answer", breaks)
        return await look(*given)

    instead(place.app, "_first_answer", is_cut_off)
    with pytest.raises(NotReady):
        await place.app.handle(OpenSite(site="a"), a_cause())


@pytest.mark.parametrize(
    "error",
    [
        asyncpg.AdminShutdownError("x"),
        asyncpg.CannotConnectNowError("x"),
        asyncpg.TooManyConnectionsError("x"),
        asyncpg.ConnectionDoesNotExistError("x"),
        asyncpg.ReadOnlySQLTransactionError("x"),
        asyncpg.SerializationError("x"),
        asyncpg.InvalidCachedStatementError("x"),
        asyncpg.InterfaceError("x"),
        TimeoutError(),
    ],
    ids=lambda e: type(e).__name__,
)
async def test_what_is_the_fault_of_the_database_is_done_again(place: Place, error: Exception) -> None:
    execute = place.app.execute

    async def fails_once(*given: Any) -> Any:
        instead(place.app, "execute", execute)
        raise error

    instead(place.app, "execute", fails_once)
    answer = await place.app.handle(OpenSite(site="a"), a_cause())
    assert (answer.version, answer.repeated) == (1, False)


async def test_a_database_that_stays_away_is_said_to_be_not_ready(place: Place) -> None:
    async with place.away():
        with pytest.raises(NotReady):
            await place.app.handle(OpenSite(site="a"), a_cause())
    assert (await place.app.handle(OpenSite(site="a"), a_cause())).version == 1


async def test_a_conflict_gives_way_inside_a_transaction_that_stays_usable(place: Place) -> None:
    """No row instead of an error: what stands around the append goes on."""
    await place.app.handle(OpenSite(site="a"), a_cause())
    row = await place.pool.fetchrow("SELECT * FROM record.event")
    assert row is not None
    again = NewEvent(uuid4(), row["stream_id"], 1, row["type"], row["body"], row["recorded_at"])
    async with place.pool.acquire() as connection, connection.transaction():
        with pytest.raises(VersionConflict):
            await append(Tx(connection), [again])
        assert await connection.fetchval("SELECT count(*) FROM record.event") == 1


async def test_texts_are_sealed_in_the_bytes_and_open_in_the_inline_rows(templates: Templates) -> None:
    async with a_place(templates) as sealed:
        await sealed.app.handle(OpenSite(site="a", name="某某的矿"), a_cause())
        body = await sealed.pool.fetchval("SELECT body FROM record.event")
        assert "某某的矿".encode() not in body
        assert await sealed.pool.fetchval("SELECT name FROM toy_line") == "某某的矿"
