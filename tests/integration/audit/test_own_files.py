"""Files that events name: exchanged, emptied or deleted, they are neither given out nor left unnamed; an erasure is no fault."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from uuid import uuid4

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.audit.own_files import faults
from shared.audit.own_keys import OwnKeys
from shared.errors import NotFound
from shared.files import FileAltered, Files, kept_for
from shared.sql import Tx
from tests.support.services import Ground, Town, a_service
from tests.support.town import eventually

GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="phone" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="37.9000000" lon="112.1000000"/><trkpt lat="37.90{n}0000" lon="112.1010000"/>
</trkseg></trk></gpx>"""
EXCHANGED = """
UPDATE record.file f SET content = o.content, stream_id = o.stream_id FROM record.file o WHERE f.sha256 <> o.sha256
"""
SPOILED, UNCOMMITTED = (
    f"UPDATE record.file SET content = overlay(content PLACING '\\x00ff'::bytea FROM {at})" for at in (100, 60)
)
OF_NO_KEY = (
    "UPDATE record.file SET content = overlay(content PLACING convert_to(gen_random_uuid()::text, 'UTF8') FROM 2)"
)
NO_UUID = "UPDATE record.file SET content = overlay(content PLACING '\\xff'::bytea FROM 2)"
NO_FORM = "UPDATE record.file SET content = overlay(content PLACING '\\x03'::bytea FROM 1)"
EMPTY = "UPDATE record.file SET content = ''"


ERASE = "UPDATE public.key SET wrapped = NULL, sealing = false, destroyed_at = now() WHERE subject = '{stream}'"


@dataclass(frozen=True)
class Kept:
    """Two patrols, each with its route; `routes`: their files' SHA-256."""

    ground: Ground
    town: Town
    routes: tuple[str, ...]

    async def forced(self, sql: str, of_keys: bool = False) -> None:
        """As superuser, past every trigger. What this process remembers of keys is forgotten."""
        service = self.town.services["intake"]
        dsn = service.settings.keys_dsn if of_keys else service.settings.app_dsn
        await self.ground.templates.run(f"SET session_replication_role = replica; {sql}", dsn.rsplit("/", 1)[1])
        service.sealer.keys.forget()

    async def as_before(self, sha256: str, content: bytes) -> str:
        """What puts `content` there as 0.1 would have kept it: of the patrol's own stream; key id, nonce, ciphertext, and no
        commitment."""
        service, stream = self.town.services["intake"], await self.patrol(sha256)
        key = await service.sealer.keys.sealing_key(stream, "office", stream)
        old = key.key_id.encode() + bytes(12) + AESGCM(key.secret).encrypt(bytes(12), content, stream.encode())
        return f"UPDATE record.file SET content = '\\x{old.hex()}', stream_id = '{stream}' WHERE sha256 = '{sha256}'"

    async def patrol(self, sha256: str) -> str:
        """The stream of the patrol that names it."""
        rows = await self.town.services["intake"].pool.fetch("SELECT stream_id, body FROM record.event")
        return next(str(row["stream_id"]) for row in rows if sha256 in kept_for(row["body"]))

    async def plain(self, sha256: str) -> bytes:
        service = self.town.services["intake"]
        async with service.pool.acquire() as connection:
            return (await Files(service.sealer).get(Tx(connection), sha256))[1]

    async def found(self) -> set[tuple[str, str]]:
        """(which file, in what words)."""
        service = self.town.services["intake"]
        bodies = [row[0] for row in await service.pool.fetch("SELECT body FROM record.event ORDER BY ingest_id")]
        named = {sha256: nth for nth, body in enumerate(bodies, 1) for sha256 in kept_for(body)}
        assert set(named) == set(self.routes)
        keys = OwnKeys(service.pool, service.keys_pool)
        async with service.pool.acquire() as connection:
            said = [each async for each in faults(Tx(connection), Files(service.sealer), keys, named)]
        words = [
            each.en.removeprefix("the file ").partition(" ") for each in (*said, *[one async for one in keys.faults()])
        ]
        return {(sha256, what) for sha256, _, what in words}

    async def opens(self, sha256: str) -> None:
        service = self.town.services["intake"]
        async with service.pool.acquire() as connection:
            await Files(service.sealer).get(Tx(connection), sha256)


