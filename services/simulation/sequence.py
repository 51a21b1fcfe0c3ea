"""Whether two runs were the same: per stream, the sequence of (type, subject alias, occurred_at, recordedat, opened data).

Ids that a run makes anew (lineages, what a reaction derives from them, secrets) are put aside or given an alias that says what
they stand for. The texts are opened with the service's own keys; what only the custodian opens is put aside as well.
"""

import hashlib
import json
from collections import defaultdict
from typing import Any

from services.together import Together
from shared.contracts.envelope import Recorded, read
from shared.contracts.event import Event
from shared.service import Service

BODIES = "SELECT l.position, e.body FROM record.log l JOIN record.event e USING (event_id) ORDER BY l.position"
SECRET = frozenset({"informant", "receipt_digest", "lineage", "content_sha256"})
"""Fields that hold a secret, or a hash over one."""
MAY_CROSS = "notify.message.attempt_"
"""Two ways of one message are tried at the same time; which is first is chance."""

Sequence = list[tuple[str, str, str, str, str]]


async def sequences(together: Together) -> dict[str, list[Sequence]]:
    """subject alias -> the sequences of the streams with that alias (one, but for messages that are alike in all)."""
    events = [event for service in together.services.values() for event in await _opened(service)]
    streams: dict[str, list[Recorded[Event]]] = defaultdict(list)
    for event in events:
        streams[event.stream_id].append(event)
    aliases = {stream: _alias(stream, facts[0]) for stream, facts in streams.items()}
    known = dict(aliases) | {stream.partition("-")[2]: alias for stream, alias in aliases.items()}
    known |= {str(e.event_id): f"{aliases[e.stream_id]}#{e.version}" for e in events}
    found: dict[str, list[Sequence]] = defaultdict(list)
    for stream, facts in streams.items():
        alias = aliases[stream]
        found[alias].append(_settled([_line(alias, fact, known) for fact in facts]))
    return {alias: sorted(alike) for alias, alike in sorted(found.items())}


async def digest(together: Together) -> str:
    """One SHA-256, in hex, over all sequences."""
    told = json.dumps(await sequences(together), ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(told.encode()).hexdigest()


async def _opened(service: Service) -> list[Recorded[Event]]:
    rows = await service.pool.fetch(BODIES)
    return await service.sealer.open([read(row["body"], row["position"]) for row in rows])


def _alias(stream: str, first: Recorded[Event]) -> str:
    """A message is named by what it says to whom; every other stream has the same id in every run."""
    if not stream.startswith("message-"):
        return stream
    told = first.event.model_dump(mode="json")
    return f"message {told['kind']} {told['about']} {told['recipient']} {told['step']} {first.recorded_at.isoformat()}"


def _line(alias: str, fact: Recorded[Event], known: dict[str, str]) -> tuple[str, str, str, str, str]:
    data = json.dumps(_aliased(fact.event.model_dump(mode="json"), known), ensure_ascii=False, sort_keys=True)
    return fact.type, alias, fact.occurred_at.isoformat(), fact.recorded_at.isoformat(), data


def _settled(lines: Sequence) -> Sequence:
    """Attempts that stand side by side and were made at one moment, in one order."""
    ordered: Sequence = []
    run: Sequence = []
    for line in lines:
        if run and not (line[0].startswith(MAY_CROSS) and line[3] == run[0][3]):
            ordered += sorted(run, key=lambda one: json.loads(one[4])["channel"])
            run = []
        if line[0].startswith(MAY_CROSS):
            run.append(line)
        else:
            ordered.append(line)
    return [*ordered, *sorted(run, key=lambda one: json.loads(one[4])["channel"])]


def _aliased(value: Any, known: dict[str, str]) -> Any:
    match value:
        case dict() if {"k", "n", "c", "m"} == value.keys():
            return "sealed"
        case dict():
            return {name: "…" if name in SECRET else _aliased(one, known) for name, one in value.items()}
        case list():
            return [_aliased(one, known) for one in value]
        case str():
            return known.get(value, value)
    return value
