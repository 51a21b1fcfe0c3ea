"""The export of a log on Postgres: what is in it, what it refuses, how it goes on."""

from pathlib import Path

import pytest

from shared.audit.export import Exported, export
from shared.audit.folder import FolderRefused, LogFolder
from shared.contracts.envelope import leaf_of
from shared.transparency import tiles
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from tests.support.kernel import Place
from tests.support.signed import a_checkpoint
from tests.unit.transparency import rfc


async def signed(place: Place) -> Note:
    """A checkpoint of the whole log."""
    await place.number()
    return await a_checkpoint(place.pool, place.jurisdiction, place.name)


def bodies_in(folder: LogFolder, size: int) -> list[bytes]:
    found: list[bytes] = []
    for begin in range(0, size, 256):
        content = (folder.path / tiles.path("entries", begin // 256, min(256, size - begin))).read_bytes()
        while content:
            length = int.from_bytes(content[:2], "big")
            found, content = [*found, content[2 : 2 + length]], content[2 + length :]
    return found


async def test_an_export_holds_the_exact_bytes_of_every_event_up_to_its_checkpoint_and_goes_on(
    place: Place, tmp_path: Path
) -> None:
    folder = LogFolder(tmp_path / "cases")
    await place.fill(300)
    note = await signed(place)
    await place.fill(8, "later")
    await place.number()
    assert await export(place.pool, folder, note) == Exported(0, 300)
    assert bodies_in(folder, 300) == (await place.bodies())[:300]
    assert await export(place.pool, folder, note) == Exported(300, 300)
    await place.fill(400)
    further = await signed(place)
    assert await export(place.pool, folder, further) == Exported(300, 708)
    assert bodies_in(folder, 708) == await place.bodies()
    leaves = [leaf_of(body) for body in await place.bodies()]
    assert (folder.path / "checkpoint").read_bytes() == str(further).encode()
    assert folder.tile((1, 0, 2)) == [rfc.root(leaves[:256]), rfc.root(leaves[256:512])]


async def test_events_that_do_not_have_the_checkpoint_s_root_are_not_exported(place: Place, tmp_path: Path) -> None:
    await place.fill(300)
    note = await signed(place)
    first = LogFolder(tmp_path / "first")
    await export(place.pool, first, note)
    before = sorted(path.name for path in first.path.rglob("*"))
    await place.fill(10)
    further = await signed(place)
    body = (await place.bodies())[304]
    lie = body.replace(b"safety_office", b"police_office").hex()
    await place.forced(f"UPDATE record.event SET body = '\\x{lie}' WHERE body = '\\x{body.hex()}'")
    with pytest.raises(FolderRefused, match="event 305 is not the one that was numbered"):
        await export(place.pool, first, further)
    assert first.checkpoint() == Checkpoint.read(note.text)
    assert sorted(path.name for path in first.path.rglob("*")) == before
    await place.forced(f"UPDATE record.log SET leaf = sha256('\\x00{lie}') WHERE position = 305")
    with pytest.raises(FolderRefused, match="310 events have the root"):
        await export(place.pool, first, further)
    assert first.checkpoint() == Checkpoint.read(note.text)
    assert sorted(path.name for path in first.path.rglob("*")) == before


async def test_a_log_that_lacks_events_of_its_checkpoint_is_not_exported(place: Place, tmp_path: Path) -> None:
    await place.fill(300)
    note = await signed(place)
    await place.forget(290)
    with pytest.raises(FolderRefused, match="has 290 of its events 1 to 300"):
        await export(place.pool, LogFolder(tmp_path / "cases"), note)
    await place.forced("DELETE FROM record.log WHERE position = 100")
    with pytest.raises(FolderRefused, match="has 289 of its events 1 to 300"):
        await export(place.pool, LogFolder(tmp_path / "other"), note)
    assert not list(tmp_path.rglob("checkpoint"))


async def test_the_folder_of_another_lineage_is_not_gone_on_with(place: Place, tmp_path: Path) -> None:
    folder = LogFolder(tmp_path / "cases")
    await place.fill(3)
    await export(place.pool, folder, await signed(place))
    await place.forced(
        "INSERT INTO record.lineage (lineage, parent, from_position) SELECT gen_random_uuid(), lineage, 3 FROM work.head",
        "UPDATE work.head SET lineage = (SELECT lineage FROM record.lineage WHERE parent IS NOT NULL)",
    )
    await place.fill(2)
    with pytest.raises(FolderRefused, match=r"holds the log .*, not .*/after/.*/3/"):
        await export(place.pool, folder, await signed(place))
