"""(g) patrol findings sent in batches, and (h) what a whole `minewatch up` takes, idle and at 50 events a second."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from shared.settings import SERVICES
from tests.bench.ground import Ground
from tests.bench.load import paced
from tests.bench.rows import Aim, Row, row_of
from tests.bench.watching import Taken, cores, family, taken
from tests.support.plans import plan
from tests.support.town import Town, a_town, stop_servers

SENDERS = 8
IN_A_BATCH = 20
"""As many findings as one patrol record may hold."""
STEADY = 50
PROGRAMS = {
    "minewatch": "minewatch up",
    "postgres": "its Postgres",
    "nats": "its NATS",
    "signer": "its signer",
    "witness": "its witness",
}
"""By their pid files; how the rows call them."""
VILLAGE, UNIT = "140181101207", "dulan"
TRACK = """<?xml version="1.0"?>
<gpx version="1.1" creator="bench" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="37.9000000" lon="112.1000000"><time>2018-01-22T00:00:00Z</time></trkpt>
<trkpt lat="37.9010000" lon="112.1010000"><time>2018-01-22T00:20:00Z</time></trkpt>
</trkseg></trk></gpx>"""


async def logged(town: Town) -> dict[str, int]:
    """Where each service's log ends."""
    heads = {}
    for name in SERVICES:
        async with town.database(name) as db:
            heads[name] = await db.fetchval("SELECT position FROM work.head")
    return heads


async def settled(town: Town, seconds: float) -> bool:
    """Whether every service has numbered, received and followed everything before `seconds` are over."""
    until = time.monotonic() + seconds
    while await behind(town):
        if time.monotonic() > until:
            return False
        await asyncio.sleep(0.1)
    return True


BEHIND = """
SELECT (SELECT count(*) FROM work.pending) + (SELECT coalesce(sum(head - position), 0) FROM (
    SELECT position, coalesce((SELECT position FROM work.mark r WHERE r.follower = 'receiver' AND r.source = m.source),
        (SELECT position FROM work.head)) AS head FROM work.mark m WHERE follower <> 'receiver') AS f)
"""


async def behind(town: Town) -> int:
    """Events that wait anywhere."""
    heads, waiting = await logged(town), 0
    for name in SERVICES:
        async with town.database(name) as db:
            waiting += await db.fetchval(BEHIND)
            for row in await db.fetch("SELECT source, position FROM work.mark WHERE follower = 'receiver'"):
                waiting += heads[row["source"]] - row["position"]
    return waiting


# -------------------------------------------------------------------------------------------------- memory, processor


def watched(town: Town) -> dict[str, Taken]:
    """Each with its children; whatever else `minewatch up` may have started is counted with it."""
    families = {name: set(family(town.pid(name))) for name in PROGRAMS}
    families["minewatch"] -= set().union(*(pids for name, pids in families.items() if name != "minewatch"))
    return {name: taken(pids) for name, pids in families.items()}


async def at_rest(town: Town, seconds: float) -> tuple[dict[str, Taken], dict[str, Taken]]:
    before = watched(town)
    await asyncio.sleep(seconds)
    return before, watched(town)


async def at_work(town: Town, seconds: float) -> tuple[dict[str, Taken], dict[str, Taken], float]:
    """Tips keyed in by the clerk, one event each; the last figure: events a second in all logs together."""
    headers = town.headers("clerk")

    async def tip() -> None:
        body = {"channel": "hotline", "words": "夜里有车拉煤，车牌看不清", "village": VILLAGE}
        await town.post("/intake/v1/tips", body, headers | {"Idempotency-Key": str(uuid4())})

    await paced(STEADY, min(1.0, seconds), tip)
    heads, before = await logged(town), watched(town)
    await paced(STEADY, seconds, tip)
    after, ended = watched(town), await logged(town)
    spent = after["minewatch"].at - before["minewatch"].at
    return before, after, sum(ended[name] - heads[name] for name in SERVICES) / spent


