"""What intake publishes, said by the tests themselves: real bytes through a real log and NATS, without the service intake."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from shared import event_store
from shared.contracts.envelope import Header, read, write
from shared.contracts.event import Event
from shared.contracts.intake.patrol import Finding, PatrolCorrected, PatrolEnteredInError, PatrolRecorded, Route
from shared.contracts.intake.tip import TipEnteredInError, TipVerified
from shared.contracts.parts import Place as Point
from shared.contracts.parts import Value
from shared.sql import Tx
from tests.support.kernel import FeedOf, Place, a_connection, a_place, a_relay, a_sequencer, running, until
from tests.support.services import Ground, Town

DULAN, BAZISHAN = "140181101207", "140181101205"
PIT = Point(lat_e7=379_200_000, lon_e7=1_120_800_000, accuracy_m=8)
"""Where most things are found."""


def beside(metres: int) -> Point:
    """So far north of PIT."""
    return Point(lat_e7=PIT.lat_e7 + round(metres / 0.011132), lon_e7=PIT.lon_e7, accuracy_m=None)


@dataclass
class Intake:
    """A publisher in the place of intake, in the same town."""

    place: Place
    town: Town
    leaves: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    async def says(self, stream_id: str, event: Event, at: datetime | None = None) -> UUID:
        """Publishes one fact that happened at `at`, now without it; the event's id."""
        version, prev = self.leaves.get(stream_id, (0, None))
        now, id_ = self.town.clock.now(), uuid4()
        header = Header(
            event_id=id_,
            jurisdiction=self.place.jurisdiction,
            source="intake",
            stream_id=stream_id,
            version=version + 1,
            type=event.type,
            occurred_at=at or now,
            recorded_at=now,
            actor="p-inspector-1",
            in_role="inspector@safety_office",
            on_behalf_of=None,
            causation_id=uuid4(),
            correlation_id="from-intake",
            traceparent=None,
            plan_version=None,
        )
        sealed = await self.town.services["cases"].sealer.seal(event, stream_id)
        body = write(header, sealed, prev, os.urandom(16))
        async with self.place.pool.acquire() as connection, connection.transaction():
            new = event_store.NewEvent(id_, stream_id, version + 1, event.type, body, now)
            await event_store.append(Tx(connection), [new])
        self.leaves[stream_id] = (version + 1, read(body).leaf)
        self.place.app.appended.ring()
        return id_

    async def heard(self) -> None:
        """Waits until cases has received and handled everything."""
        cases = self.town.services["cases"]

        async def there() -> bool:
            waiting = await self.place.pool.fetchval("SELECT EXISTS (SELECT FROM work.pending)")
            head = await self.place.pool.fetchval("SELECT position FROM work.head")
            return not waiting and (await cases.marks_and_head())[1].get("intake", 0) == head

        await until(there)
        await self.town.settled()

    async def tip(self, **facts: Any) -> str:
        """A tip that was verified as substantiated; its stream."""
        stream = f"tip-{uuid4()}"
        told: dict[str, Any] = {
            "result": "substantiated",
            "village": DULAN,
            "category": "abandoned_shaft",
            "violation": "unauthorised_reopening",
            "place": PIT,
            "summary": "井口封堵被人打开",
        }
        at = facts.pop("at", None)
        await self.says(stream, TipVerified(**told | facts), at)
        await self.heard()
        return stream

    async def patrol(self, *findings: dict[str, Any], ended_at: datetime | None = None, **facts: Any) -> str:
        """A recorded patrol with these findings; its stream."""
        stream, ended = f"patrol-{uuid4()}", ended_at or self.town.clock.now()
        found: dict[str, Any] = {
            "category": "abandoned_shaft",
            "violation": "unauthorised_reopening",
            "place": PIT,
            "summary": "巡查见封堵被打开",
        }
        told: dict[str, Any] = {
            "village": DULAN,
            "unit": "dulan",
            "patrol_class": "key",
            "started_at": ended,
            "ended_at": ended,
            "members": ("p-inspector-1",),
            "route": Route(sha256="ab" * 32, points=2, metres=900),
            "findings": tuple(Finding(no=n, **found | more) for n, more in enumerate(findings, start=1)),
            "no_finding": not findings,
            "handling": "reported",
        }
        await self.says(stream, PatrolRecorded(**told | facts), ended)
        await self.heard()
        return stream

    async def corrects(self, patrol: str) -> None:
        """The patrol's record is corrected."""
        await self.says(patrol, PatrolCorrected(field="handling", value=Value(code="reported"), reason="写错"))
        await self.heard()

    async def strikes(self, stream: str) -> None:
        """The tip or patrol turns out to have been entered in error."""
        tip = stream.startswith("tip-")
        await self.says(stream, TipEnteredInError(reason="重复") if tip else PatrolEnteredInError(reason="录错"))
        await self.heard()


@asynccontextmanager
async def an_intake(ground: Ground, town: Town) -> AsyncIterator[Intake]:
    jurisdiction = town.services["cases"].settings.jurisdiction
    async with (
        a_place(ground.templates, "intake", (), jurisdiction, sealed=False) as place,
        a_connection(ground.nats) as nc,
        running(a_sequencer(place), a_relay(place, nc), FeedOf(place, nc)),
    ):
        yield Intake(place, town)