@pytest.fixture
async def kept(ground: Ground) -> AsyncIterator[Kept]:
    async with a_service(ground, "intake") as town:
        for nth in (1, 2):
            record = {
                "village": "140181101207",
                "unit": "dulan",
                "patrol_class": town.plan.codes("patrol_class")[0],
                "started_at": "2018-01-22T08:00:00+08:00",
                "ended_at": "2018-01-22T08:30:00+08:00",
                "members": ["p-village_head-dulan"],
                "gpx": GPX.replace("{n}", str(nth)),
                "no_finding": True,
                "handling": town.plan.codes("handling")[0],
            }
            await town.post(f"/intake/v1/patrols/{uuid4()}/record", record, town.headers("village_head", "dulan"))
        await town.settled()
        rows = await town.services["intake"].pool.fetch("SELECT sha256 FROM record.file ORDER BY 1")
        yield Kept(ground, town, tuple(row[0] for row in rows))


async def test_files_as_they_were_kept_are_no_fault(kept: Kept) -> None:
    assert len(kept.routes) == 2 and await kept.found() == set()


async def test_two_that_changed_places_are_named_and_not_given_out(kept: Kept) -> None:
    """Each opens: it is sealed for the stream that stands beside it."""
    await kept.forced(EXCHANGED)
    assert await kept.found() == {(route, "holds other bytes") for route in kept.routes}
    for route in kept.routes:
        with pytest.raises(FileAltered, match=route):
            await kept.opens(route)
    patrol = await kept.town.services["intake"].pool.fetchval(
        "SELECT max(stream_id) FROM record.event WHERE type LIKE '%recorded%'"
    )
    path = f"/intake/v1/patrols/{patrol.removeprefix('patrol-')}/route.gpx"
    answer = await kept.town.http.get(path, headers=kept.town.headers("village_head", "dulan"))
    assert answer.status_code == 500 and "已被改动" in answer.text


@pytest.mark.parametrize("change", [SPOILED, UNCOMMITTED, OF_NO_KEY, NO_UUID, NO_FORM, EMPTY])
async def test_what_does_not_open_is_named(kept: Kept, change: str) -> None:
    await kept.forced(f"{change} WHERE sha256 = '{kept.routes[0]}'")
    ((route, words),) = await kept.found()
    gone = "does not open: its key " if change == OF_NO_KEY else "does not open, and no key of it is gone"
    assert route == kept.routes[0] and words.startswith(gone)


async def test_one_that_was_deleted_is_named(kept: Kept) -> None:
    await kept.forced(f"DELETE FROM record.file WHERE sha256 = '{kept.routes[1]}'")
    assert await kept.found() == {(kept.routes[1], "is gone")}


async def test_a_key_that_was_destroyed_by_hand_is_a_fault(kept: Kept) -> None:
    route = kept.routes[0]
    stream = await kept.town.services["intake"].pool.fetchval(
        "SELECT stream_id FROM record.file WHERE sha256 = $1", route
    )
    await kept.forced(ERASE.format(stream=stream), of_keys=True)
    with pytest.raises(NotFound):
        await kept.opens(route)
    ((which, words),) = await kept.found()
    assert which == route and "the record tells of no such erasure" in words


async def test_one_that_two_persons_erased_is_no_fault_and_no_excuse_for_another_file(kept: Kept) -> None:
    """Kept in its patrol's stream, as before 0.2, it went with the patrol's words."""
    first, second = kept.routes
    await kept.forced(await kept.as_before(first, await kept.plain(first)))
    town, patrol = kept.town, await kept.patrol(first)
    asked, path = {"record": patrol, "ground": "names_person", "grounds": "名字"}, "/intake/v1/words-erasures"
    await town.post(path, asked, town.headers("clerk"))
    await town.post(f"{path}/{patrol}/approval", {}, town.headers("group_leader"))

    async def is_erased() -> bool:
        return bool((await town.get(f"{path}/{patrol}", town.headers("clerk")))["state"] == "erased")

    assert await eventually(is_erased, 30)
    with pytest.raises(NotFound):
        await kept.opens(first)
    assert await kept.found() == set()
    await kept.forced(
        "UPDATE record.file f SET content = o.content, stream_id = o.stream_id FROM record.file o "
        f"WHERE f.sha256 = '{second}' AND o.sha256 = '{first}'"
    )
    ((route, words),) = await kept.found()
    assert route == second and words.startswith("does not open")


async def test_files_of_before_go_on_opening_and_stand_in_for_nothing_else(kept: Kept) -> None:
    """Whoever has the key can seal anything the way it was done before 0.2; the event still names the bytes."""
    first, second = kept.routes
    plain = [await kept.plain(sha256) for sha256 in kept.routes]
    await kept.forced(await kept.as_before(first, plain[0]))
    assert await kept.found() == set()
    await kept.opens(first)
    await kept.forced(await kept.as_before(second, plain[1] + b" "))
    assert await kept.found() == {(second, "holds other bytes")}
    with pytest.raises(FileAltered):
        await kept.opens(second)
