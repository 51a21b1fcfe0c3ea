"""Whose keys were destroyed: found in every fact there is, so that no older copy of the keys brings anybody back."""

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from uuid import UUID

from shared.contracts.envelope import attributes
from shared.contracts.intake.informant import InformantErased
from shared.contracts.intake.words import WordsErased

ERASED = {InformantErased.type: "subject", WordsErased.type: "subject"}
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
    """`subjects`: subject -> its erasure, of those that get no key again; `words`: id of an event -> the erasure of a record that
    may have gone on with other keys; `keys`: ids of keys that these name, or that another copy of the keys knows as destroyed."""

    subjects: dict[str, Erasure] = field(default_factory=dict)
    words: dict[str, Erasure] = field(default_factory=dict)
    keys: set[str] = field(default_factory=set)

    def note(self, body: bytes, where: str) -> None:
        """Looks at one fact; canonical bytes hold the type only where it is the type."""
        if any(mark in body for mark in _MARKS):
            type_, event_id, recorded_at = attributes(body, "type", "id", "recordedat")
            named, data = ERASED.get(type_ or ""), json.loads(body)["data"]
            subject = data.get(named) if named else None
            if isinstance(subject, str):
                erasure = Erasure(subject, event_id or "", recorded_at or "", where)
                if type_ == WordsErased.type:
                    self.words.setdefault(erasure.event_id, erasure)
                    self.keys.update(_ids(data.get("keys")))
                else:
                    self.subjects.setdefault(subject, erasure)

    def told(self) -> Iterator[Erasure]:
        """Each once."""
        yield from self.subjects.values()
        yield from self.words.values()


def _ids(told: object) -> Iterator[str]:
    """Nobody has verified every place that is looked into: what is no id of a key destroys none, and holds up nothing."""
    for each in told if isinstance(told, list) else ():
        with contextlib.suppress(ValueError):
            yield str(UUID(str(each)))
