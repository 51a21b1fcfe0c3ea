"""A backup of a town at work: of one moment, whole or none, without a secret in it."""

import asyncio
import gzip
import json
import shutil
from datetime import timedelta
from pathlib import Path

import asyncpg
import pytest

from shared.backup.key_rows import KeyFile
from shared.backup.manifest import KEYS, MANIFEST, BackupRefused, Doubt, Manifest
from shared.backup.take import HOLD, KeyCopy, take
from shared.backup.verify import check_keys, verify
from shared.identity.key_store import KeyStore
from shared.settings import SERVICES
from tests.support.backups import WRAPPER, BackedUp, empty_databases
from tests.support.kernel import until
from tests.support.services import MASTER_KEY, SECRET, TOKEN_PRIVATE

WAITS = "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = 'minewatch backup' AND wait_event_type = 'Lock')"


async def test_it_is_of_one_moment_while_the_town_goes_on_writing(town: BackedUp) -> None:
    """Nobody has received what its source had not recorded, in backup after backup; and no writer was turned away."""
    written = 0

    async def writes() -> None:
        nonlocal written
        while True:
            await town.a_tip()
            written += 1

    writer = asyncio.create_task(writes())
    try:
        await until(lambda: written > 2, 60)
        folders = [await town.backup(f"moment-{n}") for n in range(2)]
    finally:
        writer.cancel()
    ends = [Manifest.read(folder).services["intake"].position for folder in folders]
    assert ends == sorted(ends) and 0 < ends[0] < ends[-1] <= written
    for folder in folders:
        manifest = Manifest.read(folder)
        for part in manifest.services.values():
            for mark in part.received:
                assert 0 < mark.position <= manifest.services[mark.source].position
    await town.town.settled(60)


async def test_no_event_gets_a_number_while_the_moment_is_taken(town: BackedUp, tmp_path: Path) -> None:
    """Whoever numbers one right now is waited for, so that none of four snapshots is older than what another received."""
    sequencing, looking = await asyncpg.connect(town.dsn("cases")), await asyncpg.connect(town.superuser("cases"))
    held = sequencing.transaction()
    await held.start()
    await sequencing.execute(HOLD)
    taking = asyncio.create_task(take(tmp_path / "b", town.dsn, town.jurisdiction))
    try:
        await until(lambda: looking.fetchval(WAITS), 60)
        assert not (tmp_path / "b" / "intake").exists()
    finally:
        await held.rollback()
        await sequencing.close()
        await looking.close()
    manifest, _ = await taking
    assert set(manifest.services) == set(SERVICES)


async def test_a_town_in_which_nothing_has_happened_yet_is_backed_up_like_any_other(
    town: BackedUp, tmp_path: Path
) -> None:
    async with empty_databases(town.ground) as place:
        await take(tmp_path / "b", place.dsn, town.jurisdiction)
    assert {name: walked.position for name, walked in verify(tmp_path / "b").logs.items()} == dict.fromkeys(SERVICES, 0)


async def test_one_that_was_broken_off_is_no_backup(town: BackedUp, tmp_path: Path) -> None:
    class Killed(Exception):
        pass

    def killed(service: str, at: int, end: int) -> None:
        if service == "reporting":
            raise Killed

    with pytest.raises(Killed):
        await take(tmp_path / "b", town.dsn, town.jurisdiction, progress=killed)
    assert (tmp_path / "b" / "intake").exists()
    with pytest.raises(BackupRefused, match="no finished backup"):
        verify(tmp_path / "b")
    with pytest.raises(BackupRefused, match="not empty"):
        await take(tmp_path / "b", town.dsn, town.jurisdiction)


async def test_what_does_not_prove_itself_when_it_is_read_back_gets_no_manifest(town: BackedUp, tmp_path: Path) -> None:
    """Somebody changed the database itself."""
    await town.a_tip()
    await town.town.settled(60)

    def check(manifest: Manifest) -> None:
        verify(tmp_path / "b", manifest)

    leaf = await town.town.services["intake"].pool.fetchval("SELECT leaf FROM record.log WHERE position = 1")
    await town.forced("intake", "UPDATE record.log SET leaf = sha256('x') WHERE position = 1")
    try:
        with pytest.raises(Doubt, match="intake, event 1: its bytes are not those that were numbered"):
            await take(tmp_path / "b", town.dsn, town.jurisdiction, check=check)
        assert not (tmp_path / "b" / MANIFEST).exists()
    finally:
        await town.forced("intake", f"UPDATE record.log SET leaf = '\\x{leaf.hex()}' WHERE position = 1")


