"""A plot: one story of the town, from the first word about a place to its end, told in steps that each have their hour."""

from collections.abc import Awaitable, Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from services.simulation.routes import Spot, spot_near
from services.simulation.scene import NotAsScripted, Scene
from services.simulation.timetable import Entry

Does = Callable[[Scene, "Plot"], Awaitable[str | None]]


@dataclass(frozen=True)
class Step:
    """`does` may give a line of news."""

    at: datetime
    what: str
    does: Does


@dataclass
class Plot:
    """`village`: its unit's code; `at_place`: the name of the place, so that two plots can be about one; `site`: in the register.

    The fields after `steps` fill up as the story goes.
    """

    name: str
    village: str
    category: str
    violation: str
    steps: tuple[Step, ...]
    mineral: str | None = None
    modus: str | None = None
    pretext: str | None = None
    at_place: str | None = None
    site: bool = False
    source: str = ""
    site_id: str | None = None
    tip: str | None = None
    receipt: str | None = None
    hazard: str | None = None
    hazard_no: int | None = None
    marks: set[str] = field(default_factory=set)

    @property
    def spot(self) -> Spot:
        return spot_near(self.village, self.at_place or self.name)

    def kind(self) -> dict[str, Any]:
        """What is wrong at the place, as the API takes it."""
        told = {"category": self.category, "violation": self.violation, "mineral": self.mineral}
        told |= {"modus": self.modus, "pretext": self.pretext, "site": self.site_id}
        return {name: code for name, code in told.items() if code is not None}

    def entries(self) -> Iterator[Entry]:
        for nth, step in enumerate(self.steps, start=1):
            yield Entry(step.at, f"{self.name} {nth} {step.what}", self._act(step))

    def _act(self, step: Step) -> Callable[[Scene], Awaitable[str | None]]:
        async def act(scene: Scene) -> str | None:
            news = await step.does(scene, self)
            return f"{scene.cast.called(self.village)} {news}" if news else None

        return act

    def title(self, scene: Scene) -> str:
        """What people call the matter: the category's Chinese name."""
        return scene.cast.plan.name("category", self.category)

    async def find_hazard(self, scene: Scene) -> str:
        """The hazard that came of it: the newest of its kind in the village. Raises NotAsScripted when there is none."""
        if self.hazard is None:
            asked = {"village": scene.cast.village(self.village), "category": self.category, "limit": 200}
            page = await scene.get(scene.cast.one("clerk"), "/cases/v1/hazards", **asked)
            if not page["items"]:
                raise NotAsScripted(f"{self.name}: no hazard of {self.category} is listed in {self.village}")
            newest = max(page["items"], key=lambda line: int(line["hazard_no"]))
            self.hazard, self.hazard_no = newest["hazard"], newest["hazard_no"]
        return self.hazard
