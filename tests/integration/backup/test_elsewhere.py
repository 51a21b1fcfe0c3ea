"""What still stands of a town is looked through: for erasures that a backup is too old to know, and for facts it lacks."""

import json
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import asyncpg
import pytest

from shared.backup.elsewhere import Elsewhere
from shared.backup.erasures import Erasures
from shared.backup.manifest import KEYS, MANIFEST, BackupRefused, Doubt, Manifest, file_of
from shared.backup.missing import Lack
from shared.backup.restore import Proven, prove, put_back
from shared.contracts.envelope import leaf_of
from shared.contracts.intake.informant import InformantErased
from shared.identity.key_store import KeyStore
from shared.settings import SERVICES
from shared.stream import connect, stream_name
from shared.transparency import tiles, tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import sign
from tests.support.backups import LOG_KEY, WRAPPER, BackedUp, empty_databases, note_of

WORKS = "SELECT count(*) FROM public.key WHERE subject = $1 AND wrapped IS NOT NULL"


@dataclass
class Grown:
    """`old` knows nothing of the erasure of `erased`, which the log of intake holds now at `at`. `kept`: subject whose keys were
    destroyed before anything said so."""

    town: BackedUp
    old: Path
    erased: str
    silent: str
    at: int
    bodies: list[bytes]

    @property
    def end(self) -> int:
        return Manifest.read(self.old).services["intake"].position


@pytest.fixture(scope="module")
async def grown(town: BackedUp) -> AsyncIterator[Grown]:
    await town.a_tip()
    await town.town.settled(60)
    pool = await asyncpg.create_pool(town.dsn("keys"), min_size=1, max_size=1)
    keys = KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"}))
    erased, silent = "informant-of-the-first", "informant-of-the-second"
    for subject in (erased, silent):
        await keys.sealing_key(subject, "custodian", "tip-of-an-informant")
    await town.signed("intake")
    old = await town.backup("old")
    await town.a_tip()
    for subject in (erased, silent):
        assert await keys.destroy(subject) == 1
    await pool.close()
    await town.says("intake", "tip-of-an-informant", InformantErased(subject=erased))
    await town.a_tip()
    await town.town.settled(60)
    bodies = await town.bodies("intake")
    yield Grown(town, old, erased, silent, len(bodies) - 1, bodies)


async def proven(grown: Grown, *also: str) -> Proven:
    return await prove(grown.old, also=also)


def of_intake(found: Proven) -> Lack:
    return next(lack for lack in found.lacks if lack.service == "intake")


