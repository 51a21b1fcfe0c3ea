"""Checkpoints (C2SP tlog-checkpoint): origin, size and root of a log, as the text of a signed note; and the proof files made on
them (C2SP tlog-proof)."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from shared.transparency.note import Note, NoteRefused

PROOF = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Checkpoint:
    """`origin` names one log in one lineage; `root`: 32 bytes."""

    origin: str
    size: int
    root: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @staticmethod
    def read(text: str) -> "Checkpoint":
        """Lines after the third are somebody's extension, and signed with the rest. Raises NoteRefused."""
        lines = text.split("\n")
        if len(lines) < 4 or not all(lines[:-1]):
            raise NoteRefused("a checkpoint has an origin, a size and a root, a line each")
        origin, size, root = lines[:3]
        if not (size.isascii() and size.isdigit() and len(size) < 19) or (size[0] == "0" and size != "0"):
            raise NoteRefused(f"{size[:20]!r} is no size of a log")
        try:
            raw = base64.b64decode(root, validate=True)
        except (binascii.Error, ValueError):
            raw = b""
        if len(raw) != 32 or base64.b64encode(raw).decode() != root:
            raise NoteRefused("a root is 32 bytes in base64")
        return Checkpoint(origin, int(size), raw)


def proof_file(index: int, path: Sequence[bytes], checkpoint: Note, extra: bytes | None = None) -> str:
    """The text of a `.tlog-proof`: that entry `index` (from 0) is in the log of `checkpoint`, for whoever trusts its keys."""
    lines = [PROOF]
    if extra is not None:
        lines.append(f"extra {base64.b64encode(extra).decode()}")
    lines.append(f"index {index}")
    lines += [base64.b64encode(hash_).decode() for hash_ in path]
    return "\n".join(lines) + f"\n\n{checkpoint}"
