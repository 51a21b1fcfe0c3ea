"""An event as an auditor wants it named: where it stands, what it is, who recorded it, and when."""

import json
from dataclasses import dataclass
from typing import Any

from shared.sql import Tx

OWN = "SELECT e.body FROM record.log l JOIN record.event e USING (event_id) WHERE l.position = $1"
# Of two pasts of a restored source, the one that counts.
RECEIVED = """
SELECT i.body FROM record.inbox i WHERE i.source = $1 AND i.position = $2 ORDER BY EXISTS (
    SELECT FROM record.forgotten f WHERE f.source = i.source AND f.lineage = i.lineage AND i.position > f.shared
) LIMIT 1
"""


@dataclass(frozen=True)
class Told:
    """Moments as the envelope has them, UTC."""

    source: str
    position: int
    event_id: str
    type: str
    stream: str
    actor: str
    in_role: str
    occurred_at: str
    recorded_at: str

    @property
    def line(self) -> str:
        return (
            f"{self.source} {self.position} {self.type} {self.stream} {self.actor} ({self.in_role}) {self.occurred_at}"
        )


def told(source: str, position: int, body: bytes) -> Told:
    e: dict[str, Any] = json.loads(body)
    names = {"event_id": "id", "type": "type", "stream": "subject", "actor": "actor", "in_role": "inrole"}
    moments = {"occurred_at": "time", "recorded_at": "recordedat"}
    return Told(source=source, position=position, **{name: e[at] for name, at in (names | moments).items()})


async def told_at(tx: Tx, service: str, source: str, position: int) -> Told | None:
    """From the record of `service`; None for what it did not receive."""
    own = source == service
    body = await (tx.value(OWN, (position,)) if own else tx.value(RECEIVED, (source, position)))
    return told(source, position, body) if body is not None else None
