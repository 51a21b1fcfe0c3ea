"""The bytes of a fact: one CloudEvent in structured mode, canonical JSON (RFC 8785), made once and never again.

Those bytes are stored, hashed, published and replayed. `leaf = SHA-256(0x00 ‖ body)` is the event's Merkle leaf (RFC 6962).
"""

import base64
import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

import rfc8785
from pydantic_core import from_json

from shared.contracts.event import Event
from shared.contracts.registry import CONTRACTS, Registry
from shared.errors import Unreadable

MAX_BODY = 65_535
"""Bytes. An entry of a tlog-tiles bundle has a 16-bit length."""

_TRACEPARENT = re.compile(rb'"traceparent":"([0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2})"')
"""The quotes stand bare in canonical JSON only around a name, never inside a text."""

E = TypeVar("E", bound=Event, covariant=True)


@dataclass(frozen=True, slots=True)
class Recorded(Generic[E]):
    """One event as it stands in a log. `position` and `lineage` are None until it is sequenced."""

    event_id: UUID
    source: str
    stream_id: str
    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    in_role: str
    on_behalf_of: str | None
    causation_id: UUID
    correlation_id: str
    traceparent: str | None
    plan_version: str | None
    event: E
    body: bytes
    leaf: bytes
    position: int | None = None
    lineage: str | None = None


@dataclass(frozen=True, slots=True)
class Header:
    """What an envelope says beside the fact itself; the arguments of `write`."""

    event_id: UUID
    jurisdiction: str
    source: str
    stream_id: str
    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    in_role: str
    on_behalf_of: str | None
    causation_id: UUID
    correlation_id: str
    traceparent: str | None
    plan_version: str | None


def leaf_of(body: bytes) -> bytes:
    """The 32 bytes of the event's leaf in the Merkle tree."""
    return hashlib.sha256(b"\x00" + body).digest()


def moment(at: datetime) -> str:
    """RFC 3339, UTC, always six digits, so that equal moments are equal bytes."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def write(header: Header, data: dict[str, Any], prev: bytes | None, salt: bytes) -> bytes:
    """The canonical bytes. Raises ValueError when they are longer than MAX_BODY or hold what JSON cannot keep exactly."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "id": str(header.event_id),
        "source": f"/{header.jurisdiction}/{header.source}",
        "type": header.type,
        "subject": header.stream_id,
        "time": moment(header.occurred_at),
        "recordedat": moment(header.recorded_at),
        "actor": header.actor,
        "inrole": header.in_role,
        "causationid": str(header.causation_id),
        "correlationid": header.correlation_id,
        "version": header.version,
        "salt": base64.b64encode(salt).decode(),
        "data": data,
    }
    optional = {
        "onbehalfof": header.on_behalf_of,
        "traceparent": header.traceparent,
        "planversion": header.plan_version,
        "prev": prev.hex() if prev else None,
    }
    envelope.update({name: value for name, value in optional.items() if value is not None})
    body = rfc8785.dumps(envelope)
    if len(body) > MAX_BODY:
        raise ValueError(f"{header.type} takes {len(body)} bytes, {MAX_BODY} are allowed")
    return body


def read(
    body: bytes, position: int | None = None, lineage: str | None = None, contracts: Registry = CONTRACTS
) -> Recorded[Event]:
    """The event in `body`. Raises Unreadable, with the reason, for anything that is no known event."""
    try:
        e = from_json(body)
        event = contracts.read(e["type"], e["data"])
        return Recorded(
            event_id=UUID(e["id"]),
            source=e["source"].rsplit("/", 1)[-1],
            stream_id=e["subject"],
            version=e["version"],
            type=event.type,
            occurred_at=datetime.fromisoformat(e["time"]),
            recorded_at=datetime.fromisoformat(e["recordedat"]),
            actor=e["actor"],
            in_role=e["inrole"],
            on_behalf_of=e.get("onbehalfof"),
            causation_id=UUID(e["causationid"]),
            correlation_id=e["correlationid"],
            traceparent=e.get("traceparent"),
            plan_version=e.get("planversion"),
            event=event,
            body=body,
            leaf=leaf_of(body),
            position=position,
            lineage=lineage,
        )
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreadable(f"no event envelope: {type(error).__name__} {error}"[:200]) from error


def traceparent_of(body: bytes) -> str | None:
    """The trace an event carries, found without reading the rest: every event passes several who want only this."""
    found = _TRACEPARENT.search(body)
    return found[1].decode() if found else None


def attributes(body: bytes, *names: str) -> list[str | None]:
    """Text attributes of the envelope (type, id …), each None when there is none or `body` is no envelope."""
    try:
        envelope = from_json(body)
    except ValueError:
        envelope = None
    values = [envelope.get(name) if isinstance(envelope, dict) else None for name in names]
    return [value if isinstance(value, str) else None for value in values]


def attribute(body: bytes, name: str) -> str | None:
    """One of `attributes`."""
    return attributes(body, name)[0]
