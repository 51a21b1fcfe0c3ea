"""Whose keys were destroyed: found in every fact there is, so that no older copy of the keys brings anybody back."""

import json
from dataclasses import dataclass, field

from shared.contracts.envelope import attributes
from shared.contracts.intake.informant import InformantErased

ERASED = {InformantErased.type: "subject"}
"""Type of an event that says it -> the field of its data that names whose keys are destroyed."""
_MARKS = tuple(f'"type":"{type_}"'.encode() for type_ in ERASED)


@dataclass(frozen=True)
class Erasure:
    """`where`: in which copy of which log it was found first."""

    subject: str
    event_id: str
    recorded_at: str
    where: str


@dataclass
class Erasures:
    """`subjects`: subject -> its erasure; `keys`: ids of keys that another copy of the key store knows as destroyed."""

    subjects: dict[str, Erasure] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def note(self, body: bytes, where: str) -> None:
        """Looks at one fact; canonical bytes hold the type only where it is the type."""
        if any(mark in body for mark in _MARKS):
            type_, event_id, recorded_at = attributes(body, "type", "id", "recordedat")
            named = ERASED.get(type_ or "")
            subject = json.loads(body)["data"].get(named) if named else None
            if isinstance(subject, str):
                self.subjects.setdefault(subject, Erasure(subject, event_id or "", recorded_at or "", where))