def export(grown: Grown, folder: Path, size: int) -> Path:
    """As an auditor has it."""
    where = folder / "intake"
    origin = Manifest.read(grown.old).services["intake"].origin
    for index in range(-(-size // tiles.WIDTH)):
        part = grown.bodies[index * tiles.WIDTH : min(size, (index + 1) * tiles.WIDTH)]
        path = where / tiles.path("entries", index, len(part))
        path.parent.mkdir(parents=True)
        path.write_bytes(tiles.bundle(part))
    _, frontier = tree.extend(0, [], map(leaf_of, grown.bodies[:size]))
    said = str(Checkpoint(origin, size, tree.root(frontier)))
    (where / "checkpoint").write_text(note_of(said, [sign(said, origin, LOG_KEY)]), "utf-8")
    return folder


async def test_a_backup_alone_knows_neither(grown: Grown) -> None:
    found = await proven(grown)
    assert grown.erased not in found.erasures.subjects
    assert of_intake(found).facts == {} and of_intake(found).end >= grown.end


async def test_an_auditors_export_tells_of_both(grown: Grown, tmp_path: Path) -> None:
    found = await proven(grown, str(export(grown, tmp_path, len(grown.bodies))))
    assert found.erasures.subjects[grown.erased].where == f"the export {tmp_path / 'intake'}"
    assert sorted(of_intake(found).facts) == list(range(grown.end + 1, len(grown.bodies) + 1))
    assert of_intake(found).facts[grown.at].type == InformantErased.type


async def test_a_newer_backup_tells_of_both_and_of_keys_that_were_destroyed_in_silence(grown: Grown) -> None:
    newer = await grown.town.backup("newer")
    found = await proven(grown, str(newer))
    assert grown.erased in found.erasures.subjects
    assert set(of_intake(found).facts) >= set(range(grown.end + 1, len(grown.bodies) + 1))
    async with empty_databases(grown.town.ground, "keys") as place:
        restored = await put_back(found, place.dsn, services=(), wrapper=WRAPPER)
        keys = await asyncpg.connect(place.superuser("keys"))
        for subject in (grown.erased, grown.silent):
            assert await keys.fetchval(WORKS, subject) == 0
        await keys.close()
        assert restored.erased_again == 2


async def test_who_puts_an_older_copy_of_the_keys_into_a_newer_backup_brings_nobody_back(
    grown: Grown, tmp_path: Path
) -> None:
    """With the manifest rewritten, so that nothing there tells: the log itself does."""
    newer = await grown.town.backup("swapped")
    shutil.copyfile(grown.old / KEYS, newer / KEYS)
    kept, manifest = file_of(newer / KEYS), json.loads((newer / MANIFEST).read_text("utf-8"))
    manifest["files"][KEYS] = manifest["keys"]["file"] = {"bytes": kept.bytes, "sha256": kept.sha256}
    (newer / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    async with empty_databases(grown.town.ground, "keys") as place:
        restored = await put_back(await prove(newer), place.dsn, services=(), wrapper=WRAPPER)
        keys = await asyncpg.connect(place.superuser("keys"))
        assert (await keys.fetchval(WORKS, grown.erased), restored.erased_again) == (0, 1)
        assert await keys.fetchval(WORKS, grown.silent) == 1, "of this one no fact tells"
        await keys.close()


async def test_without_it_an_older_copy_brings_the_erased_one_back(grown: Grown) -> None:
    """Why everything that stands is to be given, and why copies of the keys are kept for a short time."""
    async with empty_databases(grown.town.ground, "keys") as place:
        await put_back(await proven(grown), place.dsn, services=(), wrapper=WRAPPER)
        keys = await asyncpg.connect(place.superuser("keys"))
        assert await keys.fetchval(WORKS, grown.erased) == 1
        await keys.close()


async def test_a_stream_tells_of_both_and_says_what_it_could_not_read(grown: Grown) -> None:
    found = await proven(grown, grown.town.ground.nats.url)
    assert found.erasures.subjects[grown.erased].where.startswith("the stream of intake")
    assert set(of_intake(found).facts) >= set(range(grown.end + 1, len(grown.bodies) + 1))
    nc = await connect(grown.town.ground.nats.url, "test")
    there = {
        name: (await nc.jetstream().stream_info(stream_name(grown.town.jurisdiction, name))).state for name in SERVICES
    }
    await nc.close()
    said = [line for line in found.looked if "the stream of" in line]
    assert [line.rsplit(": ", 1)[1] for line in said] == [f"{there[name].messages} events" for name in SERVICES]


async def test_a_service_looks_at_its_own_stream_message_by_message(grown: Grown) -> None:
    """The users of a real town may follow one another's streams, and not make a consumer of their own."""
    by_consumer, by_looking = (Elsewhere(grown.town.jurisdiction, {"intake": grown.end}, Erasures()) for _ in range(2))
    nc = await connect(grown.town.ground.nats.url, "test")
    for one, own in ((by_consumer, False), (by_looking, True)):
        assert await one._stream(nc.jetstream(), "intake", "there", own) >= len(grown.bodies)
    await nc.close()
    assert by_looking == by_consumer and by_looking.facts and grown.erased in by_looking.erasures.subjects


async def test_two_places_that_hold_different_events_are_a_doubt(grown: Grown, tmp_path: Path) -> None:
    forged = Grown(
        **{**vars(grown), "bodies": [*grown.bodies[:-1], grown.bodies[-1].replace(b'"version":1', b'"version":7')]}
    )
    place = str(export(forged, tmp_path, len(grown.bodies)))
    with pytest.raises(Doubt, match=f"intake, event {len(grown.bodies)}: .* hold different events"):
        await proven(grown, grown.town.ground.nats.url, place)


async def test_what_is_neither_backup_nor_export_nor_nats_is_refused(grown: Grown, tmp_path: Path) -> None:
    with pytest.raises(BackupRefused, match="is neither"):
        await proven(grown, str(tmp_path))
    with pytest.raises(BackupRefused, match="does not answer"):
        await proven(grown, "nats://nobody:x@127.0.0.1:1")


async def test_one_service_restored_alone_is_told_by_those_that_live_on(grown: Grown) -> None:
    """reporting has received what intake lost; the key store that lives on is told of every erasure that is found."""
    town = grown.town
    live = {name: town.dsn(name) for name in ("cases", "reporting", "notify", "keys")}
    found = await prove(grown.old, services=["intake"], live=live)
    (lack,) = found.lacks
    held = {fact.where for fact in lack.facts.values()}
    assert lack.facts and held <= {"what reporting received", "what notify received", "what cases received"}
    found.erasures.note(grown.bodies[grown.at - 1], "the log")
    pool = await asyncpg.create_pool(town.dsn("keys"), min_size=1, max_size=1)
    await pool.execute("ALTER TABLE public.key DISABLE TRIGGER USER")
    await KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"})).sealing_key(grown.erased, "custodian", "tip-2")
    await pool.execute("ALTER TABLE public.key ENABLE TRIGGER USER")
    async with empty_databases(town.ground, "intake") as place:
        dsns = live | {"intake": place.dsn("intake")}
        restored = await put_back(found, dsns.__getitem__, services=["intake"], with_keys=False)
        assert list(restored.lineages) == ["intake"] and (restored.keys, restored.erased_again) == (0, 1)
    assert await pool.fetchval(WORKS, grown.erased) == 0
    assert await pool.fetchval("SELECT public.uncleared()") == []
    await pool.close()
    assert (grown.old / KEYS).exists()
