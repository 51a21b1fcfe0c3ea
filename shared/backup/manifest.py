"""The manifest of a backup: what is in it, where each log ends, and the hash of every file."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath

from pydantic import TypeAdapter, ValidationError

from shared.errors import MinewatchError

FORMAT = "minewatch-backup/1"
MANIFEST = "manifest.json"
KEYS = "keys.copy.gz"
PLANS = "plans"
POLICY = "policy"
_CHUNK = 1 << 20


class BackupRefused(MinewatchError):
    """No backup, an unfinished one, or one this program cannot read; says what to do."""


class Doubt(MinewatchError):
    """The backup is not what was taken, or contradicts what is known elsewhere; names the first place."""


@dataclass(frozen=True)
class Table:
    """`name`: schema.table; `file` below the backup's folder; `columns` in the order of the rows."""

    name: str
    file: str
    columns: tuple[str, ...]
    rows: int


@dataclass(frozen=True)
class Received:
    """Up to where a service had received another's log; `leaf` in hex, of the event there."""

    source: str
    lineage: str
    position: int
    leaf: str


@dataclass(frozen=True)
class Part:
    """One service. `position`, `root` (hex): where its log ends; `sequenced_at`: when that event got its number; `waiting`:
    events without a number yet; `checkpoint`: the newest note with all its lines; `views`: names of its read models' tables;
    `tables` in an order in which they can be loaded."""

    step: str
    origin: str
    lineage: str
    position: int
    root: str
    sequenced_at: datetime | None
    waiting: int
    received: tuple[Received, ...]
    checkpoint: str | None
    views: tuple[str, ...]
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """Raises BackupRefused."""
        for table in self.tables:
            if table.name == name:
                return table
        raise BackupRefused(f"the backup has no {name}")


@dataclass(frozen=True)
class File:
    bytes: int
    sha256: str


@dataclass(frozen=True)
class Keys:
    """The key store's copy; `inside`: whether it lies in the backup's folder."""

    inside: bool
    made: datetime
    rows: int
    file: File


@dataclass(frozen=True)
class Manifest:
    """`made`: when the databases stood like this. `keys`: None when they were left out. `elsewhere`: what a town needs and is
    not in here."""

    format: str
    minewatch: str
    jurisdiction: str
    made: datetime
    services: Mapping[str, Part]
    keys: Keys | None
    files: Mapping[str, File]
    elsewhere: tuple[str, ...]

    @staticmethod
    def read(folder: Path) -> "Manifest":
        """Raises BackupRefused."""
        try:
            written = (folder / MANIFEST).read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            raise BackupRefused(
                f"{folder} is no finished backup: it has no {MANIFEST}, which is written last. Take another"
            ) from None
        try:
            manifest = _MANIFEST.validate_json(written)
        except ValidationError as error:
            first = error.errors()[0]
            at = ".".join(str(each) for each in first["loc"])
            raise BackupRefused(f"{folder / MANIFEST} cannot be read: {at}: {first['msg']}") from None
        if manifest.format != FORMAT:
            raise BackupRefused(f"{folder} is of format {manifest.format}; this program reads {FORMAT}")
        listed = [*manifest.files, *(table.file for part in manifest.services.values() for table in part.tables)]
        for name in listed:
            path = PurePosixPath(name)
            if path.is_absolute() or ".." in path.parts or name not in manifest.files:
                raise BackupRefused(f"{folder / MANIFEST} names {name!r}, which is no file of a backup")
        return manifest

    def write(self, folder: Path) -> str:
        """In one step, and on the disk when this returns; its SHA-256 in hex."""
        text = _MANIFEST.dump_json(self, indent=1) + b"\n"
        fresh = folder / f".{MANIFEST}"
        with open(fresh, "wb", opener=private) as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(folder / MANIFEST)
        sync_folder(folder)
        return hashlib.sha256(text).hexdigest()


_MANIFEST = TypeAdapter(Manifest)


def private(path: str, flags: int) -> int:
    """For `open`: readable by the owner only."""
    return os.open(path, flags, 0o600)


def sync_folder(folder: Path) -> None:
    """The names in it stand after a power cut."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def file_of(path: Path) -> File:
    """Size and hash as it lies there. Raises Doubt when it is not there."""
    digest, size = hashlib.sha256(), 0
    try:
        with path.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
    except OSError as error:
        raise Doubt(f"{path} cannot be read: {error.strerror}") from None
    return File(size, digest.hexdigest())
