"""The name of a service's log in one lineage, as it stands in the first line of its checkpoints.

    JURISDICTION/SERVICE/LINEAGE
    JURISDICTION/SERVICE/LINEAGE/after/PARENT/SIZE/ROOT

The second is a log that was restored: it has the first SIZE events in common with the lineage PARENT, and ROOT (hex) is the
root over them. PARENT is the nearest one that was signed: of a lineage that never was, nobody outside knows anything.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from shared.transparency.note import NoteRefused


@dataclass(frozen=True)
class After:
    """What a log grew from; `root`: 32 bytes."""

    parent: str
    size: int
    root: bytes


@dataclass(frozen=True)
class Begun:
    """How a lineage began: with the first `size` events of `parent`, None for the first of all; `signed`: it has a checkpoint."""

    parent: str | None
    size: int
    signed: bool


def grew_from(lineage: str, known: Mapping[str, Begun]) -> tuple[str, int] | None:
    """(PARENT, SIZE) in the name of `lineage`; None for the first of all. Where no ancestor was signed, it is the oldest one."""
    parent, size = known[lineage].parent, known[lineage].size
    if parent is None:
        return None
    for _ in known:  # each is passed over once at most, whoever wrote what is known
        up = known.get(parent)
        if up is None or up.signed or up.parent is None:
            break
        parent, size = up.parent, min(size, up.size)
    return parent, size


@dataclass(frozen=True)
class Origin:
    jurisdiction: str
    service: str
    lineage: str
    after: After | None = None

    def __str__(self) -> str:
        name = f"{self.jurisdiction}/{self.service}/{self.lineage}"
        return (
            name
            if self.after is None
            else f"{name}/after/{self.after.parent}/{self.after.size}/{self.after.root.hex()}"
        )

    @property
    def log(self) -> str:
        """What all lineages of one log have in common."""
        return f"{self.jurisdiction}/{self.service}"

    @staticmethod
    def read(written: str) -> "Origin":
        """Raises NoteRefused."""
        try:
            origin = _read(written.split("/"))
        except ValueError:
            origin = None
        # One form: what is read and written again is the same.
        if origin is None or str(origin) != written or any(c.isspace() or c == "+" for c in written):
            raise NoteRefused(
                f"{written[:200]!r} is no name of a log: JURISDICTION/SERVICE/LINEAGE[/after/PARENT/SIZE/ROOT]"
            )
        return origin


def _read(parts: list[str]) -> Origin | None:
    """Raises ValueError."""
    match parts:
        case [jurisdiction, service, lineage] if all(parts):
            return Origin(jurisdiction, service, lineage)
        case [jurisdiction, service, lineage, "after", parent, size, root] if all(parts) and lineage != parent:
            after = After(parent, int(size), bytes.fromhex(root))
            return (
                Origin(jurisdiction, service, lineage, after)
                if 0 <= after.size < 10**18 and len(after.root) == 32
                else None
            )
    return None