def rows_of(state: str, before: dict[str, Taken], after: dict[str, Taken], aimed: bool, note: str) -> list[Row]:
    """Memory at the end, processors on average: each program, and all five together, which is held against the aims."""
    rows = []
    for name, program in PROGRAMS.items():
        more = {"RSS": after[name].rss}
        rows.append(row_of("h", f"{state}: memory, {program}", [after[name].pss], "MB", more=more))
    total, more = sum(each.pss for each in after.values()), {"RSS": sum(each.rss for each in after.values())}
    aim = Aim(most=400) if aimed else None
    rows.append(row_of("h", f"{state}: memory, all five", [total], "MB", aim=aim, more=more, note=note))
    busy = {name: cores(before[name], after[name]) for name in PROGRAMS}
    for name, program in PROGRAMS.items():
        rows.append(row_of("h", f"{state}: processor, {program}", [busy[name]], "cores"))
    aim = Aim(most=0.333) if aimed else None
    rows.append(row_of("h", f"{state}: processor, all five", [sum(busy.values())], "cores", aim=aim))
    return rows


# -------------------------------------------------------------------------------------------------- findings


def findings(nth: int) -> list[dict[str, Any]]:
    """Those of record number `nth`: each a kilometre from the next, so that each is a hazard of its own."""
    numbers = range(nth * IN_A_BATCH, (nth + 1) * IN_A_BATCH)
    places = [{"lat_e7": 370_000_000 + n % 150 * 90_000, "lon_e7": 1_110_000_000 + n // 150 * 115_000} for n in numbers]
    return [
        {
            "category": "abandoned_shaft",
            "violation": "unlicensed_digging",
            "place": place | {"accuracy_m": 8},
            "summary": "封堵墙被扒开",
        }
        for place in places
    ]


def record(nth: int, sha256: str) -> dict[str, Any]:
    return {
        "village": VILLAGE,
        "unit": UNIT,
        "patrol_class": plan().codes("patrol_class")[0],
        "started_at": "2018-01-22T08:00:00+08:00",
        "ended_at": "2018-01-22T08:30:00+08:00",
        "members": ["p-village_head-dulan"],
        "route_sha256": sha256,
        "findings": findings(nth),
        "handling": plan().codes("handling")[0],
        "offline": True,
    }


async def imported(town: Town, most: int, patience: float) -> list[Row]:
    """`most` findings by the door that phones use, eight at once; and how fast they became hazards of the service cases.

    What is not dealt with `patience` seconds after the last record was accepted is said.
    """
    head = town.headers("village_head", UNIT)
    content = {"Content-Type": "application/gpx+xml"}
    answer = await town.http.post("/intake/v1/routes", content=TRACK.encode(), headers=head | content)
    route, heads = answer.raise_for_status().json()["sha256"], await logged(town)
    todo: Iterator[int] = iter(range(max(1, most // IN_A_BATCH)))

    async def send() -> None:
        for nth in todo:
            own = head | {"Idempotency-Key": str(uuid4())}
            await town.post(f"/intake/v1/patrols/{uuid4()}/record", record(nth, route), own)

    began = time.monotonic()
    await asyncio.gather(*(send() for _ in range(SENDERS)))
    sent = time.monotonic() - began
    done = await settled(town, patience)
    took, ended = time.monotonic() - began, await logged(town)
    dealt = min(most, ended["cases"] - heads["cases"])  # each becomes a hazard, an event of cases
    note = "" if done else f"{dealt:,} when the bench went on"
    return [
        row_of("g", f"{most:,} patrol findings accepted", [most / sent], "findings/s", more={"s": sent}),
        row_of("g", "until they were hazards", [dealt / took], "findings/s", more={"s": took}, note=note),
    ]


async def measured(ground: Ground) -> list[Row]:
    """g and h, in a town of their own. Memory is looked at before the findings come."""
    folder = ground.folder / "town"
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(stop_servers, folder)  # what a town leaves running when something failed in it
        town = await stack.enter_async_context(a_town(folder))
        await settled(town, 60)
        await asyncio.sleep(min(3.0, ground.size.watched))
        rest = await at_rest(town, ground.size.watched)
        before, after, rate = await at_work(town, ground.size.watched)
        # Held against its aim only where the machine let the town do what was asked of it.
        note, full = f"{rate:.0f} events/s in all logs", rate > 0.9 * STEADY
        watched_rows = rows_of("idle", *rest, False, "") + rows_of(f"{STEADY} events/s", before, after, full, note)
        await settled(town, 60)
        rows = await imported(town, ground.size.findings, ground.size.patience)
    return [*rows, *watched_rows]
