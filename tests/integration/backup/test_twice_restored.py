"""The backup of a log that was restored twice: its name passes over the lineage that nobody signed, as the running log's does."""

import json
import shutil
from pathlib import Path

import pytest

from shared.backup.manifest import MANIFEST, Doubt, Manifest
from shared.backup.verify import verify
from shared.transparency import tree
from shared.transparency.origin import After, Origin
from tests.support.backups import BackedUp, altered

FIRST, SECOND = "11111111-2222-4333-8444-555555555555", "66666666-7777-4888-8999-aaaaaaaaaaaa"


@pytest.fixture(scope="module")
async def sound(town: BackedUp) -> Path:
    for _ in range(6):
        await town.a_tip()
    await town.town.settled(60)
    return await town.backup("twice")


async def named_after(town: BackedUp, folder: Path, parent: str, size: int) -> str:
    """The backup's log as it would be called; the manifest says so."""
    manifest = json.loads((folder / MANIFEST).read_text("utf-8"))
    part, pool = manifest["services"]["intake"], town.town.services["intake"].pool
    leaves = await pool.fetch("SELECT leaf FROM record.log ORDER BY position LIMIT $1", size)
    _, frontier = tree.extend(0, [], [row["leaf"] for row in leaves])
    after = After(parent, size, tree.root(frontier))
    part["checkpoint"] = None  # other tests' town has one of its present name
    part["origin"] = str(Origin(town.jurisdiction, "intake", part["lineage"], after))
    (folder / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return str(part["origin"])


def restored_twice(folder: Path, signed: bool) -> None:
    """SECOND has the first 3 events of FIRST, the present lineage the first 5 of SECOND; `signed`: SECOND has a checkpoint."""

    def lineages(rows: list[bytes]) -> list[bytes]:
        present, _, _, *rest = rows[0].split(b"\t")
        lines = ((present.decode(), SECOND, 5), (SECOND, FIRST, 3), (FIRST, "\\N", 0))
        return [b"\t".join([*(str(each).encode() for each in line), *rest]) for line in lines]

    def checkpoints(_: list[bytes]) -> list[bytes]:
        columns = next(
            t for t in Manifest.read(folder).services["intake"].tables if t.name == "record.checkpoint"
        ).columns
        row = dict.fromkeys(columns, "\\N") | {"origin": f"town/intake/{SECOND}", "size": "4"}
        return ["\t".join(row.values()).encode() + b"\n"] if signed else []

    altered(folder, "intake", "record.lineage", lineages)
    altered(folder, "intake", "record.checkpoint", checkpoints)


@pytest.mark.parametrize(("signed", "parent", "size"), [(False, FIRST, 3), (True, SECOND, 5)])
async def test_it_is_named_after_the_nearest_lineage_that_was_signed(
    town: BackedUp, sound: Path, tmp_path: Path, signed: bool, parent: str, size: int
) -> None:
    folder = Path(shutil.copytree(sound, tmp_path / "twice"))
    restored_twice(folder, signed)
    name = await named_after(town, folder, parent, size)
    assert verify(folder).manifest.services["intake"].origin == name
    await named_after(town, folder, *((FIRST, 3) if signed else (SECOND, 5)))
    with pytest.raises(Doubt, match="intake, its name"):
        verify(folder)
