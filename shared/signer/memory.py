"""What the signer signed, the last checkpoint of every log and the roots of all earlier ones; and what it refused."""

from typing import ClassVar

from shared.witness.roots import Roots

REFUSED = """
CREATE TABLE IF NOT EXISTS refused (at INTEGER NOT NULL, origin TEXT NOT NULL, why TEXT NOT NULL, request BLOB NOT NULL);
"""


class Memory(Roots):
    tables: ClassVar[str] = Roots.tables + REFUSED

    def refuse(self, at: int, origin: str, why: str, request: bytes) -> None:
        """Keeps a request that does not fit what was signed. Once: a log that is refused goes on asking."""
        found = self._db.execute("SELECT 1 FROM refused WHERE origin = ? AND request = ?", (origin, request)).fetchone()
        if found is None:
            row = (at, origin, why, request)
            self._db.execute("INSERT INTO refused (at, origin, why, request) VALUES (?, ?, ?, ?)", row)

    def refusals(self) -> list[tuple[int, str, str, bytes]]:
        """(at, origin, why, request), oldest first."""
        return list(self._db.execute("SELECT at, origin, why, request FROM refused ORDER BY rowid"))
