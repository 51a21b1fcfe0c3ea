"""What else still stands of a town that is restored: a newer backup, an auditor's export, a JetStream, databases that live on.

It is looked through for two things: erasures, and facts that the backup lacks. Nothing of it is put into the restored logs.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import asyncpg
import nats
import nats.errors
import nats.js.errors
from nats.js import JetStreamContext
from nats.js.api import AckPolicy, ConsumerConfig, DeliverPolicy

from shared.backup.erasures import ERASED, Erasures
from shared.backup.key_rows import KeyFile
from shared.backup.logs import Log
from shared.backup.manifest import KEYS, MANIFEST, BackupRefused, Doubt, Manifest
from shared.backup.rows import octets, rows, text
from shared.backup.verify import check_files
from shared.contracts.envelope import attributes, leaf_of
from shared.settings import SERVICES
from shared.stream import LINEAGE, inbox_of, stream_name
from shared.transparency import tiles
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.origin import Origin
from shared.transparency.tiles import WIDTH

Message = tuple[int, Mapping[str, str], bytes]
"""(position, headers, body)."""

BATCH = 500
PATIENCE = 3.0
"""Seconds that JetStream gets for an answer."""

DESTROYED = "SELECT key_id::text FROM public.key WHERE destroyed_at IS NOT NULL"
INBOX = "SELECT source, lineage::text, position, body FROM record.inbox ORDER BY source, position"
OWN_ERASURES = "SELECT body FROM record.event WHERE type = ANY($1::text[])"


@dataclass(frozen=True)
class Fact:
    """One event that the backup lacks, `where` it still stands."""

    leaf: bytes
    event_id: str
    type: str
    recorded_at: str
    where: str


@dataclass
class Elsewhere:
    """`ends`: service -> where its log ends in the backup; facts beyond that are kept, by (service, lineage) and position.

    `looked`: what was looked through, in words.
    """

    jurisdiction: str
    ends: Mapping[str, int]
    erasures: Erasures
    facts: dict[tuple[str, str], dict[int, Fact]] = field(default_factory=dict)
    looked: list[str] = field(default_factory=list)

    def fact(self, service: str, lineage: str, position: int, body: bytes, where: str) -> None:
        """Raises Doubt when two places hold different events there."""
        self.erasures.note(body, where)
        if position <= self.ends.get(service, position):
            return
        leaf, known = leaf_of(body), self.facts.setdefault((service, lineage), {})
        if position not in known:
            event_id, type_, recorded_at = attributes(body, "id", "type", "recordedat")
            known[position] = Fact(leaf, event_id or "", type_ or "", recorded_at or "", where)
        elif known[position].leaf != leaf:
            raise Doubt(f"{service}, event {position}: {known[position].where} and {where} hold different events")

    async def look_into(self, place: str) -> None:
        """`place`: a folder with a backup or an export, or the address of a NATS server. Raises BackupRefused, Doubt."""
        if place.startswith("nats://"):
            await self.jetstream(place)
        elif (Path(place) / MANIFEST).exists():
            self.backup(Path(place))
        elif checkpoints := sorted(Path(place).rglob("checkpoint")):
            for checkpoint in checkpoints:
                self.export(checkpoint)
        else:
            raise BackupRefused(f"{place} is neither a backup, an export nor the address of a NATS server (nats://…)")

    def backup(self, folder: Path) -> None:
        manifest = Manifest.read(folder)
        check_files(folder, manifest)
        self._same_town(manifest.jurisdiction, folder)
        for service, part in manifest.services.items():
            where = f"the log of {service} in {folder}"
            known = Log(folder, service, part, manifest.jurisdiction).known_lineages()
            for position, body in _numbered(folder, manifest, service):
                for lineage, upto in known.items():
                    if position <= upto:
                        self.fact(service, lineage, position, body, where)
            inbox = part.table("record.inbox")
            for row in rows(folder / inbox.file, inbox.columns):
                source, lineage = text(row["source"]), text(row["lineage"])
                where = f"what {service} received in {folder}"
                self.fact(source, lineage, int(text(row["position"])), octets(row["body"]), where)
        if KEYS in manifest.files:
            self.erasures.keys.update(KeyFile.read(folder / KEYS).destroyed())
        self.looked.append(f"the backup {folder} of {manifest.made:%Y-%m-%d %H:%M} UTC")

    def export(self, checkpoint: Path) -> None:
        """One log as files; its own events prove themselves by the checkpoint it stands under, which is for others to check."""
        try:
            said = Checkpoint.read(Note.read(checkpoint.read_bytes()).text)
            origin = Origin.read(said.origin)
        except NoteRefused as error:
            raise BackupRefused(f"{checkpoint}: {error}") from None
        folder = checkpoint.parent
        self._same_town(origin.jurisdiction, folder)
        for position, body in _entries(folder, said.size):
            self.fact(origin.service, origin.lineage, position, body, f"the export {folder}")
            if origin.after is not None and position <= origin.after.size:
                self.fact(origin.service, origin.after.parent, position, body, f"the export {folder}")
        self.looked.append(f"the export {folder} of {said.size} events")

    def _same_town(self, jurisdiction: str, folder: Path) -> None:
        if jurisdiction != self.jurisdiction:
            raise BackupRefused(f"{folder} is of {jurisdiction}, not of {self.jurisdiction}")

    async def jetstream(self, url: str) -> None:
        """Every stream that this user may read; the others are said to be unread. Raises BackupRefused."""
        at = url.rsplit("@", 1)[-1]
        try:
            nc = await nats.connect(
                url,
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=5,
                inbox_prefix=inbox_of(url),
                error_cb=_quiet,
            )
        except (OSError, nats.errors.Error) as error:
            raise BackupRefused(f"JetStream at {at} does not answer: {type(error).__name__}") from None
        try:
            js = nc.jetstream(timeout=PATIENCE)
            for service in SERVICES:
                try:
                    own = urlsplit(url).username == service
                    count = await self._stream(js, service, f"the stream of {service} at {at}", own)
                    self.looked.append(f"the stream of {service} at {at}: {count} events")
                except (
                    nats.js.errors.NotFoundError,
                    nats.errors.TimeoutError,
                    nats.errors.NoRespondersError,
                    TimeoutError,
                ):
                    self.looked.append(f"the stream of {service} at {at}: not there, or not for this user to read")
        finally:
            await nc.close()

    async def _stream(self, js: JetStreamContext, service: str, where: str, own: bool = False) -> int:
        """`own`: the user is the service itself, and may follow others' streams, but of this one only look at messages."""
        count, stream = 0, stream_name(self.jurisdiction, service)
        async for position, headers, body in _looked_at(js, stream) if own else _messages(js, stream):
            self.fact(service, headers.get(LINEAGE, ""), position, body, where)
            count += 1
        return count

    async def database(self, service: str, dsn: str) -> None:
        """Of a service that lives on: its erasures, and what it received."""
        connection = await asyncpg.connect(dsn)
        try:
            async with connection.transaction():
                for row in await connection.fetch(OWN_ERASURES, list(ERASED)):
                    self.erasures.note(row["body"], f"the log of {service}")
                async for row in connection.cursor(INBOX, prefetch=1000):
                    where = f"what {service} received"
                    self.fact(row["source"], row["lineage"], row["position"], row["body"], where)
        finally:
            await connection.close()
        self.looked.append(f"the database of {service}, which lives on")

    async def keys(self, dsn: str) -> None:
        """Of a key store that lives on."""
        connection = await asyncpg.connect(dsn)
        try:
            self.erasures.keys.update(row[0] for row in await connection.fetch(DESTROYED))
        finally:
            await connection.close()


