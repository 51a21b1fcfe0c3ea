"""The register of sites, made in the first days of phase 2 with both keepers of each; one gap stays open for three days."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from services.simulation.plots import Plot
from services.simulation.routes import spot_near
from services.simulation.scene import Scene
from services.simulation.timetable import Entry, when

SITES = "/cases/v1/sites"


@dataclass(frozen=True)
class Quiet:
    """A site where nothing happens in these seventy days."""

    name: str
    village: str
    category: str


QUIET = (
    Quiet("下雁门关闭矿井", "xiayanmen", "closed_mine"),
    Quiet("阴家沟明煤分布区", "yinjiagou", "outcrop_coal_area"),
    Quiet("台盘环保砖厂", "taipan", "brick_plant"),
)
GAP = "阴家沟明煤分布区"
"""Its departmental keeper is named last."""


def register_entries(plots: Sequence[Plot]) -> Iterator[Entry]:
    known = [plot for plot in plots if plot.site]

    async def registers(scene: Scene) -> str:
        for plot in known:
            plot.site_id = await _register(scene, plot.name, plot.village, plot.category)
        for site in QUIET:
            await _register(scene, site.name, site.village, site.category)
        return f"排查登记造册：{len(known) + len(QUIET)} 处点位，逐一落实属地监管与部门监督"

    async def closes_gap(scene: Scene) -> str:
        page = await scene.get(scene.cast.one("office_director"), SITES, gaps="true")
        for line in page["items"]:
            await _keep(scene, line["site"], "departmental", line["category"], line["village"])
        return f"补齐部门监督责任：{len(page['items'])} 处"

    yield Entry(when("01-21 09:30"), "登记造册", registers)
    yield Entry(when("01-24 09:00"), "补齐责任", closes_gap)


async def _register(scene: Scene, name: str, village: str, category: str) -> str:
    plan = scene.cast.plan
    key = any(known.code == category and known.key for known in plan.plan.categories)
    body: dict[str, Any] = {"name": name, "category": category, "village": scene.cast.village(village), "key": key}
    body["place"] = spot_near(village, name).place()
    site = str((await scene.post(scene.cast.one("clerk"), SITES, body))["id"])
    for kind in ("territorial", "departmental"):
        if (name, kind) != (GAP, "departmental"):
            await _keep(scene, site, kind, category, body["village"])
    return site


async def _keep(scene: Scene, site: str, kind: str, category: str, village: str) -> None:
    """The keeper that the plan names for the category: a unit, or the village itself with its keeper by name."""
    plan = scene.cast.plan
    keepers = plan.keepers(category)
    wanted = getattr(keepers, kind) if keepers else "village"
    unit = plan.unit_of_village(village) if wanted == "village" else wanted
    held = scene.cast.all("keeper", unit) or scene.cast.all("inspector", unit)
    body = {"kind": kind, "unit": unit, "person": held[0].person if held else None}
    await scene.post(scene.cast.one("office_director"), f"{SITES}/{site}/keepers", body)
