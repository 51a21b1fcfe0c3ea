"""A witness's memory: what it signed last, and what a log's key signed that the witness did not.

Kept is the checkpoint with the log's own line, once for each size and root: whoever hands it in can vary the rest at will.

    contradiction   the log's key signed two roots for one size. No honest log does; both notes are kept where they are known
    unproven        nothing proved that it grew from what was signed. Anybody can send a wrong proof, so this accuses nobody
    shorter         smaller than what was signed: an old checkpoint of the same log or another history; a witness cannot tell

What is proved later is settled, and no longer kept.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import ClassVar

from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.tree import EMPTY_ROOT
from shared.witness.roots import Roots

MOST, MOST_BYTES = 100, 4_000_000
"""Kept of each kind for a log: more tells nobody more. A contradiction of two notes of the greatest size has room."""

KEPT = """
CREATE TABLE IF NOT EXISTS signed_last (origin TEXT PRIMARY KEY, size INTEGER NOT NULL, root BLOB NOT NULL, note TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS kept (origin TEXT NOT NULL, size INTEGER NOT NULL, root BLOB NOT NULL, kind TEXT NOT NULL,
    at INTEGER NOT NULL, why TEXT NOT NULL, note TEXT NOT NULL, PRIMARY KEY (origin, size, root));
"""
LAST = """
INSERT OR IGNORE INTO log (origin) SELECT origin FROM latest ORDER BY rowid;
INSERT OR IGNORE INTO signed (log, size, root) SELECT id, size, root FROM latest JOIN log USING (origin);
"""
"""Of a witness that kept no other roots yet."""
SAME_ROOT = "SELECT 1 FROM kept WHERE origin = ? AND size = ? AND root = ?"
OTHER_ROOT = "SELECT 1 FROM kept WHERE origin = ? AND size = ? AND root != ?"
ROOM = "SELECT count(*), coalesce(sum(length(CAST(note AS BLOB))), 0) FROM kept WHERE origin = ? AND kind = ?"
SIGNED_AT = "SELECT root, note FROM signed_last JOIN latest USING (origin, size, root) WHERE origin = ? AND size = ?"
INSERT = "INSERT INTO kept (origin, size, root, kind, at, why, note) VALUES (?, ?, ?, ?, ?, ?, ?)"
FORMER = "SELECT at, origin, why, request FROM refused ORDER BY rowid"

said = logging.getLogger(__name__)


class Kind(StrEnum):
    CONTRADICTION = "contradiction"
    UNPROVEN = "unproven"
    SHORTER = "shorter"


@dataclass(frozen=True)
class Kept:
    """`at`: seconds since 1970; `note`: the checkpoint and the log's line."""

    at: int
    origin: str
    size: int
    kind: Kind
    why: str
    note: str


class WitnessMemory(Roots):
    tables: ClassVar[str] = Roots.tables + KEPT

    def __init__(self, file: Path) -> None:
        """Raises StateMissing."""
        super().__init__(file)
        self._full: set[tuple[str, Kind]] = set()
        self._db.executescript(self.tables + LAST)
        self._take_over()

    def signed(self, at: int, checkpoint: Checkpoint, note: Note) -> None:
        """It grew from what was signed before; `note` as in `Kept`."""
        self.put(checkpoint)
        key = (checkpoint.origin, checkpoint.size, checkpoint.root)
        self._db.execute(
            "INSERT OR REPLACE INTO signed_last (origin, size, root, note) VALUES (?, ?, ?, ?)", (*key, str(note))
        )
        self._db.execute(
            "DELETE FROM kept WHERE origin = ? AND size = ? AND root = ? AND kind != ?", (*key, Kind.CONTRADICTION)
        )
        if self._db.execute(OTHER_ROOT, key).fetchone():
            self._contradicted(at, checkpoint, note)

    def keep(self, at: int, checkpoint: Checkpoint, note: Note, why: str) -> None:
        """It was refused, although the log's key signed it. What is the log's all the same, its beginning or what was signed
        last, is not kept."""
        origin, size, root = checkpoint.origin, checkpoint.size, checkpoint.root
        last = self.latest(origin) or (0, EMPTY_ROOT)
        if (size, root) in (last, (0, EMPTY_ROOT)):
            return
        if size in (last[0], 0) or self._db.execute(OTHER_ROOT, (origin, size, root)).fetchone():
            self._contradicted(at, checkpoint, note)
        else:
            self._insert(at, checkpoint, Kind.SHORTER if size < last[0] else Kind.UNPROVEN, why, str(note))

    def misnamed(self, at: int, checkpoint: Checkpoint, note: Note, parent: Checkpoint) -> str:
        """Its name says another root than was signed for `parent` at that size: both notes are evidence, while that of the parent
        was the last one. Why, in words."""
        why = f"its name says another root at size {parent.size} of {parent.origin} than was signed"
        key = (checkpoint.origin, checkpoint.size, checkpoint.root)
        self._insert(at, checkpoint, Kind.CONTRADICTION, why, str(note))
        self._db.execute(
            "UPDATE kept SET kind = ?, why = ? WHERE origin = ? AND size = ? AND root = ?",
            (Kind.CONTRADICTION, why, *key),
        )
        last = self._db.execute(SIGNED_AT, (parent.origin, parent.size)).fetchone()
        if last is not None:
            self._insert(at, parent, Kind.CONTRADICTION, why, last[1])
        return why

    def kept(self) -> list[Kept]:
        """Those of one size together, contradictions first."""
        rows = self._db.execute(
            "SELECT at, origin, size, kind, why, note FROM kept ORDER BY kind != ?, origin, size, at",
            (Kind.CONTRADICTION,),
        )
        return [Kept(at, origin, size, Kind(kind), why, note) for at, origin, size, kind, why, note in rows]

    def counts(self) -> dict[Kind, int]:
        found = dict(self._db.execute("SELECT kind, count(*) FROM kept GROUP BY kind").fetchall())
        return {kind: found.get(kind, 0) for kind in Kind}

    def _contradicted(self, at: int, checkpoint: Checkpoint, note: Note) -> None:
        """By what was signed last, or by what is kept: that becomes evidence too."""
        origin, size = checkpoint.origin, checkpoint.size
        if not self._room(origin, Kind.CONTRADICTION, str(note)):
            return
        why = f"another root at size {size}"
        self._insert(at, checkpoint, Kind.CONTRADICTION, why, str(note))
        last = self._db.execute(SIGNED_AT, (origin, size)).fetchone()
        if last is not None:
            self._insert(at, Checkpoint(origin, size, last[0]), Kind.CONTRADICTION, why, last[1])
        self._db.execute(
            "UPDATE kept SET kind = ?, why = ? WHERE origin = ? AND size = ?", (Kind.CONTRADICTION, why, origin, size)
        )

    def _insert(self, at: int, checkpoint: Checkpoint, kind: Kind, why: str, note: str) -> None:
        """Once for a size and a root, while there is room."""
        key = (checkpoint.origin, checkpoint.size, checkpoint.root)
        if not self._db.execute(SAME_ROOT, key).fetchone() and self._room(checkpoint.origin, kind, note):
            self._db.execute(INSERT, (*key, kind, at, why, note))

    def _room(self, origin: str, kind: Kind, note: str) -> bool:
        """Says once when there is none: a line for every request would fill the disk as well."""
        count, held = self._db.execute(ROOM, (origin, kind)).fetchone()
        room: bool = count < MOST and held + len(note.encode()) <= MOST_BYTES
        if not room and (origin, kind) not in self._full:
            self._full.add((origin, kind))
            said.warning("%s: %d refused checkpoints are kept as %s, further ones are not", origin, count, kind)
        return room

    def _take_over(self) -> None:
        """What was kept in the former form, as whole requests: judged again, once. The requests stay where they are."""
        if self._taken_over():
            return
        with self.held():
            for at, origin, why, request in self._db.execute(FORMER).fetchall() if self.has("refused") else ():
                try:
                    note = Note.read(request.partition(b"\n\n")[2])
                    checkpoint = Checkpoint.read(note.text)
                except NoteRefused:
                    continue
                own = Note(note.text, tuple(s for s in note.lines if s.name == origin and len(s.signature) == 64))
                if why.startswith("another root"):
                    self._contradicted(at, checkpoint, own)
                else:
                    self.keep(at, checkpoint, own, why)
            self._db.execute("PRAGMA user_version = 1")

    def _taken_over(self) -> bool:
        version: int = self._db.execute("PRAGMA user_version").fetchone()[0]
        return version > 0
