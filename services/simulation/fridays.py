"""The weekly reports: each unit's on Friday between cut-off and due time, the office's acceptance, the town's own.

Some units are late, silent or sent back; on those Fridays the office waits until the grace is over. The Friday of 16 February
is New Year's Day, and the reports come all the same. The closing report is due on Tuesday, 27 March, at noon.
"""

import asyncio
from collections.abc import Callable, Collection, Iterator
from datetime import datetime, timedelta

from services.simulation.cast import Cast
from services.simulation.scene import Scene
from services.simulation.timetable import Entry, when
from services.simulation.words import REPORT_NOTES, pick
from shared.plan.terms import Period

Wanted = Callable[[Cast, str], bool]
"""Whether a unit is meant."""

LATE, SILENT, NEXT_DAY, RETURNED = "late", "silent", "next_day", "returned"

TROUBLE: dict[tuple[int, str], str] = {
    (2, "bazishan"): RETURNED,
    (3, "taipan"): LATE,
    (4, "chiniyan"): LATE,
    (6, "xiyan"): NEXT_DAY,
    (7, "police_station"): RETURNED,
    (8, "shantou"): SILENT,
    (8, "foluohan"): LATE,
}
"""(period, unit) -> what goes wrong. New Year's week (5) and the closing report go well."""

SENT_BACK = {
    (2, "bazishan"): "巡查次数与台账不符，请核对后重报。",
    (7, "police_station"): "请补充联合检查情况后重报。",
}


def minutes(number: int) -> timedelta:
    return timedelta(minutes=number)


def report_entries(cast: Cast) -> Iterator[Entry]:
    """Everything about reports, for every period of the plan."""
    for period in cast.plan.periods:
        yield from _closing(period) if period.closing else _friday(period)


def _friday(p: Period) -> Iterator[Entry]:
    cut, due, evening = p.cut_off_at, p.due_at, p.missing_at
    odd = {unit: trouble for (no, unit), trouble in TROUBLE.items() if no == p.no}

    def with_trouble(*troubles: str) -> frozenset[str]:
        return frozenset(unit for unit, trouble in odd.items() if trouble in troubles)

    away = with_trouble(LATE, SILENT, NEXT_DAY)
    yield _submitting(p, cut + minutes(20), "各村报送", lambda c, u: u in c.village_units and u not in away)
    yield _submitting(p, cut + minutes(40), "单位报送", lambda c, u: u not in c.village_units and u not in away)
    yield _accepting(p, due + minutes(30), "办公室接收", lambda _, u: u not in odd)
    if returned := with_trouble(RETURNED):
        yield Entry(due + minutes(32), f"第{p.no}期 退回", lambda s: _return(s, p, returned))
        yield _submitting(p, due + minutes(75), "重新报送", lambda _, u: u in returned)
        yield _accepting(p, due + minutes(90), "接收重报", lambda _, u: u in returned)
    if late := with_trouble(LATE):
        yield _submitting(p, due + minutes(105), "迟报", lambda _, u: u in late)
        yield _accepting(p, due + minutes(120), "接收迟报", lambda _, u: u in late)
    yield from _town(p, evening + minutes(10) if odd else due + minutes(50))
    if missed := with_trouble(NEXT_DAY):
        yield _submitting(p, evening + minutes(12 * 60), "缺报后补报", lambda _, u: u in missed)
        yield _accepting(p, evening + minutes(13 * 60), "接收补报", lambda _, u: u in missed)


def _closing(p: Period) -> Iterator[Entry]:
    yield _submitting(p, when("03-27 08:40"), "总结报送", lambda c, u: u in c.village_units)
    yield _submitting(p, when("03-27 09:10"), "单位总结", lambda c, u: u not in c.village_units)
    yield _accepting(p, when("03-27 10:00"), "办公室接收", lambda *_: True)
    yield from _town(p, when("03-27 11:00"))


def _town(p: Period, at: datetime) -> Iterator[Entry]:
    yield Entry(at, f"第{p.no}期 全镇汇总", lambda s: _compile(s, p))
    yield Entry(at + timedelta(minutes=15), f"第{p.no}期 上报", lambda s: _file(s, p))


def _chosen(cast: Cast, want: Wanted) -> list[str]:
    return [unit for unit in cast.plan.reporting_units if want(cast, unit)]


def _submitting(p: Period, at: datetime, what: str, want: Wanted) -> Entry:
    async def act(scene: Scene) -> None:
        units = _chosen(scene.cast, want)
        await asyncio.gather(*(_submit(scene.stage.scene(f"{scene.name}/{unit}"), p, unit) for unit in units))

    return Entry(at, f"第{p.no}期 {what}", act)


async def _submit(scene: Scene, p: Period, unit: str) -> None:
    reporter = scene.cast.one("designated_reporter", unit)
    note = pick(scene.chance, REPORT_NOTES)
    await scene.post(reporter, f"{_path(scene.cast, unit, p.no)}/submission", {"note": note})


def _accepting(p: Period, at: datetime, what: str, want: Wanted) -> Entry:
    async def act(scene: Scene) -> None:
        clerk, units = scene.cast.one("clerk"), _chosen(scene.cast, want)
        each = [(scene.stage.scene(f"{scene.name}/{unit}"), unit) for unit in units]
        await asyncio.gather(*(one.post(clerk, f"{_path(scene.cast, u, p.no)}/acceptance", {}) for one, u in each))

    return Entry(at, f"第{p.no}期 {what}", act)


async def _return(scene: Scene, p: Period, units: Collection[str]) -> str:
    for unit in sorted(units):
        reason = {"reason": SENT_BACK[p.no, unit]}
        await scene.post(scene.cast.one("clerk"), f"{_path(scene.cast, unit, p.no)}/return", reason)
    return f"第{p.no}期周报 退回 {'、'.join(scene.cast.called(unit) for unit in sorted(units))} 重报"


async def _compile(scene: Scene, p: Period) -> None:
    plan = scene.cast.plan
    await scene.post(scene.cast.one("clerk"), f"{_path(scene.cast, plan.town_unit, p.no)}/compilation", {})


async def _file(scene: Scene, p: Period) -> str:
    cast = scene.cast
    path = _path(cast, cast.plan.town_unit, p.no)
    await scene.post(cast.one("office_director"), f"{path}/filing", {})
    trouble = [f"{cast.called(unit)} {NAMES[what]}" for (no, unit), what in TROUBLE.items() if no == p.no]
    day = "（正月初一）" if p.due_at.astimezone(scene.now.tzinfo).strftime("%m-%d") == "02-16" else ""
    title = "总结报告" if p.closing else f"第{p.no}期周报"
    return f"全镇{title}上报{day}" + (f"：{'，'.join(trouble)}" if trouble else "，各单位按时报送")


NAMES = {LATE: "迟报", SILENT: "缺报", NEXT_DAY: "缺报", RETURNED: "退回后重报"}


def _path(cast: Cast, unit: str, no: int) -> str:
    return f"/reporting/v1/reports/{cast.plan.code}-{unit}-{no:02d}"
