"""Identifiers. What must be the same after a retry is derived; what must not be guessed is random."""

from uuid import UUID, uuid4, uuid5

NAMESPACE = UUID("6f1d7a0e-6c1d-5a60-9a52-4d0c2f1f3b11")


def derived(*parts: object) -> UUID:
    """The same parts give the same id on any machine: (source, lineage, position, reaction), (timer, subject, due_at)."""
    return uuid5(NAMESPACE, "\x1f".join(str(p) for p in parts))


def event_id(command_id: UUID, stream_id: str, version: int) -> UUID:
    """The id of the event that `command_id` puts at `version`; a repeated append therefore clashes with itself."""
    return uuid5(command_id, f"{stream_id}\x1f{version}")


def fresh() -> UUID:
    """A random id."""
    return uuid4()
