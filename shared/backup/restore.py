"""A restore in two steps: prove what is in the backup and what is missing, then put it back. Nothing is written before all of it
is proven."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import asyncpg

from shared.backup.elsewhere import Elsewhere
from shared.backup.erasures import Erasures
from shared.backup.key_rows import Kept, KeyFile
from shared.backup.load import load_keys, load_service, refuse_filled
from shared.backup.manifest import KEYS, BackupRefused, Manifest
from shared.backup.missing import Known, Lack, lack
from shared.backup.take import Dsn
from shared.backup.verify import check_keys, verify
from shared.identity.clearing import clear
from shared.identity.key_schema import make_schema
from shared.identity.wrapping import KeyWrapper
from shared.lineage import NewLineage
from shared.parts import Points, no_points
from shared.replay import Progress
from shared.settings import SERVICES
from shared.transparency.policy import Policy

ERASE = "SELECT public.erase_subject($1)"
ERASE_KEYS = "SELECT public.erase_keys($1::uuid[])"


@dataclass(frozen=True)
class Proven:
    """A backup that fits, and what is known beside it. `keys`: the copy of the keys that is to be put back, None for none;
    `looked`: what else was looked through."""

    folder: Path
    manifest: Manifest
    keys: KeyFile | None
    lacks: tuple[Lack, ...]
    erasures: Erasures
    looked: tuple[str, ...]


@dataclass(frozen=True)
class Restored:
    """`lineages` by service; `keys`: how many were put back; `erased_again`: keys that the copy still had and
    that stay destroyed."""

    lineages: Mapping[str, NewLineage]
    keys: int
    erased_again: int


async def prove(
    folder: Path,
    *,
    services: Collection[str] = SERVICES,
    keys: Path | None = None,
    policy: Policy | None = None,
    checkpoints: Sequence[Path] = (),
    also: Sequence[str] = (),
    live: Mapping[str, str] | None = None,
    progress: Progress = lambda *_: None,
) -> Proven:
    """`keys`: the copy of the keys, where it does not lie in the backup; `also`: what else still stands (Elsewhere.look_into);
    `live`: service or "keys" -> its database, as its owner, of those that live on. Raises BackupRefused, Doubt."""
    manifest = Manifest.read(folder)
    given = _given(checkpoints, policy)
    sizes = {service: frozenset({known.checkpoint.size}) for service, known in given.items()}
    found = verify(folder, manifest, policy=policy, sizes=sizes, progress=progress)
    path = keys or (folder / KEYS if KEYS in manifest.files else None)
    key_file = check_keys(path, manifest) if path is not None else None
    if key_file is not None:
        found.erasures.keys.update(key_file.destroyed())
    ends = {service: part.position for service, part in manifest.services.items()}
    elsewhere = Elsewhere(manifest.jurisdiction, ends, found.erasures)
    for place in also:
        await elsewhere.look_into(place)
    for name, dsn in (live or {}).items():
        await (elsewhere.keys(dsn) if name == "keys" else elsewhere.database(name, dsn))
    lacks = tuple(
        lack(name, manifest, found.logs[name], given.get(name), found.witnessed.get(name), elsewhere.facts)
        for name in manifest.services
        if name in services
    )
    return Proven(folder, manifest, key_file, lacks, found.erasures, tuple(elsewhere.looked))


def _given(checkpoints: Sequence[Path], policy: Policy | None) -> dict[str, Known]:
    """Service -> the newest that was given."""
    given: dict[str, Known] = {}
    for path in checkpoints:
        if policy is None:
            raise BackupRefused(f"{path} proves nothing without --policy, which says whose signatures count")
        known = Known.read(path, policy)
        if known.origin.service not in SERVICES:
            raise BackupRefused(f"{path} is of {known.origin.service}, which is no service")
        former = given.get(known.origin.service)
        if former is None or former.checkpoint.size < known.checkpoint.size:
            given[known.origin.service] = known
    return given


async def put_back(
    proven: Proven,
    dsn: Dsn,
    *,
    services: Collection[str] = SERVICES,
    with_keys: bool = True,
    wrapper: KeyWrapper | None = None,
    progress: Progress = lambda *_: None,
    points: Points = no_points,
) -> Restored:
    """Into empty databases, `dsn` giving each as its owner. `with_keys`: the key store too; one that lives on is only told of the
    erasures. `wrapper`: the town's master key, to see that it opens the keys. Raises BackupRefused, Doubt, WrongMasterKey."""
    for name in (*services, *(("keys",) if with_keys else ())):
        await refuse_filled(name, dsn(name))
    count = erased = 0
    if with_keys and proven.keys is not None:
        kept, whole = Kept(proven.keys, proven.erasures, wrapper), proven.keys.rows
        count = await load_keys(kept, dsn("keys"), lambda at: progress("keys", at, whole), points)
        erased = kept.erased_again
    elif not with_keys:
        erased = await erase(dsn("keys"), proven.erasures)
        await points("restore: erased again")
    lineages = {}
    for name in services:
        part = proven.manifest.services[name]
        whole = sum(table.rows for table in part.tables)

        def moved(at: int, name: str = name, whole: int = whole) -> None:
            progress(name, at, whole)

        lineages[name] = await load_service(proven.folder, name, part, dsn(name), moved, points)
    return Restored(lineages, count, erased)


async def erase(dsn: str, erasures: Erasures) -> int:
    """In a key store that lives on, as its owner, of whatever version; how many keys still had their bytes."""
    connection = await asyncpg.connect(dsn)
    try:
        await make_schema(connection)
        erased = [await connection.fetchval(ERASE, subject) for subject in erasures.subjects]
        count: int = sum([*erased, await connection.fetchval(ERASE_KEYS, sorted(erasures.keys))])
        await clear(connection)
        return count
    finally:
        await connection.close()
