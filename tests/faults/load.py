"""The load: several writers at once, by HTTP, as the public, the villages and the office would; what they do is in acts.py.

Each command has an Idempotency-Key made from the seed, and is sent again with the same key until an answer settles it. So the
ledger knows of each whether it was acknowledged or refused; only what never got an answer is unknown.
"""

import asyncio
import json
import random
import time
from collections.abc import Collection, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from uuid import UUID, uuid5

import httpx

from shared.decider import Actor
from shared.ids import event_id
from shared.plan.loader import LoadedPlan
from shared.plan.terms import PlanTerms
from shared.settings import SERVICES
from tests.faults import acts_cases, acts_intake, acts_office
from tests.faults.acts import ACTS, Hand, Seen, look_around
from tests.faults.ledger import PUBLIC, Ledger, Sent

ALL = (acts_intake, acts_cases, acts_office)
"""Whoever imports them declares their acts."""
WRITERS = 8
RATE = 24.0
"""Commands a second, of all writers together, when nothing is broken."""
PATIENCE = 75.0
"""Seconds in which a command must get an answer; then it is unknown."""
AGAIN = 0.25
LIMIT = 10.0
"""Seconds for one try."""
AFTERWARDS = 900.0
"""Seconds of the campaign: longer than the deadlines of acts.py, and than a live call waits for an answer."""
KEYS = UUID("9d3ab1c2-6a55-5b7e-8a0d-2018012209a1")
"""The namespace of the load's Idempotency-Keys."""


class LoadTown(Protocol):
    """What the load needs of a town; town.py's is one."""

    @property
    def plan(self) -> LoadedPlan: ...
    def url(self, service: str) -> str: ...
    def headers(self, post: str, unit: str | None = None) -> dict[str, str]: ...
    def now(self, service: str) -> datetime: ...
    def jump(self, service: str, seconds: float) -> None: ...


@dataclass
class Writer:
    """One of the writers. `chance` is seeded by seed and number."""

    town: LoadTown
    ledger: Ledger
    clients: Mapping[str, httpx.AsyncClient]
    terms: PlanTerms
    seen: Seen
    seed: int
    number: int
    patience: float = PATIENCE
    sent: int = 0
    _signed: dict[tuple[str, str | None], dict[str, str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.chance = random.Random(f"{self.seed}/{self.number}")

    def now(self, service: str) -> datetime:
        return self.town.now(service)

    def who(self, post: str, unit: str | None = None) -> Actor:
        """The first holder, whose token `headers` gives. Raises StopIteration."""
        p = next(p for p in self.terms.people if p.post == post and unit in (None, p.unit))
        return Actor(p.person, p.post, p.unit, p.village)

    async def look(self, post: str, path: str, **query: Any) -> list[dict[str, Any]]:
        """The items of a list; none when it cannot be had now."""
        client = self.clients[path.split("/")[1]]
        try:
            answer = await client.get(path, params=query, headers=self._headers((post, None)), timeout=LIMIT)
            return list(answer.json()["items"]) if answer.is_success else []
        except (httpx.HTTPError, ValueError, KeyError):
            return []

    async def send(
        self, act: str, who: tuple[str, str | None] | None, path: str, body: dict[str, Any], *whole: tuple[str, ...]
    ) -> Sent:
        """Sends it until it is settled. `who`: (post, unit), None the public. `whole`: see Sent."""
        self.sent += 1
        key = str(uuid5(KEYS, f"{self.seed}/{self.number}/{self.sent}"))
        service = path.split("/")[1]
        sent = self.ledger.sends(service, act, self.who(*who) if who else PUBLIC, path, key, *whole)
        headers = {**(self._headers(who) if who else {}), "Idempotency-Key": key}
        until = time.monotonic() + self.patience
        while not await self._try(sent, service, path, body, headers) and time.monotonic() < until:
            await asyncio.sleep(AGAIN)
        return sent

    async def _try(self, sent: Sent, service: str, path: str, body: Any, headers: dict[str, str]) -> bool:
        """Whether it is settled."""
        sent.tries += 1
        try:
            answer = await self.clients[service].post(path, json=body, headers=headers, timeout=LIMIT)
        except httpx.HTTPError:
            return False
        if answer.status_code >= 500 or answer.status_code == 429:
            if answer.status_code == 500:
                self.ledger.broken[f"{sent.act}: {answer.text[:200]}"] += 1
            return False
        told = answer.json()
        if answer.is_success:
            sent.outcome = "acknowledged"
            sent.events = tuple(map(UUID, told["events"])) if "events" in told else self._follows(sent, path, answer)
        else:
            sent.outcome, sent.rule = "refused", str(told.get("rule") or told.get("type"))
        sent.answer = told
        return True

    def _follows(self, sent: Sent, path: str, answer: httpx.Response) -> tuple[UUID, ...]:
        """The public is told no ids; they follow from command, stream and version."""
        version = int(json.loads(answer.headers["etag"]))
        tip = self.seen.receipts.get(json.loads(answer.request.content).get("receipt", ""), self.seen.tip_of(sent))
        return (event_id(sent.command, f"tip-{tip}", version),)

    def _headers(self, who: tuple[str, str | None]) -> dict[str, str]:
        if who not in self._signed:
            self._signed[who] = self.town.headers(*who)
        return {"Authorization": self._signed[who]["Authorization"]}

    async def run(self, stop: asyncio.Event, pause: float, names: Collection[str]) -> None:
        """One act after another until `stop`, `pause` seconds apart on average."""
        names = list(names)
        weights = [ACTS[name][0] for name in names]
        while not stop.is_set():
            act = self.chance.choices(names, weights)[0]
            hand: Hand = self
            await ACTS[act][1](hand)
            try:
                await asyncio.wait_for(stop.wait(), self.chance.uniform(0.2, 1.8) * pause)
            except TimeoutError:
                continue


async def writers(
    town: LoadTown,
    ledger: Ledger,
    stop: asyncio.Event,
    seed: int,
    rate: float = RATE,
    number: int = WRITERS,
    acts: Collection[str] | None = None,
) -> None:
    """Runs all of them until `stop` is set and each has its last answer, or has waited PATIENCE for it. `acts`: what they do;
    everything when it is None."""
    async with AsyncExitStack() as stack:
        clients = {
            name: await stack.enter_async_context(httpx.AsyncClient(base_url=town.url(name), trust_env=False))
            for name in SERVICES
        }
        await write(town, ledger, stop, seed, clients, rate, number, acts)


def afterwards(town: LoadTown) -> None:
    """The clocks go on by AFTERWARDS: what the writers have set falls due now, and not while the town is being looked at."""
    for name in SERVICES:
        town.jump(name, AFTERWARDS)


async def write(
    town: LoadTown,
    ledger: Ledger,
    stop: asyncio.Event,
    seed: int,
    clients: Mapping[str, httpx.AsyncClient],
    rate: float = RATE,
    number: int = WRITERS,
    acts: Collection[str] | None = None,
) -> None:
    """The same with clients that are there."""
    terms, seen = PlanTerms(town.plan.plan, town.plan.version), Seen()
    made = [Writer(town, ledger, clients, terms, seen, seed, nth) for nth in range(number)]
    looking = asyncio.create_task(look_around(made[0], seen, stop))
    try:
        async with asyncio.TaskGroup() as group:
            for writer in made:
                group.create_task(writer.run(stop, number / rate, ACTS if acts is None else acts))
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)
