"""What people do to reports over HTTP, in the words of a test: `await desk.done("clerk", "dulan", 1, "acceptance")`."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from tests.integration.cases.intake import Intake
from tests.support.kernel import FeedOf, a_connection, a_place, a_relay, a_sequencer, running, until
from tests.support.services import Ground, Town

REPORTS = "/reporting/v1/reports"
FIRST_MORNING = datetime(2018, 1, 16, 1, tzinfo=UTC)
"""2018-01-16 09:00 in the town."""
BAZISHAN = "140181101205"
HOUR, DAY = timedelta(hours=1), timedelta(days=1)


class Teller(Intake):
    """Intake, for whom everybody in town listens."""

    async def heard(self) -> None:
        """Waits until every service has received and handled everything."""

        async def there() -> bool:
            waiting = await self.place.pool.fetchval("SELECT EXISTS (SELECT FROM work.pending)")
            head = await self.place.pool.fetchval("SELECT position FROM work.head")
            listening = [s for s in self.town.services.values() if "intake" in s.card.consumes()]
            return not waiting and all(
                [(await service.marks_and_head())[1].get("intake", 0) == head for service in listening]
            )

        await until(there)
        await self.town.settled()


class Desk:
    """`who` is `post` or `post@unit`, held by somebody of the plan; `unit` and `no` name a report."""

    def __init__(self, town: Town, intake: Teller) -> None:
        self.town, self.intake = town, intake

    def period(self, no: int) -> Any:
        return self.town.plan.period(no)

    def id(self, unit: str, no: int) -> str:
        return f"{self.town.plan.code}-{unit}-{no:02}"

    def headers(self, who: str, **more: str) -> dict[str, str]:
        post, _, unit = who.partition("@")
        return self.town.headers(post, unit or None, **more)

    async def move_to(self, moment: datetime) -> None:
        """Moves the clock on and waits until what falls due is done."""
        self.town.clock.move_to(moment)
        await self.town.settled()

    async def send(
        self, who: str, path: str, body: dict[str, Any] | None = None, if_match: str | None = None, **more: str
    ) -> httpx.Response:
        headers = self.headers(who, **more) | ({"If-Match": if_match} if if_match else {})
        return await self.town.http.post(path, json=body or {}, headers=headers)

    async def done(self, who: str, unit: str, no: int, step: str, **body: Any) -> dict[str, Any]:
        """The answer to a step that must go well; what follows from it is done too."""
        answer = await self.send(who, f"{REPORTS}/{self.id(unit, no)}/{step}", body)
        assert answer.status_code == 201, answer.text
        await self.town.settled()
        told: dict[str, Any] = answer.json()
        return told

    async def refused(self, who: str, unit: str, no: int, step: str, **body: Any) -> tuple[int, str]:
        """(status, rule) of a step that a rule forbids."""
        answer = await self.send(who, f"{REPORTS}/{self.id(unit, no)}/{step}", body)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json().get("rule", "")

    async def submitted(self, unit: str, no: int, **body: Any) -> dict[str, Any]:
        return await self.done(f"designated_reporter@{unit}", unit, no, "submission", **body)

    async def report(self, unit: str, no: int, who: str = "clerk") -> dict[str, Any]:
        told: dict[str, Any] = await self.town.get(f"{REPORTS}/{self.id(unit, no)}", self.headers(who))
        return told

    async def figures(self, unit: str, no: int, who: str = "clerk") -> dict[str, int]:
        """Figures that are not 0, as the report says them now."""
        counted = (await self.report(unit, no, who))["counted"]
        return {f["figure"]: f["value"] for f in counted["figures"] if f["value"]}

    async def preview(self, unit: str, no: int, who: str = "clerk") -> dict[str, int]:
        """Figures that are not 0, as they are now."""
        told = await self.town.get(f"{REPORTS}/{self.id(unit, no)}/preview", self.headers(who))
        return {f["figure"]: f["value"] for f in told["figures"] if f["value"]}

    async def figure(self, unit: str, no: int, figure: str, who: str = "clerk", **query: Any) -> dict[str, Any]:
        path = f"{REPORTS}/{self.id(unit, no)}/figures/{figure}"
        told: dict[str, Any] = await self.town.get(path, self.headers(who), **query)
        return told

    async def content(self, unit: str, no: int, **query: Any) -> bytes:
        """The canonical bytes."""
        path = f"{REPORTS}/{self.id(unit, no)}/content"
        answer = await self.town.http.get(path, params=query, headers=self.headers("auditor"))
        assert answer.status_code == 200, answer.text
        return answer.content

    async def reports(self, who: str = "clerk", **query: Any) -> list[dict[str, Any]]:
        page = await self.town.get(REPORTS, self.headers(who), **query)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def page(self, who: str, path: str, **more: str) -> httpx.Response:
        """As a browser asks for it."""
        headers = {"Accept": "text/html", "Authorization": self.headers(who, **more)["Authorization"]}
        return await self.town.http.get(path, headers=headers)

    async def published(self) -> list[tuple[str, dict[str, Any]]]:
        """(type without prefix and version, data) of every event of reporting, in log order."""
        pool = self.town.services["reporting"].pool
        rows = await pool.fetch(
            "SELECT e.type, e.body FROM record.log l JOIN record.event e USING (event_id) ORDER BY l.position"
        )
        return [(row["type"].split(".")[2], json.loads(row["body"])["data"]) for row in rows]


@asynccontextmanager
async def a_desk(ground: Ground, town: Town) -> AsyncIterator[Desk]:
    jurisdiction = town.services["cases"].settings.jurisdiction
    async with (
        a_place(ground.templates, "intake", (), jurisdiction, sealed=False) as place,
        a_connection(ground.nats) as nc,
        running(a_sequencer(place), a_relay(place, nc), FeedOf(place, nc)),
    ):
        yield Desk(town, Teller(place, town))
