"""Whether a backup is what was taken: every file's hash, every log's leaves and root, what each service received of the others.

With a policy also: whether witnesses signed the very events that are here.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from shared.backup.erasures import Erasures
from shared.backup.key_rows import KeyFile
from shared.backup.logs import Log, Row, Walked
from shared.backup.manifest import KEYS, BackupRefused, Doubt, Manifest, file_of
from shared.backup.rows import octets, rows, text
from shared.files import kept_for
from shared.replay import Progress
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Key, Note, NoteRefused
from shared.transparency.policy import NONE, Policy

ENDLESS = 2**63
LATEST = 2**37
"""Seconds since 1970; a calendar goes no further."""
LOOKED_AT = 1000
"""Of the checkpoints of a log, how many of the newest are asked whether they meet a policy."""


@dataclass(frozen=True)
class Witnessed:
    """A checkpoint that meets a policy. `signers`: whose word it is, the witnesses, or the log where the policy wants none; `at`:
    the earliest time that a witness of the policy signed with it, so that no single one can make it younger."""

    checkpoint: Checkpoint
    signers: frozenset[Key]
    at: datetime | None = None

    @staticmethod
    def of(note: Note, policy: Policy) -> "Witnessed | str":
        """What is missing, in words, where it does not meet the policy. Raises NoteRefused."""
        missing = policy.missing(note)
        if missing is not None:
            return missing
        keys = policy.logs if policy.quorum == NONE else policy.witnesses.values()
        times = [at for at in note.signed_by(policy.witnesses.values()).values() if at is not None]
        at = datetime.fromtimestamp(min(*times, LATEST), UTC) if times else None
        return Witnessed(Checkpoint.read(note.text), frozenset(note.signed_by(keys)), at)


@dataclass
class Verified:
    """A backup that fits. `logs` by service; `witnessed`: the newest checkpoint that meets the policy, for each service that has
    one; `erasures`: those its facts tell of."""

    manifest: Manifest
    logs: dict[str, Walked] = field(default_factory=dict)
    witnessed: dict[str, Witnessed] = field(default_factory=dict)
    erasures: Erasures = field(default_factory=Erasures)


def verify(
    folder: Path,
    manifest: Manifest | None = None,
    *,
    policy: Policy | None = None,
    sizes: Mapping[str, frozenset[int]] = {},
    progress: Progress = lambda *_: None,
) -> Verified:
    """`manifest`: of a backup that is being taken, and has none on the disk yet; `sizes`: service -> sizes at which its root is
    wanted. Raises BackupRefused, Doubt."""
    manifest = manifest or Manifest.read(folder)
    check_files(folder, manifest)
    found = Verified(manifest)
    reading = _Reading(folder, manifest)
    for service, part in manifest.services.items():
        witnessed = reading.witnessed(service, policy) if policy is not None else None
        wanted = sizes.get(service, frozenset()) | ({witnessed.checkpoint.size} if witnessed else frozenset())
        log = reading.log(service, wanted)
        named: set[str] = set()

        def seen(body: bytes, service: str = service, named: set[str] = named) -> None:
            found.erasures.note(body, f"the log of {service} in {folder}")
            named |= kept_for(body)

        def moved(at: int, service: str = service, end: int = part.position) -> None:
            if at % 1000 == 0 or at == end:
                progress(service, at, end)

        walked = found.logs[service] = log.walk(seen, moved)
        _checkpoint(service, manifest, walked)
        if witnessed is not None:
            said = witnessed.checkpoint
            if said.origin != part.origin or walked.roots.get(said.size) != said.root:
                raise Doubt(f"{service}: the first {said.size} events are not those that the witnesses signed")
            found.witnessed[service] = witnessed
        if lost := named - reading.files(service):
            raise Doubt(f"{service}: the file {min(lost)}, which its events name, is not there")
        for source, body in reading.received(service):
            found.erasures.note(body, f"what {service} received of {source} in {folder}")
    if KEYS in manifest.files:
        found.erasures.keys.update(KeyFile.read(folder / KEYS).destroyed())
    return found


def check_files(folder: Path, manifest: Manifest) -> None:
    """Raises Doubt at the first file that is not as it was written."""
    for name, expected in manifest.files.items():
        if file_of(folder / name) != expected:
            raise Doubt(f"{folder / name} is not the file that was taken: its size or hash is another")


def check_keys(path: Path, manifest: Manifest) -> KeyFile:
    """The copy of the keys to go with this backup: its own, or a later one. Raises BackupRefused, Doubt."""
    file = KeyFile.read(path)
    if file.jurisdiction != manifest.jurisdiction:
        raise BackupRefused(f"{path} holds the keys of {file.jurisdiction}, the backup is of {manifest.jurisdiction}")
    own = manifest.keys is not None and file_of(path) == manifest.keys.file
    if not own and file.made <= (manifest.keys.made if manifest.keys is not None else manifest.made):
        raise BackupRefused(
            f"{path} was taken {file.made:%Y-%m-%d %H:%M:%S} UTC and is not the copy that belongs to this backup: an older one "
            "lacks keys and brings erased ones back. Give the backup's own, or a later one"
        )
    return file


def _checkpoint(service: str, manifest: Manifest, walked: Walked) -> None:
    """The manifest's newest checkpoint is of this log; that its root fits was seen in the walk over all of them."""
    written = manifest.services[service].checkpoint
    if written is None:
        return
    try:
        said = Checkpoint.read(Note.read(written.encode()).text)
    except NoteRefused as error:
        raise Doubt(f"{service}, its newest checkpoint: {error}") from None
    if said.origin != manifest.services[service].origin or walked.roots.get(said.size) != said.root:
        raise Doubt(f"{service}: the first {said.size} events are not those of its newest checkpoint")


