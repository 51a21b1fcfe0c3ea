"""A scene: what somebody does at one moment, by HTTP. Its nth request has the same Idempotency-Key in every run of a seed."""

import json
from dataclasses import dataclass, field
from datetime import datetime
from random import Random
from typing import Any
from uuid import UUID, uuid5

import httpx

from services.simulation.cast import Cast
from services.simulation.town_time import TownTime
from shared.decider import Actor
from shared.errors import MinewatchError

KEYS = UUID("6c0f2a1e-4a55-5d0e-8a8f-2018011603e7")
"""The namespace of the demo's Idempotency-Keys."""

AT_ONCE = 6
"""Requests at one time; the two cores are busy with that."""


class NotAsScripted(MinewatchError):
    """The town answered otherwise than the script says it must."""


@dataclass
class Stage:
    """What every scene needs. What happened stands in the logs; only what no event shows is remembered here, in `seen`."""

    http: httpx.AsyncClient
    cast: Cast
    time: TownTime
    seed: int
    seen: set[str] = field(default_factory=set)
    """A refusal that was due and came ("refused:<rule>"), what a receipt showed ("status:<detail>")."""

    def scene(self, name: str) -> "Scene":
        return Scene(self, name)


@dataclass
class Scene:
    """`name` is unique in the whole demo."""

    stage: Stage
    name: str
    asked: int = 0

    def __post_init__(self) -> None:
        self.chance = Random(f"{self.stage.seed}/{self.name}")
        self.cast = self.stage.cast

    @property
    def now(self) -> datetime:
        """Town time."""
        return self.stage.time.now()

    def key(self, part: str = "") -> UUID:
        """For whatever the caller chooses an id for; the same in every run of the seed."""
        return uuid5(KEYS, f"{self.stage.seed}/{self.name}/{part}")

    async def post(self, who: Actor | None, path: str, body: dict[str, Any], expect: int = 201) -> dict[str, Any]:
        """The JSON answer. `who` None: the public. Raises NotAsScripted for any other status than `expect`."""
        self.asked += 1
        headers = {"Idempotency-Key": str(self.key(str(self.asked))), **self._signed(who)}
        return _answer(await self.stage.http.post(path, json=body, headers=headers), expect, self.name, who)

    async def get(self, who: Actor | None, path: str, **query: Any) -> dict[str, Any]:
        asked = {name: value for name, value in query.items() if value is not None}
        answer = await self.stage.http.get(path, params=asked, headers=self._signed(who))
        return _answer(answer, 200, self.name, who)

    async def send_route(self, who: Actor, gpx: str) -> str:
        """Sends a GPX track by itself; its hash."""
        headers = {"Content-Type": "application/gpx+xml", **self._signed(who)}
        answer = await self.stage.http.post("/intake/v1/routes", content=gpx.encode(), headers=headers)
        return str(_answer(answer, 201, self.name, who)["sha256"])

    def _signed(self, who: Actor | None) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.cast.token(who)}"} if who else {}


def _answer(answer: httpx.Response, expect: int, scene: str, who: Actor | None) -> dict[str, Any]:
    if answer.status_code != expect:
        asker = f"{who.person} as {who.in_role}" if who else "the public"
        asked = f"{answer.request.method} {answer.request.url.path}"
        raise NotAsScripted(f"{scene}: {asker}: {asked} gave {answer.status_code}, not {expect}: {answer.text[:600]}")
    told: dict[str, Any] = json.loads(answer.content)
    return told
