"""Every root that was signed for a log, beside the last: so a log that was restored can be held to what was signed before.

A log that was set back to SIZE has nothing left to prove that it leads to what was signed last; but it can prove that it grew
from the last one that was signed at or below SIZE.
"""

from typing import ClassVar

from shared.transparency.checkpoint import Checkpoint
from shared.witness.state import TABLES, State

SIGNED = """
CREATE TABLE IF NOT EXISTS log (id INTEGER PRIMARY KEY, origin TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS signed (log INTEGER NOT NULL REFERENCES log, size INTEGER NOT NULL, root BLOB NOT NULL,
    PRIMARY KEY (log, size)) WITHOUT ROWID;
"""
AT_OR_BELOW = """
SELECT size, root FROM signed JOIN log ON log.id = signed.log WHERE origin = ? AND size <= ? ORDER BY size DESC LIMIT 1
"""


class Roots(State):
    """Every origin that was ever signed for, in the order in which they came, and every root."""

    tables: ClassVar[str] = TABLES + SIGNED

    def put(self, checkpoint: Checkpoint) -> None:
        super().put(checkpoint)
        self._db.execute("INSERT OR IGNORE INTO log (origin) VALUES (?)", (checkpoint.origin,))
        row = (checkpoint.size, checkpoint.root, checkpoint.origin)
        self._db.execute(
            "INSERT OR IGNORE INTO signed (log, size, root) SELECT id, ?, ? FROM log WHERE origin = ?", row
        )

    def origins(self) -> list[str]:
        return [row[0] for row in self._db.execute("SELECT origin FROM log ORDER BY id")]

    def at_or_below(self, origin: str, size: int) -> tuple[int, bytes] | None:
        """(size, root) of the last checkpoint that was signed for it with at most `size` events."""
        row = self._db.execute(AT_OR_BELOW, (origin, size)).fetchone()
        return (row[0], row[1]) if row is not None else None
