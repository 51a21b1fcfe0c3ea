"""Rows in files: COPY's text format, a row a line, compressed. Postgres of any later version reads it, and so does this."""

import gzip
import hashlib
import os
import re
import zlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

from shared.backup.manifest import Doubt, File, private

NULL = b"\\N"
_CHUNK = 1 << 18
_ESCAPED = re.compile(rb"\\(.)", re.DOTALL)
_MEANT = {b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t", b"v": b"\v"}
_LEVEL = 1
"""What is sealed does not compress, and the rest is small: the fastest level."""


class RowFile:
    """Takes what COPY sends. Closed, it is on the disk."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._raw = os.fdopen(private(str(path), os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb")
        self._digest, self._bytes, self.rows = hashlib.sha256(), 0, 0
        # The same rows make the same file, whenever they are taken.
        self._zip = zlib.compressobj(_LEVEL, zlib.DEFLATED, 16 + zlib.MAX_WBITS)

    async def take(self, data: bytes) -> None:
        self.rows += data.count(b"\n")
        self._put(self._zip.compress(data))

    def _put(self, packed: bytes) -> None:
        self._digest.update(packed)
        self._bytes += len(packed)
        self._raw.write(packed)

    def close(self) -> File:
        self._put(self._zip.flush())
        self._raw.flush()
        os.fsync(self._raw.fileno())
        self._raw.close()
        return File(self._bytes, self._digest.hexdigest())


def lines(path: Path) -> Iterator[bytes]:
    """Each row without its line end, still escaped. Raises Doubt, naming the file."""
    try:
        with gzip.open(path, "rb") as rows:
            for line in rows:
                if not line.endswith(b"\n"):
                    raise Doubt(f"{path}: the last row is cut off")
                yield line[:-1]
    except (OSError, EOFError, zlib.error) as error:
        raise Doubt(f"{path} cannot be read: {error}") from None


def rows(path: Path, columns: tuple[str, ...]) -> Iterator[dict[str, bytes | None]]:
    """Column -> value as Postgres writes it, None for null. Raises Doubt."""
    for nth, line in enumerate(lines(path), 1):
        fields = line.split(b"\t")
        if len(fields) != len(columns):
            raise Doubt(f"{path}, row {nth}: {len(fields)} values for {len(columns)} columns")
        yield {column: unescaped(field) for column, field in zip(columns, fields, strict=True)}


def unescaped(field: bytes) -> bytes | None:
    if b"\\" not in field:
        return field
    if field == NULL:
        return None
    return _ESCAPED.sub(lambda found: _MEANT.get(found[1], found[1]), field)


def octets(value: bytes | None) -> bytes:
    r"""A bytea written as \x and hex digits. Raises ValueError for anything else."""
    if value is None or not value.startswith(b"\\x"):
        raise ValueError("no bytes")
    return bytes.fromhex(value[2:].decode("ascii"))


def text(value: bytes | None) -> str:
    """Raises ValueError for null."""
    if value is None:
        raise ValueError("no text")
    return value.decode("utf-8")


async def chunks(path: Path) -> AsyncIterator[bytes]:
    """The file's rows for COPY, some at a time."""
    with gzip.open(path, "rb") as file:
        while chunk := file.read(_CHUNK):
            yield chunk
