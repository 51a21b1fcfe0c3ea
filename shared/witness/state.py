"""What a witness has signed last for each log, and what it refused: one SQLite file, the only memory there is.

Comparing with the last size and replacing it are one transaction, or two requests at once could roll the witness back.
"""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from shared.transparency.checkpoint import Checkpoint

TABLES = """
CREATE TABLE IF NOT EXISTS latest (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS refused (at INTEGER NOT NULL, origin TEXT NOT NULL, why TEXT NOT NULL, request BLOB NOT NULL);
"""


class StateMissing(RuntimeError):
    """A witness that forgot what it signed must not sign again: it is retired, and a new one has a new key."""


class State:
    """`file` has to be there; `State.make` makes it, once, with the witness's key."""

    tables: ClassVar[str] = TABLES

    def __init__(self, file: Path) -> None:
        """Raises StateMissing."""
        if not file.exists():
            raise StateMissing(f"{file} is not there; without it this key must not sign again")
        self._db = sqlite3.connect(file, isolation_level=None)
        self._db.execute("PRAGMA synchronous = FULL")

    @classmethod
    def make(cls, file: Path) -> Self:
        """Raises FileExistsError."""
        with file.open("xb"):
            pass
        state = cls(file)
        state._db.executescript(cls.tables)
        return state

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

    def refuse(self, at: int, origin: str, why: str, request: bytes) -> None:
        """Keeps a request that a log signed and that does not fit what it signed before: evidence against the log. Once: a log
        that is refused goes on asking."""
        if (
            self._db.execute("SELECT 1 FROM refused WHERE origin = ? AND request = ?", (origin, request)).fetchone()
            is None
        ):
            row = (at, origin, why, request)
            self._db.execute("INSERT INTO refused (at, origin, why, request) VALUES (?, ?, ?, ?)", row)

    def refusals(self) -> list[tuple[int, str, str, bytes]]:
        """(at, origin, why, request), oldest first."""
        return list(self._db.execute("SELECT at, origin, why, request FROM refused ORDER BY rowid"))

    def refused(self) -> int:
        """How many."""
        count: int = self._db.execute("SELECT count(*) FROM refused").fetchone()[0]
        return count

    def close(self) -> None:
        self._db.close()
