"""What people do to hazards over HTTP, in the words of a test: `await desk.done("inspector", hazard, "acceptance")`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import httpx

from tests.integration.cases.intake import Intake
from tests.support.services import Town

HAZARDS = "/cases/v1/hazards"
HEAD, KEEPER = "p-village_head-dulan", "p-keeper-dulan"


@dataclass
class Desk:
    """`who` is `post` or `post@unit`, held by somebody of the plan."""

    town: Town
    intake: Intake

    def headers(self, who: str, **more: str) -> dict[str, str]:
        post, _, unit = who.partition("@")
        return self.town.headers(post, unit or None, **more)

    def in_days(self, days: float) -> str:
        return (self.town.clock.now() + timedelta(days=days)).isoformat()

    async def pass_time(self, **span: float) -> None:
        """Moves the clock on and waits until what falls due is done."""
        self.town.clock.move_to(self.town.clock.now() + timedelta(**span))
        await self.town.settled()

    async def send(
        self, who: str, path: str, body: dict[str, Any] | None = None, if_match: str | None = None, **more: str
    ) -> httpx.Response:
        headers = self.headers(who, **more) | ({"If-Match": if_match} if if_match else {})
        return await self.town.http.post(path, json=body or {}, headers=headers)

    async def done(self, who: str, hazard: str, step: str, **body: Any) -> dict[str, Any]:
        """The answer to a step that must go well."""
        answer = await self.send(who, f"{HAZARDS}/{hazard}/{step}", body)
        assert answer.status_code == 201, answer.text
        told: dict[str, Any] = answer.json()
        return told

    async def refused(self, who: str, hazard: str, step: str, **body: Any) -> tuple[int, str]:
        """(status, rule) of a step that a rule forbids."""
        answer = await self.send(who, f"{HAZARDS}/{hazard}/{step}", body)
        assert answer.headers["content-type"] == "application/problem+json", answer.text
        return answer.status_code, answer.json().get("rule", "")

    async def ordered(self, hazard: str, responsible: str = HEAD, days: float = 7) -> None:
        """The three-fix for somebody of Dulan."""
        await self.done(
            "inspector", hazard, "three-fix",
            measure="sealing", responsible=responsible, responsible_unit="dulan", deadline_at=self.in_days(days),
        )  # fmt: skip

    async def closed(self, hazard: str) -> None:
        """Ordered, completed by the village's head, accepted by an inspector."""
        await self.ordered(hazard)
        await self.done("village_head@dulan", hazard, "completion", report="已用混凝土封堵")
        await self.done("inspector", hazard, "acceptance", note="已核对")

    async def hazards(self, who: str = "clerk", **query: Any) -> list[dict[str, Any]]:
        page = await self.town.get(HAZARDS, self.headers(who), **query)
        items: list[dict[str, Any]] = page["items"]
        return items

    async def only(self, who: str = "clerk", **query: Any) -> str:
        """The one hazard there is."""
        (line,) = await self.hazards(who, **query)
        return str(line["hazard"])

    async def hazard(self, hazard: str, who: str = "clerk") -> dict[str, Any]:
        told: dict[str, Any] = await self.town.get(f"{HAZARDS}/{hazard}", self.headers(who))
        return told

    async def steps(self, hazard: str, who: str = "clerk") -> list[dict[str, Any]]:
        told: dict[str, Any] = await self.town.get(f"{HAZARDS}/{hazard}/timeline", self.headers(who))
        items: list[dict[str, Any]] = told["items"]
        return items

    async def page(self, who: str, path: str) -> httpx.Response:
        """As a browser asks for it."""
        headers = {"Accept": "text/html", "Authorization": self.headers(who)["Authorization"]}
        return await self.town.http.get(path, headers=headers)


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
