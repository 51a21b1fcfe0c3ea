"""A command that is sent again, or done again for what the database did, has one answer and is done once."""

import asyncio
from dataclasses import replace
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from shared.errors import (
    IdempotencyMismatch,
    NotFound,
    NotReady,
    StreamExists,
    VersionConflict,
)
from tests.support.kernel import Assign, OpenSite, Place, a_cause, instead, until


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