def _numbered(folder: Path, manifest: Manifest, service: str) -> Iterator[tuple[int, bytes]]:
    """(position, body); the events' rows stand in the order of the log."""
    log, event = (manifest.services[service].table(f"record.{name}") for name in ("log", "event"))
    entries, events = rows(folder / log.file, log.columns), rows(folder / event.file, event.columns)
    for entry, row in zip(entries, events, strict=False):
        if entry["event_id"] != row["event_id"]:
            raise Doubt(f"{folder}: {service}, event {text(entry['position'])}: the log and the events differ")
        yield int(text(entry["position"])), octets(row["body"])


def _entries(folder: Path, size: int) -> Iterator[tuple[int, bytes]]:
    """(position, body) of the entries that are there: an auditor's copy may lack bundles. Raises Doubt."""
    for index in range(-(-size // WIDTH)):
        path = folder / tiles.path("entries", index, min(WIDTH, size - index * WIDTH))
        if not path.exists():
            continue
        packed, at, position = path.read_bytes(), 0, index * WIDTH
        while at < len(packed):
            end = at + 2 + int.from_bytes(packed[at : at + 2], "big")
            position += 1
            if end > len(packed):
                raise Doubt(f"{path} is cut off")
            yield position, packed[at + 2 : end]
            at = end


async def _looked_at(js: JetStreamContext, stream: str) -> AsyncIterator[Message]:
    """One by one, from the first that still stands to the last."""
    state = (await js.stream_info(stream)).state
    for position in range(state.first_seq, state.last_seq + 1):
        try:
            message = await js.get_msg(stream, seq=position)
        except nats.js.errors.NotFoundError:  # deleted
            continue
        yield position, message.headers or {}, message.data or b""


async def _messages(js: JetStreamContext, stream: str) -> AsyncIterator[Message]:
    """From the first that still stands to the last."""
    state = (await js.stream_info(stream)).state
    if state.messages == 0:
        return
    consumer = await js.add_consumer(
        stream,
        ConsumerConfig(
            name=f"restore-{uuid4().hex[:8]}",
            ack_policy=AckPolicy.NONE,
            deliver_policy=DeliverPolicy.ALL,
            inactive_threshold=30,
            mem_storage=True,
            num_replicas=1,
        ),
    )
    subscription = await js.pull_subscribe_bind(consumer=consumer.name, stream=stream)
    last = 0
    while last < state.last_seq:
        try:
            batch = await subscription.fetch(BATCH, timeout=PATIENCE)
        except TimeoutError:  # the last message was deleted
            break
        for message in batch:
            last = message.metadata.sequence.stream
            yield last, message.headers or {}, message.data
    await subscription.unsubscribe()


async def _quiet(_: Exception) -> None:
    """What a user may not read is said once, by the caller."""