class _Reading:
    """What has to be read beside a log to check it."""

    def __init__(self, folder: Path, manifest: Manifest) -> None:
        self._folder, self._manifest = folder, manifest

    def log(self, service: str, sizes: frozenset[int]) -> Log:
        part = self._manifest.services[service]
        if part.checkpoint is not None:
            sizes |= _size_of(part.checkpoint)
        bare = Log(self._folder, service, part, self._manifest.jurisdiction, sizes)
        known = bare.known_lineages()
        leaves = set()
        for reader, other in self._manifest.services.items():
            for mark in other.received:
                if mark.source == service:
                    if mark.lineage == part.lineage and mark.position > part.position:
                        raise Doubt(f"{service}, event {mark.position}: {reader} received it, and it is not here")
                    if mark.position <= known.get(
                        mark.lineage, 0
                    ):  # else a restore forgot it, and nobody accepted that yet
                        leaves.add((mark.position, mark.leaf))
        inboxes = tuple(
            self._inbox(reader, service, lineage, ENDLESS if lineage == part.lineage else upto)
            for reader in self._manifest.services
            if reader != service
            for lineage, upto in known.items()
        )
        return Log(self._folder, service, part, self._manifest.jurisdiction, sizes, inboxes, frozenset(leaves))

    def _rows(self, service: str, table: str) -> Iterator[Row]:
        about = self._manifest.services[service].table(table)
        return rows(self._folder / about.file, about.columns)

    def _inbox(self, reader: str, source: str, lineage: str, upto: int) -> Iterator[tuple[str, int, bytes]]:
        """What was forgotten by the source (positions beyond `upto`) is left out."""
        of = (source.encode(), lineage.encode())
        for row in self._rows(reader, "record.inbox"):
            if (row["source"], row["lineage"]) == of and int(text(row["position"])) <= upto:
                yield reader, int(text(row["position"])), octets(row["body"])

    def received(self, service: str) -> Iterator[tuple[str, bytes]]:
        """(source, body) of everything that was received."""
        for row in self._rows(service, "record.inbox"):
            yield text(row["source"]), octets(row["body"])

    def files(self, service: str) -> set[str]:
        """SHA-256 of each that is there; the content is sealed, and whoever opens it sees whether it fits."""
        return {text(row["sha256"]) for row in self._rows(service, "record.file")}

    def witnessed(self, service: str, policy: Policy) -> Witnessed | None:
        """The newest checkpoint of the present lineage that meets the policy. Raises Doubt for a signature that does not fit."""
        origin = self._manifest.services[service].origin.encode()
        newest: deque[tuple[int, str]] = deque(maxlen=LOOKED_AT)
        lines = (row for row in self._rows(service, "record.cosignature") if row["origin"] == origin)
        line = next(lines, None)
        for row in self._rows(service, "record.checkpoint"):
            if row["origin"] != origin:
                continue
            size, note, signed = int(text(row["size"])), text(row["note"]), ""
            while line is not None and int(text(line["size"])) <= size:
                signed += text(line["line"])
                line = next(lines, None)
            newest.append((size, note + signed))
        for size, written in reversed(newest):
            try:
                found = Witnessed.of(Note.read(written.encode()), policy)
                if isinstance(found, Witnessed):
                    return found
            except NoteRefused as error:
                raise Doubt(f"{service}, its checkpoint of {size} events: {error}") from None
        return None


def _size_of(written: str) -> frozenset[int]:
    try:
        return frozenset({Checkpoint.read(Note.read(written.encode()).text).size})
    except NoteRefused:
        return frozenset()
