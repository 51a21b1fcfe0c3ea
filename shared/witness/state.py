"""What a witness or a signer has signed last for each log: one SQLite file, the only memory there is.

Comparing with the last size and replacing it are one transaction, or two requests at once could roll the witness back.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import ClassVar, Self

from shared.transparency.checkpoint import Checkpoint

TABLES = """
CREATE TABLE IF NOT EXISTS latest (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
"""


class StateMissing(RuntimeError):
    """A witness that forgot what it signed must not sign again: it is retired, and a new one has a new key."""


class State:
    """`file` has to be there, with its tables; `State.make` makes it, once, with the witness's key."""

    tables: ClassVar[str] = TABLES

    def __init__(self, file: Path) -> None:
        """Raises StateMissing."""
        if not file.exists():
            raise StateMissing(f"{file} is not there; without it this key must not sign again")
        self._db = sqlite3.connect(file, isolation_level=None)
        try:
            self._db.execute("PRAGMA synchronous = FULL")
            made = self.has("latest")
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise StateMissing(f"{file} cannot be read: {error}") from error
        if not made:
            self._db.close()
            raise StateMissing(f"{file} is empty; without what it held this key must not sign again")

    @classmethod
    def make(cls, file: Path) -> Self:
        """Raises FileExistsError."""
        with file.open("xb"):
            pass
        with closing(sqlite3.connect(file, isolation_level=None)) as db:
            db.executescript(cls.tables)
        return cls(file)

    def has(self, table: str) -> bool:
        return self._db.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (table,)).fetchone() is not None

    @contextmanager
    def held(self) -> Iterator[None]:
        """Nobody else reads or writes meanwhile; what is written stands when the block ends well."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def latest(self, origin: str) -> tuple[int, bytes] | None:
        """(size, root) of the last checkpoint signed for it."""
        row = self._db.execute("SELECT size, root FROM latest WHERE origin = ?", (origin,)).fetchone()
        return (row[0], row[1]) if row is not None else None

    def put(self, checkpoint: Checkpoint) -> None:
        row = (checkpoint.origin, checkpoint.size, checkpoint.root)
        self._db.execute("INSERT OR REPLACE INTO latest (origin, size, root) VALUES (?, ?, ?)", row)

    def close(self) -> None:
        self._db.close()
