"""One restore at a time on a server, and none says that it is whole which another may have touched."""

import asyncpg
import pytest

from shared.errors import NotReady
from shared.half_restored import alone_on, mark, restored_from, unmark
from tests.support.servers import PostgresAddress


async def test_two_that_were_told_of_other_databases_of_one_server_see_each_other(server: PostgresAddress) -> None:
    other = server.dsn("template1", server.superuser, server.password)
    async with alone_on(other):
        with pytest.raises(NotReady, match="Another restore is at work on this server"):
            async with alone_on(server.superuser_dsn):
                pass
    async with alone_on(server.superuser_dsn):
        pass


async def test_who_lost_the_lock_on_the_way_leaves_the_mark(server: PostgresAddress) -> None:
    """The server was restarted, or somebody ended its connection, and another restore may have begun."""
    other = await asyncpg.connect(server.superuser_dsn)
    await other.execute('CREATE DATABASE "half"')
    half = server.dsn("half", server.superuser, server.password)

    async def marked() -> str:
        connection = await asyncpg.connect(half)
        try:
            return await restored_from(connection)
        finally:
            await connection.close()

    async with alone_on(server.superuser_dsn) as alone:
        await mark(alone, ["half"], "/backups/of today")
        assert await marked() == "/backups/of today"
        await other.execute("SELECT pg_terminate_backend($1)", alone.get_server_pid())
        async with alone_on(server.superuser_dsn) as another:
            with pytest.raises(NotReady, match="another restore may have begun since"):
                await unmark(alone, ["half"])
            assert await marked() == "/backups/of today"
            await unmark(another, ["half"])
    assert await marked() == ""
    await other.close()
