"""The drill: a town is backed up while it writes, writes on, erases somebody, and loses everything. Then it is put back."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
import pytest
from nats.js import JetStreamContext

from shared.backup.key_rows import KeyFile
from shared.backup.load import load_service
from shared.backup.manifest import KEYS, BackupRefused, Manifest
from shared.backup.restore import Proven, Restored, erase, prove, put_back
from shared.contracts.intake.informant import InformantErased
from shared.contracts.intake.tip import TipReceived
from shared.contracts.intake.words import WordsErased
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper, WrongMasterKey
from shared.proving import inclusion_proof
from shared.settings import SERVICES
from shared.sql import Tx
from shared.stream import LINEAGE, connect, stream_name
from shared.transparency.checking import check_inclusion
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from tests.support.backups import WRAPPER, BackedUp, Empty, a_town_to_back_up, empty_databases, stopped
from tests.support.kernel import until
from tests.support.postgres_tools import tool
from tests.support.services import Ground, Town

CUSTODIANS = "SELECT DISTINCT subject FROM public.key WHERE audience = 'custodian' AND wrapped IS NOT NULL"
LEFT = "SELECT count(*) FILTER (WHERE wrapped IS NOT NULL), count(*) FROM public.key WHERE subject = $1"


@dataclass
class Drill:
    """What is left: `bodies` of the lost town by service, the backup, the last checkpoint that the witnesses hold of intake, and
    `worded`: ids of the key whose texts were erased after the backup, and of the one its record went on with;
    what was proven while the streams still stood."""

    lost: BackedUp
    bodies: dict[str, list[bytes]]
    backup: Path
    last: Path
    erased: str
    worded: tuple[str, str]
    receipt: str
    proven: Proven
    place: Empty
    restored: Restored

    @property
    def end(self) -> int:
        return self.proven.manifest.services["intake"].position


@pytest.fixture(scope="module")
async def drill(ground: Ground, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Drill]:
    async with (
        a_town_to_back_up(ground, tmp_path_factory.mktemp("drill")) as lost,
        empty_databases(ground) as place,
        connected(ground) as js,
    ):
        receipt = (await lost.town.post("/intake/v1/public/tips", {"words": "沟里有新坑"}))["receipt"]
        await lost.a_tip(anonymous=False, name="程晓岚", contact="13912345678")
        old = await lost.town.services["cases"].sealer.keys.sealing_key(RECORD, "office", RECORD)
        await lost.town.settled(60)
        await lost.signed("intake")
        backup = await backed_up_while_it_writes(lost)
        for _ in range(4):
            await lost.a_tip()
        erased = await informant_erased(lost)
        worded = old.key_id, await words_erased(lost)
        await lost.town.settled(60)
        last = await lost.signed("intake")
        bodies = {name: await lost.bodies(name) for name in SERVICES}
        await stopped(lost)
        proven = await prove(backup, policy=lost.policy("intake"), checkpoints=[last], also=[ground.nats.url])
        for name in SERVICES:
            await js.delete_stream(stream_name(lost.jurisdiction, name))
        restored = await put_back(proven, place.dsn, wrapper=WRAPPER)
        yield Drill(lost, bodies, backup, last, erased, worded, receipt, proven, place, restored)


@asynccontextmanager
async def connected(ground: Ground) -> AsyncIterator[JetStreamContext]:
    """As somebody who is no service."""
    nc = await connect(ground.nats.url, "drill")
    try:
        yield nc.jetstream()
    finally:
        await nc.close()


async def backed_up_while_it_writes(lost: BackedUp) -> Path:
    written: list[None] = []

    async def writes() -> None:
        while True:
            await lost.a_tip()
            written.append(None)

    writer = asyncio.create_task(writes())
    await until(lambda: len(written) > 2, 60)
    before = len(written)
    backup = await lost.backup("yesterday")
    await until(lambda: len(written) > before, 60)
    writer.cancel()
    return backup


async def informant_erased(lost: BackedUp) -> str:
    """The subject. Its keys are destroyed and then it is said, as intake does it."""
    pool = await asyncpg.create_pool(lost.dsn("keys"), min_size=1, max_size=1)
    (subject,) = [row[0] for row in await pool.fetch(CUSTODIANS)]
    assert await KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"})).destroy(subject)
    await pool.close()
    stream = await lost.town.services["intake"].pool.fetchval(
        "SELECT stream_id FROM record.event WHERE type = $1 ORDER BY ingest_id OFFSET 1 LIMIT 1", TipReceived.type
    )
    await lost.says("intake", stream, InformantErased(subject=subject))
    return str(subject)


RECORD = "hazard-that-names-somebody"


async def words_erased(lost: BackedUp) -> str:
    """The id of the key that the record goes on with. Destroyed, said and gone on, as intake and cases do it."""
    pool = await asyncpg.create_pool(lost.dsn("keys"), min_size=1, max_size=1)
    custodian = KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"}))
    retired = await custodian.retire([RECORD], "an erasure")
    await custodian.destroy(RECORD)
    await lost.says("intake", f"words-{RECORD}", WordsErased(subject=RECORD, keys=retired[RECORD]))
    await pool.close()
    cases = lost.town.services["cases"].sealer.keys
    cases.forget(RECORD)
    return (await cases.sealing_key(RECORD, "office", RECORD)).key_id


@pytest.fixture(scope="module")
async def restored_town(drill: Drill) -> AsyncIterator[Town]:
    async with drill.place.town(drill.lost) as town:
        await town.settled(60)
        yield town


# ------------------------------------------------------------------------------------------------------- before it starts


def test_it_says_exactly_what_is_missing_and_where_it_still_stands(drill: Drill) -> None:
    lack = next(each for each in drill.proven.lacks if each.service == "intake")
    end, known = drill.end, len(drill.bodies["intake"])
    assert 0 < end < known
    assert lack.proven == end, "the streams had all that lay between: the backup is proven to its last event"
    lines = list(lack.lines())
    assert (
        f"the backup ends at position {end} of {known}" in lines[0] and f"; {known - end} facts are missing" in lines[0]
    )
    listed = [line.split() for line in lines if " stands in " in line]
    assert [(int(words[0]), words[1]) for words in listed] == [
        (position, event_id(drill.bodies["intake"][position - 1])) for position in range(end + 1, known + 1)
    ]
    assert not any("nowhere" in line for line in lines)
    assert any(InformantErased.type in line for line in lines)


async def test_every_database_is_what_a_fresh_one_is_but_for_its_rows(drill: Drill) -> None:
    """Guards, triggers, grants, owners, sequences: what Postgres itself writes about them, word for word."""
    async with empty_databases(drill.lost.ground) as fresh:
        for name in (*SERVICES, "keys"):
            assert schema(drill.place.superuser(name)) == schema(fresh.superuser(name)), name


async def test_the_record_refuses_every_change_again(drill: Drill) -> None:
    for name in SERVICES:
        owner = await asyncpg.connect(drill.place.dsn(name))
        try:
            for table in ("event", "log", "lineage", "inbox", "checkpoint", "node", "file", "forgotten", "cosignature"):
                with pytest.raises(asyncpg.InsufficientPrivilegeError):
                    await owner.execute(f"TRUNCATE record.{table} CASCADE")
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await owner.execute("DELETE FROM record.lineage")
        finally:
            await owner.close()


async def test_who_was_erased_after_the_backup_stays_erased(drill: Drill) -> None:
    """The copy of the keys still has what opens; no row of the restored store ever had."""
    copy = KeyFile.read(drill.backup / KEYS)
    at = {column: nth for nth, column in enumerate(copy.columns)}
    of_subject = [fields for fields in copy.each() if fields[at["subject"]] == drill.erased.encode()]
    assert of_subject and all(fields[at["wrapped"]] != b"\\N" for fields in of_subject)
    keys = await asyncpg.connect(drill.place.superuser("keys"))
    try:
        assert tuple(await keys.fetchrow(LEFT, drill.erased) or ()) == (0, len(of_subject))
        assert tuple(await keys.fetchrow(LEFT, RECORD) or ()) == (0, 1)
        others = await keys.fetchval("SELECT count(*) FROM public.key WHERE wrapped IS NOT NULL")
    finally:
        await keys.close()
    assert drill.restored.erased_again == len(of_subject) + 1
    assert others == copy.rows - len(of_subject) - 1 - sum(1 for _ in copy.destroyed()) > 0
    assert drill.proven.erasures.subjects[drill.erased].where.startswith("the stream of intake")


async def test_a_key_store_that_lives_on_loses_the_keys_of_erased_words_and_keeps_what_the_record_went_on_with(
    drill: Drill,
) -> None:
    (told,) = drill.proven.erasures.words.values()
    assert told.subject == RECORD and told in drill.proven.erasures.told()
    old, new = drill.worded
    keys = await asyncpg.connect(drill.lost.dsn("keys"))
    try:
        await keys.execute("UPDATE key SET wrapped = 'x', destroyed_at = NULL WHERE key_id = $1::uuid", old)
        assert await erase(drill.lost.dsn("keys"), drill.proven.erasures) == 1
        left = await keys.fetch("SELECT key_id FROM key WHERE subject = $1 AND wrapped IS NOT NULL", RECORD)
        assert [str(row[0]) for row in left] == [new]
    finally:
        await keys.close()


async def test_a_place_that_is_not_empty_is_refused(drill: Drill) -> None:
    with pytest.raises(BackupRefused, match="intake is not empty"):
        await put_back(drill.proven, drill.place.dsn, wrapper=WRAPPER)


async def test_a_place_that_somebody_uses_is_refused(drill: Drill) -> None:
    async with empty_databases(drill.lost.ground, "cases") as place:
        other = await asyncpg.connect(place.superuser("cases"))
        try:
            with pytest.raises(BackupRefused, match="stop every service"):
                await put_back(drill.proven, place.dsn, services=["cases"], with_keys=False)
        finally:
            await other.close()


async def test_another_master_key_is_noticed_and_nothing_is_put_in(drill: Drill) -> None:
    other = EnvironmentWrapper("A" * 43 + "=")
    async with empty_databases(drill.lost.ground, "intake", "keys") as place:
        with pytest.raises(WrongMasterKey):
            await put_back(drill.proven, place.dsn, services=["intake"], wrapper=other)
        for name, table in (("keys", "public.key"), ("intake", "record.event")):
            connection = await asyncpg.connect(place.superuser(name))
            assert await connection.fetchval(f"SELECT count(*) FROM {table}") == 0
            await connection.close()


async def test_an_older_backup_is_brought_to_todays_step(drill: Drill) -> None:
    """As step 0003 would have given it: without the tables that came later."""
    part = Manifest.read(drill.backup).services["intake"]
    tables = tuple(table for table in part.tables if table.name not in ("record.checkpoint", "record.cosignature"))
    async with empty_databases(drill.lost.ground, "intake") as place:
        await load_service(drill.backup, "intake", replace(part, step="0003", tables=tables), place.dsn("intake"))
        assert schema(place.superuser("intake")) == schema(drill.place.superuser("intake"))
        connection = await asyncpg.connect(place.superuser("intake"))
        assert await connection.fetchval("SELECT count(*) FROM record.log") == part.position
        await connection.close()
    with pytest.raises(BackupRefused, match="install a newer one"):
        await load_service(drill.backup, "intake", replace(part, step="9999"), "postgresql://nobody@127.0.0.1:1/none")


# ---------------------------------------------------------------------------------------------------------- and afterwards


async def test_all_events_are_there_in_their_order_and_provable(drill: Drill, restored_town: Town) -> None:
    for name, service in restored_town.services.items():
        end = drill.proven.manifest.services[name].position
        rows = await service.pool.fetch(
            "SELECT body FROM record.log JOIN record.event USING (event_id) WHERE position <= $1 ORDER BY position", end
        )
        assert [row["body"] for row in rows] == drill.bodies[name][:end]
    written = drill.proven.manifest.services["intake"].checkpoint
    assert written is not None
    signed = Checkpoint.read(Note.read(written.encode()).text)
    assert drill.proven.lacks[0].part.origin == signed.origin
    async with restored_town.services["intake"].pool.acquire() as connection:
        for position in range(1, signed.size + 1):
            path = await inclusion_proof(Tx(connection), position, signed.size)
            leaf = await connection.fetchval("SELECT leaf FROM record.log WHERE position = $1", position)
            check_inclusion(leaf, position - 1, signed.size, signed.root, path)


async def test_streams_are_published_anew_under_the_new_lineage(drill: Drill, restored_town: Town) -> None:
    async with connected(drill.lost.ground) as js:
        for name, service in restored_town.services.items():
            head = await service.pool.fetchrow("SELECT lineage, position FROM work.head")
            assert head is not None
            name_ = stream_name(drill.lost.jurisdiction, name)
            assert (await js.stream_info(name_)).state.last_seq == head["position"]
            for position in (1, drill.proven.manifest.services[name].position):
                message = await js.get_msg(name_, seq=position)
                assert message.data == drill.bodies[name][position - 1]
                assert message.headers[LINEAGE] == str(head["lineage"]) == str(drill.restored.lineages[name].lineage)


async def test_the_services_go_on(drill: Drill, restored_town: Town) -> None:
    """Also for whoever had a receipt; and the next event gets the next number."""
    status = await restored_town.post("/intake/v1/public/tips/status", {"receipt": drill.receipt})
    assert status["state"] == "received"
    clerk = restored_town.headers("clerk")
    before = await restored_town.get("/intake/v1/tips", clerk, limit=200)
    await restored_town.post("/intake/v1/public/tips", {"words": "又来了"})
    await restored_town.settled(60)
    after = await restored_town.get("/intake/v1/tips", clerk, limit=200)
    assert len(after["items"]) == len(before["items"]) + 1
    head = await restored_town.services["intake"].pool.fetchval("SELECT position FROM work.head")
    log = await restored_town.services["intake"].pool.fetch("SELECT position FROM record.log ORDER BY position")
    assert [row[0] for row in log] == list(range(1, head + 1)) and head > drill.end
    for service in restored_town.services.values():
        assert (await service.standing()).waits == ()
    drawn = await restored_town.services["intake"].pool.fetchval(
        "SELECT array_agg(ingest_id ORDER BY position) FROM record.log JOIN record.event USING (event_id)"
    )
    assert drawn == sorted(set(drawn)), "new events are drawn after all that were put back"


async def test_the_restored_town_is_backed_up_in_its_turn(drill: Drill, restored_town: Town, tmp_path: Path) -> None:
    """Its log's name says what it grew from; a checkpoint of before still proves that part."""
    again = BackedUp(drill.lost.ground, restored_town, tmp_path, drill.lost.policy_lines)
    folder = await again.backup()
    part = Manifest.read(folder).services["intake"]
    lineage = drill.restored.lineages["intake"]
    root = drill.proven.manifest.services["intake"].root
    assert part.origin.endswith(f"{lineage.lineage}/after/{lineage.parent}/{lineage.shared}/{root}")
    old = next(drill.lost.folder.glob("intake-*.checkpoint"), None)
    assert old is not None
    smallest = min(drill.lost.folder.glob("intake-*.checkpoint"), key=lambda path: int(path.stem.split("-")[1]))
    proven = await prove(folder, policy=drill.lost.policy("intake"), checkpoints=[smallest])
    assert proven.lacks[0].proven == int(smallest.stem.split("-")[1])


def event_id(body: bytes) -> str:

    return str(json.loads(body)["id"])


def schema(server: str) -> str:
    """As pg_dump writes it, read models left out."""
    words = ("--schema-only", "--no-sync", "--restrict-key=same", "--exclude-schema=view", "--exclude-schema=shadow")
    return tool("pg_dump", server, *words).decode()
