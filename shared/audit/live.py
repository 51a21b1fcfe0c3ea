"""A town's living databases, verified: by signatures as far as they reach, and beside them by all that has to agree with the log.

The bytes take the way of an export and are checked by the stand-alone verifier. What only a database has (rows beside the bytes,
guards, files, inboxes, streams, read models) is compared with them. It is read in one moment each, so the town may run meanwhile.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from pathlib import Path

from shared.audit import guards, inboxes, models, on_nats, own_files
from shared.audit.found import Found
from shared.audit.own_bytes import OwnBytes, seen_before
from shared.audit.own_keys import OwnKeys
from shared.checkpoints import newest
from shared.files import Files
from shared.replay import Progress
from shared.service import Service
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.policy import Policy
from shared.verifier.export import Wanted, verify_export
from shared.verifier.trust import Origin

MOST_LANDMARKS = 200
"""Of the checkpoints that the database itself holds: enough to say between which two of them something was altered."""

LANDMARKS = """
SELECT note FROM (SELECT note, size, row_number() OVER (ORDER BY size) AS nth, count(*) OVER () AS of FROM record.checkpoint
    WHERE split_part(origin, '/', 3) = $1) c
WHERE nth % greatest(1, of / $2) = 0 ORDER BY size
"""

LINEAGES = "SELECT lineage FROM record.lineage"
PRESENT = "SELECT lineage FROM work.head"

Kept = tuple[Checkpoint, Origin]


async def verify_live(service: Service, policy: Policy, kept: Sequence[Kept], folder: Path) -> AsyncIterator[Found]:
    """All that is not as it must be with the log, its files, its guards and its stream. `kept`: checkpoints of this service that
    the verifying person holds; `folder`: empty, for the bytes as files."""
    keys = OwnKeys(service.pool, service.keys_pool)
    async with service.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        tx = Tx(connection)
        try:
            note = await newest(tx, policy=policy)
        except NoteRefused as error:
            yield Found(f"检查点的签名不符：{error}", f"a checkpoint's signature does not fit: {error}")
            note = None
        if note is None:
            yield Found(
                "没有满足您的规则的检查点，无从证明", "no checkpoint meets your policy: nothing is proven by signatures"
            )
        lineages = {str(row["lineage"]) for row in await tx.all(LINEAGES)}
        for checkpoint, origin in kept:
            if origin.lineage not in lineages:
                yield Found(
                    f"您保存的检查点属于 {checkpoint.origin}，这里没有这份日志",
                    f"the checkpoint you kept is of {checkpoint.origin}, and that log is not here",
                )
        size = Checkpoint.read(note.text).size if note is not None else 0
        own = OwnBytes(folder / service.name, size, await _marks(tx, policy, kept), keys)
        async for found in own.read(tx):
            yield found
        async for found in seen_before(tx, policy):
            yield found
        async for found in own_files.faults(tx, Files(service.sealer), keys, own.files):
            yield found
        async for found in guards.faults(tx, service.name):
            yield found
    async for found in keys.faults():
        yield found
    if note is not None and own.whole:
        (folder / service.name / "checkpoint").write_text(str(note), "utf-8")
        report = verify_export(folder / service.name, Wanted(policy, kept=tuple(kept), processes=1))
        for doubts in (report.doubts, *(part.doubts for part in report.parts)):
            for doubt in doubts.first:
                yield Found(doubt.chinese, doubt.english, doubt.position)
    settings = service.settings
    async for found in on_nats.faults(service.nc, settings.jurisdiction, service.name, service.pool, settings.keep):
        yield found


async def verify_read_models(service: Service, progress: Progress = lambda *_: None) -> AsyncIterator[Found]:
    """What pages and answers are read from, against what follows from the log."""
    async for line in models.differences(service, progress=progress):
        yield Found(f"页面所读的表与日志不符：{line}", f"a read model differs from the log: {line}")


async def verify_inboxes(services: Mapping[str, Service]) -> AsyncIterator[tuple[str, Found]]:
    """(source, found): what each service received of each other, against what that one's log says."""
    for reader in services.values():
        for source, wanted in reader.card.consumes().items():
            if source in services:
                own = services[source].pool
                async for found in inboxes.faults(source, own, reader.name, reader.pool, wanted):
                    yield source, found


async def _marks(tx: Tx, policy: Policy, kept: Sequence[Kept]) -> dict[int, bytes]:
    """size -> root of checkpoints of the present log that its key signed: some of its own, and those that were kept."""
    lineage = str(await tx.value(PRESENT))
    marks: dict[int, bytes] = {}
    for row in await tx.all(LANDMARKS, (lineage, MOST_LANDMARKS)):
        try:
            note = Note.read(row["note"].encode())
            checkpoint = Checkpoint.read(note.text)
            if note.signed_by([key for key in policy.logs if key.name == checkpoint.origin]):
                marks[checkpoint.size] = checkpoint.root
        except NoteRefused:
            continue  # whoever altered it had no key to sign it with: it marks nothing
    return marks | {checkpoint.size: checkpoint.root for checkpoint, origin in kept if origin.lineage == lineage}
