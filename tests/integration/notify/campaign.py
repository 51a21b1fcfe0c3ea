"""A town with cases and notify in it; what intake and reporting publish is said by the test, through real logs and NATS."""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx

from shared import event_store
from shared.contracts.envelope import Header, read, write
from shared.contracts.event import Event
from shared.contracts.intake.tip import TipReceived, TipVerified
from shared.contracts.notify.message import AttemptStarted
from shared.contracts.parts import Place as Point
from shared.deliveries import Deliveries
from shared.ending import ended
from shared.service import Service
from shared.sql import Tx
from tests.support.kernel import FeedOf, Place, a_connection, a_place, a_relay, a_sequencer, until
from tests.support.services import Ground, Town, a_service

DULAN = "140181101207"
HEAD = "p-village_head-dulan"
KEEPER = "p-keeper-dulan"
WORDS = "夜里听见挖掘机响，就在老井口那边"
BRIEF = tuple(timedelta(seconds=s) for s in (0.02, 0.05))


@dataclass
class Speaker:
    """A publisher in the place of `source`, in the same town."""

    source: str
    place: Place
    town: Town
    leaves: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    async def says(self, stream_id: str, event: Event, at: datetime | None = None, settle: bool = True) -> UUID:
        """Publishes one fact that happened at `at`, now without it, and waits until the town is done with it; the event's id."""
        version, prev = self.leaves.get(stream_id, (0, None))
        now, id_ = self.town.clock.now(), uuid4()
        header = Header(
            event_id=id_,
            jurisdiction=self.place.jurisdiction,
            source=self.source,
            stream_id=stream_id,
            version=version + 1,
            type=event.type,
            occurred_at=at or now,
            recorded_at=now,
            actor="p-inspector-1",
            in_role="inspector@safety_office",
            on_behalf_of=None,
            causation_id=uuid4(),
            correlation_id=f"from-{self.source}",
            traceparent=None,
            plan_version=None,
        )
        body = write(header, await self.town.services["notify"].sealer.seal(event, stream_id), prev, os.urandom(16))
        async with self.place.pool.acquire() as connection, connection.transaction():
            new = event_store.NewEvent(id_, stream_id, version + 1, event.type, body, now)
            await event_store.append(Tx(connection), [new])
        self.leaves[stream_id] = (version + 1, read(body).leaf)
        self.place.app.appended.ring()
        if settle:
            await self.heard()
        return id_

    async def heard(self) -> None:
        """Waits until everybody who listens to this source has it all, and the town is quiet."""
        listening = [s for s in self.town.services.values() if self.source in s.card.consumes()]

        async def there() -> bool:
            waiting = await self.place.pool.fetchval("SELECT EXISTS (SELECT FROM work.pending)")
            head = await self.place.pool.fetchval("SELECT position FROM work.head")
            marks = [(await service.marks_and_head())[1].get(self.source, 0) for service in listening]
            return not waiting and set(marks) == {head}

        await until(there)
        await self.town.settled()


@asynccontextmanager
async def a_speaker(ground: Ground, town: Town, source: str) -> AsyncIterator[Speaker]:
    jurisdiction = town.services["notify"].settings.jurisdiction
    async with (
        a_place(ground.templates, source, (), jurisdiction, sealed=False) as place,
        a_connection(ground.nats) as nc,
    ):
        parts = (a_sequencer(place), a_relay(place, nc), FeedOf(place, nc))
        tasks = [asyncio.create_task(part.run()) for part in parts]
        try:
            yield Speaker(source, place, town)
        finally:
            await ended(tasks)


