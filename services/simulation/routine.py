"""What goes on anyway: every village walks its round every third day, somebody is surprised every day, messages are read.

A round that finds something belongs to a plot; here nothing is found, and that is said explicitly.
"""

import asyncio
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any

from services.simulation.cast import Cast
from services.simulation.routes import track
from services.simulation.scene import AT_ONCE, Scene
from services.simulation.timetable import Entry, on
from services.simulation.words import HOLIDAY_NOTES, POLICE_NOTES, ROUND_NOTES, SURPRISE_NOTES, pick
from shared.decider import Actor
from shared.plan.calendar import days_of

EVERY = 3
"""Days between two rounds of a village."""
NO_PHONE = "shantou"
"""Its head has no phone: a clerk keys in what he walked."""
MORNING, NOON, NIGHT = "08:30", "11:30", "22:40"
DEAF = 8
"""Of a hundred messages this many are never answered."""


def routine_entries(cast: Cast) -> Iterator[Entry]:
    """The whole campaign's rounds and mornings."""
    for nth, day in enumerate(days_of(cast.plan.plan.starts_on, cast.plan.plan.ends_on)):
        yield Entry(on(day, MORNING), f"{day:%m-%d} 阅办", answer_messages)
        yield from _planned(cast, nth, day)
        for index, unit in enumerate(cast.village_units):
            if (nth + index) % EVERY == 0:
                yield _village_round(day, unit)
        if nth % 4 == 2:
            yield _night_round(cast, nth, day)
    yield Entry(on(cast.plan.plan.ends_on + timedelta(days=1), MORNING), "最后一天 阅办", answer_messages)


def _village_round(day: date, unit: str) -> Entry:
    async def act(scene: Scene) -> None:
        head = scene.cast.head(unit)
        who = scene.cast.acting(scene.cast.one("clerk", nth=1), head, "no_phone") if unit == NO_PHONE else head
        started, ended = span(scene, day, "09:20", 45)
        body = nothing_found(scene, unit, unit, [head], started, ended)
        await scene.post(who, f"/intake/v1/patrols/{scene.key('patrol')}/record", body)

    return Entry(on(day, NOON), f"{day:%m-%d} {unit} 巡查", act, alone=False)


def _planned(cast: Cast, nth: int, day: date) -> Iterator[Entry]:
    """An inspector's surprise check: planned in the morning, started on the spot, recorded at noon."""
    inspectors = cast.all("inspector")
    inspector, unit = inspectors[nth % len(inspectors)], cast.village_units[(nth * 5) % len(cast.village_units)]
    name = f"{day:%m-%d} 突击检查"

    async def plan(scene: Scene) -> None:
        patrol = str(scene.stage.scene(name).key("patrol"))
        told = {"patrol": patrol, "village": scene.cast.village(unit), "unit": inspector.unit}
        told |= {"patrol_class": "key", "planned_on": day.isoformat(), "reason": "surprise"}
        await scene.post(inspector, "/intake/v1/patrols", told)

    async def walk(scene: Scene) -> None:
        path = f"/intake/v1/patrols/{scene.key('patrol')}"
        started, ended = span(scene, day, "10:05", 35)
        await scene.post(inspector, f"{path}/start", {"occurred_at": started.isoformat()})
        body = nothing_found(scene, unit, inspector.unit, [inspector], started, ended)
        await scene.post(inspector, f"{path}/record", body)

    yield Entry(on(day, MORNING), f"{name} 计划", plan, alone=False)
    yield Entry(on(day, NOON), name, walk, alone=False)


def _night_round(cast: Cast, nth: int, day: date) -> Entry:
    """The police at night; their phone sends the track first and names it in the record."""
    officers = cast.all("police_officer")
    officer, unit = officers[nth % len(officers)], cast.village_units[(nth * 3 + 1) % len(cast.village_units)]

    async def act(scene: Scene) -> None:
        started, ended = span(scene, day, "21:10", 50)
        body = nothing_found(scene, unit, officer.unit, [officer], started, ended)
        body["route_sha256"] = await scene.send_route(officer, body.pop("gpx"))
        await scene.post(officer, f"/intake/v1/patrols/{scene.key('patrol')}/record", body)

    return Entry(on(day, NIGHT), f"{day:%m-%d} 派出所夜巡", act, alone=False)


def span(scene: Scene, day: date, hour: str, least: int) -> tuple[datetime, datetime]:
    """(start, end) of a walk of `least` minutes or a little more, begun about `hour`."""
    started = on(day, hour) + timedelta(minutes=scene.chance.randrange(0, 25))
    return started, started + timedelta(minutes=least + scene.chance.randrange(0, 20))


def nothing_found(
    scene: Scene, unit: str, by_unit: str, members: list[Actor], started: datetime, ended: datetime
) -> dict[str, Any]:
    """The record of a patrol around the village `unit`, all five fields; "nothing found" is said."""
    notes = {"police_station": POLICE_NOTES, "safety_office": SURPRISE_NOTES}.get(by_unit, ROUND_NOTES)
    if started.strftime("%m-%d") in ("02-15", "02-16", "02-17", "02-18"):
        notes = HOLIDAY_NOTES
    return {
        "village": scene.cast.village(unit),
        "unit": by_unit,
        "patrol_class": "key" if by_unit != unit else scene.chance.choice(["key", "ordinary"]),
        "started_at": started.isoformat(),
        "ended_at": ended.isoformat(),
        "members": [member.person for member in members],
        "gpx": track(scene.chance, unit, started, ended),
        "no_finding": True,
        "handling": "none_needed",
        "handling_note": pick(scene.chance, notes),
    }


async def answer_messages(scene: Scene) -> None:
    """Most people say that they have read what came; a live call is answered at once or not at all, see the plots."""
    clerk = scene.cast.one("clerk")
    waiting: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        asked = {"everybody": "true", "open": "true", "limit": 200, "cursor": cursor}
        page = await scene.get(clerk, "/notify/v1/messages", **asked)
        waiting += page["items"]
        if (cursor := page["next"]) is None:
            break
    gate = asyncio.Semaphore(AT_ONCE)

    async def answer(line: dict[str, Any]) -> None:
        alias = f"{line['kind']} {line['about']} {line['recipient']} {line['step']} {line['issued_at']}"
        one = scene.stage.scene(f"确认 {alias}")
        if line["kind"] == "live_call_out" or one.chance.randrange(100) < DEAF:
            return
        async with gate:
            path = f"/notify/v1/messages/{line['message']}/acknowledgement"
            await one.post(reader_of(scene.cast, line), path, {})

    await asyncio.gather(*(answer(line) for line in waiting))


def reader_of(cast: Cast, line: dict[str, Any]) -> Actor:
    """The recipient; for the head without a phone, the clerk who reads it to him."""
    person = cast.named(line["recipient"], line["post"])
    if person.unit == NO_PHONE:
        return cast.acting(cast.one("clerk", nth=1), person, "no_phone")
    return person
