"""The copy of the key store: a line that says what it is, then its rows. Read back, erased keys stay erased."""

import json
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

import asyncpg

from shared.backup.erasures import Erasures
from shared.backup.manifest import BackupRefused, Doubt, File
from shared.backup.rows import NULL, RowFile, lines, text, unescaped
from shared.identity.key_store import bound_to
from shared.identity.wrapping import KeyWrapper, Wrapped

FORMAT = "minewatch-keys/1"
PUT_BY = 5000
"""Keys handed to COPY at a time."""
COLUMNS = """
SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute
WHERE attrelid = 'public.key'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
"""


@dataclass(frozen=True)
class KeyFile:
    """What the first line says. `rows`: how many follow."""

    path: Path
    jurisdiction: str
    made: datetime
    columns: tuple[str, ...]
    rows: int

    @staticmethod
    def read(path: Path) -> "KeyFile":
        """Raises BackupRefused, Doubt."""
        first = next(lines(path), b"")
        try:
            said = json.loads(first)
            if said["format"] != FORMAT:
                raise BackupRefused(f"{path} is of format {said['format']}; this program reads {FORMAT}")
            made = datetime.fromisoformat(said["made"])
            return KeyFile(path, said["jurisdiction"], made, tuple(said["columns"]), int(said["rows"]))
        except (ValueError, KeyError, TypeError):
            raise BackupRefused(f"{path} is no copy of a key store") from None

    def each(self) -> Iterator[list[bytes]]:
        """The rows' fields, still escaped. Raises Doubt when they are not as many as were taken."""
        rest = lines(self.path)
        next(rest)
        seen = 0
        for line in rest:
            fields = line.split(b"\t")
            if len(fields) != len(self.columns):
                raise Doubt(f"{self.path}, row {seen + 1}: {len(fields)} values for {len(self.columns)} columns")
            seen += 1
            yield fields
        if seen != self.rows:
            raise Doubt(f"{self.path}: {self.rows} keys were taken, {seen} are there")

    def destroyed(self) -> Iterator[str]:
        """Ids of keys that had been destroyed when it was taken."""
        at, wrapped = self.columns.index("key_id"), self.columns.index("wrapped")
        return (fields[at].decode() for fields in self.each() if fields[wrapped] == NULL)


async def take_keys(path: Path, connection: asyncpg.Connection, jurisdiction: str) -> tuple[datetime, int, File]:
    """(when it was taken, how many, the file)."""
    async with connection.transaction(isolation="repeatable_read", readonly=True):
        rows = await connection.fetchval("SELECT count(*) FROM public.key")
        columns = await connection.fetchval(COLUMNS)
        made = datetime.now(UTC)
        about = {"format": FORMAT, "jurisdiction": jurisdiction, "made": made.isoformat(), "columns": columns}
        out = RowFile(path)
        await out.take(json.dumps(about | {"rows": rows}).encode() + b"\n")
        listed = ", ".join(f'"{column}"' for column in columns)
        await connection.copy_from_query(
            f"SELECT {listed} FROM public.key ORDER BY key_id", output=out.take, format="text"
        )
        kept = out.close()
    if out.rows - 1 != rows:
        raise BackupRefused(f"{path}: {rows} keys are there, {out.rows - 1} were given")
    return made, rows, kept


@dataclass
class Kept:
    """Keys as they are put back: those of erased subjects never reach the new database, not even for a moment."""

    file: KeyFile
    erasures: Erasures
    wrapper: KeyWrapper | None
    erased_again: int = 0

    async def chunks(self, progress: Callable[[int], None] = lambda _: None) -> AsyncIterator[bytes]:
        """COPY's lines, thousands at a time. Raises Doubt, WrongMasterKey, KeyServiceAway."""
        each, done = self.file.each(), 0
        while some := list(islice(each, PUT_BY)):
            opening = [pair for fields in some if (pair := self._put_back(fields)) is not None]
            if self.wrapper is not None:
                await self.wrapper.unwrap(opening)
            yield b"".join(b"\t".join(fields) + b"\n" for fields in some)
            done += len(some)
            progress(done)

    def _put_back(self, fields: list[bytes]) -> Wrapped | None:
        """Takes the key out of the row of somebody erased; else what the master key has to open, if it is there."""
        at = {column: nth for nth, column in enumerate(self.file.columns)}
        if fields[at["wrapped"]] == NULL:
            return None
        key_id, subject, audience = (text(unescaped(fields[at[name]])) for name in ("key_id", "subject", "audience"))
        if subject in self.erasures.subjects or key_id in self.erasures.keys:
            now = datetime.now(UTC).isoformat().encode()
            fields[at["wrapped"]], fields[at["sealing"]], fields[at["destroyed_at"]] = NULL, b"f", now
            self.erased_again += 1
            return None
        wrapped = bytes.fromhex((unescaped(fields[at["wrapped"]]) or b"")[2:].decode())
        return wrapped, bound_to(key_id, subject, audience)
