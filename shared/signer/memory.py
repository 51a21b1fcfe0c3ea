"""What the signer signed: the last checkpoint of every log, as a witness keeps it, and the roots of all earlier ones; and what it
refused.

The earlier ones are for a restore. A log that was set back to SIZE has nothing left to prove that it leads to what was signed
last; but it can prove that it grew from the last one that was signed at or below SIZE.
"""

from typing import ClassVar

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.origin import Origin
from shared.witness.state import TABLES, State

SIGNED = """
CREATE TABLE IF NOT EXISTS refused (at INTEGER NOT NULL, origin TEXT NOT NULL, why TEXT NOT NULL, request BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS signed (log INTEGER NOT NULL REFERENCES log, size INTEGER NOT NULL, root BLOB NOT NULL,
    PRIMARY KEY (log, size)) WITHOUT ROWID;
"""
AT_OR_BELOW = """
SELECT size, root FROM signed JOIN log ON log.id = signed.log WHERE origin = ? AND size <= ? ORDER BY size DESC LIMIT 1
"""


class Memory(State):
    """Every origin that was ever signed for, in the order in which they came, and every root."""

    tables: ClassVar[str] = TABLES + SIGNED

    def put(self, checkpoint: Checkpoint) -> None:
        super().put(checkpoint)
        self._db.execute("INSERT OR IGNORE INTO log (origin) VALUES (?)", (checkpoint.origin,))
        row = (checkpoint.size, checkpoint.root, checkpoint.origin)
        self._db.execute(
            "INSERT OR IGNORE INTO signed (log, size, root) SELECT id, ?, ? FROM log WHERE origin = ?", row
        )

    def origins(self) -> list[Origin]:
        return [Origin.read(row[0]) for row in self._db.execute("SELECT origin FROM log ORDER BY id")]

    def at_or_below(self, origin: Origin, size: int) -> tuple[int, bytes] | None:
        """(size, root) of the last checkpoint that was signed for it with at most `size` events."""
        row = self._db.execute(AT_OR_BELOW, (str(origin), size)).fetchone()
        return (row[0], row[1]) if row is not None else None

    def refuse(self, at: int, origin: str, why: str, request: bytes) -> None:
        """Keeps a request that does not fit what was signed. Once: a log that is refused goes on asking."""
        found = self._db.execute("SELECT 1 FROM refused WHERE origin = ? AND request = ?", (origin, request)).fetchone()
        if found is None:
            row = (at, origin, why, request)
            self._db.execute("INSERT INTO refused (at, origin, why, request) VALUES (?, ?, ?, ?)", row)

    def refusals(self) -> list[tuple[int, str, str, bytes]]:
        """(at, origin, why, request), oldest first."""
        return list(self._db.execute("SELECT at, origin, why, request FROM refused ORDER BY rowid"))