@dataclass
class Campaign:
    """`who` is `post` or `post@unit`, held by somebody of the plan."""

    town: Town
    intake: Speaker
    hazards: int = 0

    @property
    def notify(self) -> Service:
        return self.town.services["notify"]

    @property
    def deliveries(self) -> Deliveries:
        assert self.notify.deliveries is not None
        return self.notify.deliveries

    def now(self) -> datetime:
        return self.town.clock.now()

    def headers(self, who: str, **more: str) -> dict[str, str]:
        post, _, unit = who.partition("@")
        return self.town.headers(post, unit or None, **more)

    async def pass_time(self, **span: float) -> None:
        """Moves the clock on and waits until what falls due is done."""
        self.town.clock.move_to(self.now() + timedelta(**span))
        await self.town.settled()

    async def send(self, who: str, path: str, body: dict[str, Any] | None = None, **more: str) -> httpx.Response:
        """A POST to whatever service; settled afterwards."""
        answer = await self.town.http.post(path, json=body or {}, headers=self.headers(who, **more))
        await self.town.settled()
        return answer

    async def done(self, who: str, path: str, body: dict[str, Any] | None = None, **more: str) -> dict[str, Any]:
        answer = await self.send(who, path, body, **more)
        assert answer.is_success, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def live_tip(self, village: str | None = DULAN, settle: bool = True, **facts: Any) -> str:
        """Somebody says that mining is going on now; the tip's stream."""
        stream = f"tip-{uuid4()}"
        told = {
            "channel": "hotline",
            "anonymous": True,
            "live": True,
            "village": village,
            "informant": str(uuid4()),
            "words": WORDS,
            "receipt_digest": "ab" * 16,
        }
        await self.intake.says(stream, TipReceived(**told | facts), settle=settle)
        return stream

    async def hazard(self, **facts: Any) -> str:
        """A new hazard, a kilometre north of the one before, from a verified tip; its id."""
        self.hazards += 1
        told = {
            "result": "substantiated",
            "village": DULAN,
            "category": "abandoned_shaft",
            "violation": "unauthorised_reopening",
            "place": Point(lat_e7=379_200_000 + 100_000 * self.hazards, lon_e7=1_120_800_000, accuracy_m=8),
            "summary": WORDS,
        }
        await self.intake.says(f"tip-{uuid4()}", TipVerified(**told | facts))
        page = await self.town.get("/cases/v1/hazards", self.headers("clerk"))
        return str(page["items"][0]["hazard"])

    async def ordered(self, hazard: str, responsible: str = KEEPER, unit: str = "dulan", days: float = 7) -> datetime:
        """The three-fix; its deadline."""
        deadline = self.now() + timedelta(days=days)
        body = {
            "measure": "sealing",
            "responsible": responsible,
            "responsible_unit": unit,
            "deadline_at": deadline.isoformat(),
        }
        await self.done("inspector", f"/cases/v1/hazards/{hazard}/three-fix", body)
        return deadline

    async def messages(self, **query: Any) -> list[dict[str, Any]]:
        """Everybody's, oldest first."""
        wanted = {"everybody": True, "limit": 200, **query}
        page = await self.town.get("/notify/v1/messages", self.headers("clerk"), **wanted)
        items: list[dict[str, Any]] = page["items"]
        return items[::-1]

    async def told(self, **query: Any) -> list[tuple[str, str]]:
        """(kind, person) of every message, oldest first, those of one moment by person."""
        lines = await self.messages(**query)
        return [
            (m["kind"], m["recipient"])
            for m in sorted(lines, key=lambda m: (m["issued_at"], m["step"], m["recipient"]))
        ]

    async def message(self, message: str, who: str = "clerk") -> dict[str, Any]:
        told: dict[str, Any] = await self.town.get(f"/notify/v1/messages/{message}", self.headers(who))
        return told

    async def acknowledge(self, who: str, message: str, **more: str) -> httpx.Response:
        return await self.send(who, f"/notify/v1/messages/{message}/acknowledgement", None, **more)

    async def facts(self, message: str) -> list[str]:
        """What the message's stream says: issued, attempt_started, …"""
        rows = await self.notify.pool.fetch(
            "SELECT type FROM record.event WHERE stream_id = $1 ORDER BY version", f"message-{message}"
        )
        return [row["type"].split(".")[2] for row in rows]

    async def attempts_recorded(self) -> int:
        sql = "SELECT count(*) FROM record.event WHERE type = $1"
        return int(await self.notify.pool.fetchval(sql, AttemptStarted.type))

    async def page(self, who: str, path: str, **more: str) -> httpx.Response:
        """As a browser asks for it that has no cookie yet."""
        self.town.http.cookies.clear()
        headers = {"Accept": "text/html", "Authorization": self.headers(who, **more)["Authorization"]}
        return await self.town.http.get(path, headers=headers)


@asynccontextmanager
async def a_campaign(ground: Ground, **settings: Any) -> AsyncIterator[Campaign]:
    """`settings`: mail, webhooks … of notify."""
    async with contextlib.AsyncExitStack() as stack:
        town = await stack.enter_async_context(a_service(ground, "notify", **settings))
        made = Campaign(town, await stack.enter_async_context(a_speaker(ground, town, "intake")))
        made.deliveries.back_off = BRIEF
        yield made
