"""The four logs as any service may read them, over HTTP; every check and figure of the demo is made from these."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import httpx

from shared.plan.calendar import TOWN_TIME
from shared.settings import SERVICES


@dataclass(frozen=True)
class Fact:
    """One event. Times in town time; texts in `data` stay sealed."""

    source: str
    position: int
    event_id: str
    type: str
    stream: str
    version: int
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    in_role: str
    on_behalf_of: str | None
    data: dict[str, Any]

    def has(self, **facts: object) -> bool:
        """Whether each named field of the data has that value; a missing field is None."""
        return all(self.data.get(name) == value for name, value in facts.items())


@dataclass(frozen=True)
class Logs:
    """service -> its facts, in position order."""

    of: dict[str, list[Fact]]

    @cached_property
    def by_type(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for facts in self.of.values():
            for fact in facts:
                found.setdefault(fact.type, []).append(fact)
        return found

    @cached_property
    def by_stream(self) -> dict[str, list[Fact]]:
        found: dict[str, list[Fact]] = {}
        for facts in self.of.values():
            for fact in facts:
                found.setdefault(fact.stream, []).append(fact)
        return found

    def all(self, kind: str, /, **facts: object) -> list[Fact]:
        """Facts of a type, written without its version ("cases.hazard.listed"), whose data say so."""
        return [fact for fact in self.by_type.get(f"{kind}.v1", []) if fact.has(**facts)]

    def after(self, fact: Fact, kind: str, /, **facts: object) -> list[Fact]:
        """Facts of `kind` further on in the same stream."""
        later = self.by_stream[fact.stream][fact.version :]
        return [one for one in later if one.type == f"{kind}.v1" and one.has(**facts)]

    def __iter__(self) -> Iterator[Fact]:
        for facts in self.of.values():
            yield from facts


async def read_logs(http: httpx.AsyncClient, service_token: str) -> Logs:
    """Everything, page by page."""
    return Logs({service: [fact async for fact in _log(http, service, service_token)] for service in SERVICES})


async def _log(http: httpx.AsyncClient, service: str, token: str) -> Any:
    after = 0
    while True:
        answer = await http.get(
            f"/{service}/v1/log/events",
            params={"after": after, "most": 1000},
            headers={"Authorization": f"Bearer {token}"},
        )
        answer.raise_for_status()
        page = answer.json()["events"]
        if not page:
            return
        for event in page:
            yield _fact(service, event["position"], json.loads(base64.b64decode(event["body"])))
        after = page[-1]["position"]


def _fact(source: str, position: int, body: dict[str, Any]) -> Fact:
    return Fact(
        source=source,
        position=position,
        event_id=body["id"],
        type=body["type"],
        stream=body["subject"],
        version=body["version"],
        occurred_at=datetime.fromisoformat(body["time"]).astimezone(TOWN_TIME),
        recorded_at=datetime.fromisoformat(body["recordedat"]).astimezone(TOWN_TIME),
        actor=body["actor"],
        in_role=body["inrole"],
        on_behalf_of=body.get("onbehalfof"),
        data=body["data"],
    )