async def test_no_secret_is_in_it_and_the_plan_is(town: BackedUp) -> None:
    await town.a_tip(anonymous=False, name="程晓岚", contact="13912345678")
    await town.town.settled(60)
    (town.town.folder / "clients.json").write_text('{"clients": [{"secret": "a key of a department"}]}')
    folder = await town.backup("secrets", elsewhere=("the master key: in a drawer",))
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == set(Manifest.read(folder).files) | {MANIFEST}
    assert {name for name in names if name.startswith("plans/")} == {"plans/zhenchengdi-2018.yaml"}
    secrets = [
        MASTER_KEY,
        SECRET.decode(),
        TOKEN_PRIVATE.splitlines()[1],
        "a key of a department",
        "程晓岚",
        "13912345678",
    ]
    for path in folder.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            content = gzip.decompress(content) if path.suffix == ".gz" else content
            assert [
                secret for secret in secrets if secret.encode() in content or secret.encode().hex().encode() in content
            ] == []
            assert path.stat().st_mode & 0o077 == 0
    assert Manifest.read(folder).elsewhere == ("the master key: in a drawer",)


async def test_keys_lie_in_a_file_of_their_own_elsewhere_or_nowhere(town: BackedUp, tmp_path: Path) -> None:
    inside = await town.backup("inside")
    apart = await town.backup("apart", KeyCopy(to=tmp_path / "keys.gz"))
    without = await town.backup("without", KeyCopy(leave_out=True))
    assert (inside / KEYS).exists() and not (apart / KEYS).exists() and not (without / KEYS).exists()
    assert Manifest.read(without).keys is None
    count = await town.town.services["intake"].keys_pool.fetchval("SELECT count(*) FROM public.key")
    for path, folder in ((inside / KEYS, inside), (tmp_path / "keys.gz", apart)):
        file = check_keys(path, Manifest.read(folder))
        assert file.rows == sum(1 for _ in file.each()) > count


async def test_an_older_copy_of_the_keys_does_not_go_with_a_backup_and_a_newer_one_does(
    town: BackedUp, tmp_path: Path
) -> None:
    old, new = await town.backup("old-keys"), await town.backup("new-keys")
    with pytest.raises(BackupRefused, match="brings erased ones back"):
        check_keys(old / KEYS, Manifest.read(new))
    assert check_keys(new / KEYS, Manifest.read(old)).made > Manifest.read(old).made
    shutil.copytree(new, tmp_path / "swapped")
    shutil.copyfile(old / KEYS, tmp_path / "swapped" / KEYS)
    with pytest.raises(Doubt, match=KEYS):
        verify(tmp_path / "swapped")
    cut = gzip.decompress((new / KEYS).read_bytes()).splitlines(keepends=True)
    about = json.loads(cut[0]) | {"made": (Manifest.read(new).made + timedelta(days=1)).isoformat()}
    (tmp_path / "cut.gz").write_bytes(gzip.compress(json.dumps(about).encode() + b"\n" + b"".join(cut[2:])))
    with pytest.raises(Doubt, match="keys were taken"):
        list(check_keys(tmp_path / "cut.gz", Manifest.read(new)).each())


async def test_a_destroyed_key_is_known_as_destroyed_from_any_copy(town: BackedUp) -> None:
    pool = await asyncpg.create_pool(town.dsn("keys"), min_size=1, max_size=1)
    try:
        keys = KeyStore(pool, WRAPPER, "intake", frozenset({"custodian"}))
        key = await keys.sealing_key("someone", "custodian", "tip-1")
        await keys.destroy("someone")
    finally:
        await pool.close()
    folder = await town.backup("tombstone")
    assert key.key_id in set(KeyFile.read(folder / KEYS).destroyed())
    assert key.key_id in verify(folder).erasures.keys
