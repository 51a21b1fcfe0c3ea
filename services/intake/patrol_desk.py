"""Who sees what of a patrol, and the reading of a sealed plan. Shared by the API and the pages.

Whoever is bound to a village has the patrols of their own unit there. Another unit's is not there for them, planned or walked: a
check that is seen coming surprises nobody, and next to a list of all patrols a hazard would tell that it came from a tip.

A plan of a check without notice is sealed for others too, as read_models/patrol_line.py says; whoever reads it says why first.
"""

from collections.abc import Iterable
from dataclasses import replace
from datetime import date
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.read_models import patrol_finding, patrol_line, steps
from services.intake.read_models.patrol_line import Eyes
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.identity import posts
from shared.opening import record_opening
from shared.sql import Tx
from shared.web.door import Call, Door

WALKERS = ("village_head", "inspector", "police_officer", "land_officer")
PATROLLERS = (*WALKERS, "clerk")
PLANNERS = (*PATROLLERS, "office_director")
READERS = (*PLANNERS, "duty_officer", "group_leader", "deputy_leader", "designated_reporter", "auditor")

KIND = "inspection_plan"
OF_SEALED = ("patrol", "version", "state", "sealed")
"""All that is told of a sealed plan: not even its day, or the days without a check would be known."""


class PlanIsSealed(NotPermitted):
    """这次检查的计划在检查开始前封存，只有执行单位和安排人可以办理。要查看，请先写明理由（POST …/opening）。
    This plan is sealed until the patrol begins; only its unit and who planned it act on it. To read it, say why first
    (POST …/opening)."""


def eyes(who: Actor, today: date) -> Eyes:
    """Whoever is bound to a village sees its own unit's patrols and no others, so none of them is sealed for them. Acting for
    somebody does not lend their eyes: a clerk would read every plan."""
    return Eyes(who.person, who.unit if who.post in WALKERS or who.village is not None else "", today)


def own_village(who: Actor, village: str | None) -> str | None:
    """`village`, or the one the post is bound to. Raises NotPermitted for any other village."""
    if who.village is not None and village not in (None, who.village):
        raise NotPermitted("another village")
    return village or who.village


def own_unit(who: Actor, unit: str | None) -> str | None:
    """`unit`, or that of a post bound to a village. Raises NotPermitted when such a post names another one."""
    if who.village is None:
        return unit
    if unit not in (None, who.unit):
        raise NotPermitted("another unit")
    return who.unit


def must_cover(who: Actor, line: Any) -> None:
    """Raises NotFound for a patrol that is not there for this reader."""
    if who.village is not None and (line["village"], line["unit"]) != (who.village, who.unit):
        raise NotFound(line["patrol"])


def told(who: Actor, line: Any) -> dict[str, Any]:
    """A patrol's line. Why it was planned is not for a village: the office may have sent its unit after a tip."""
    if line["sealed"]:
        return {name: line[name] if name in OF_SEALED else None for name in line.keys()}  # noqa: SIM118
    return dict(line) if who.village is None else {**line, "reason": None}


def told_steps(who: Actor, done: Iterable[Any]) -> list[dict[str, Any]]:
    """Its history; no reasons for a village, whoever gave them."""
    if who.village is None:
        return [dict(step) for step in done]
    return [{**step, "facts": {k: v for k, v in step["facts"].items() if k != "reason"}} for step in done]


async def visible(at: Door, tx: Tx, who: Actor, patrol: str) -> asyncpg.Record:
    """The patrol's line. Raises NotFound, also for a patrol that is not there for this reader."""
    row = await patrol_line.one(tx, eyes(who, at.today()), patrol)
    must_cover(who, row)
    return row


async def shown(at: Door, tx: Tx, who: Actor, patrol: str) -> dict[str, Any]:
    """The patrol with its findings and steps, sealed as long as its plan is. Raises NotFound."""
    return await _page(tx, who, patrol, await visible(at, tx, who, patrol))


async def _page(tx: Tx, who: Actor, patrol: str, row: Any) -> dict[str, Any]:
    if row["sealed"]:
        return {**told(who, row), "found": [], "steps": []}
    rows = await patrol_finding.of_patrol(tx, patrol)
    found = [{name: value for name, value in line.items() if name != "patrol"} for line in rows]
    done = told_steps(who, await steps.of_stream(tx, f"patrol-{patrol}"))
    return {**told(who, row), "found": found, "steps": done}


async def opened(at: Door, call: Call, patrol: str, reason: str) -> tuple[UUID | None, dict[str, Any]]:
    """(the event that says who read it and why, the patrol); None and the patrol when it is not sealed for this reader.

    The event is written before anything is shown. The same request again is the same opening, and shows the plan again: it can
    only be the same person's. Raises NotFound, OpeningNeedsReason, and what App.handle raises.
    """
    async with at.reading() as tx:
        row = await visible(at, tx, call.who, patrol)
    event_id = None
    if row["sealed"]:
        event_id = await record_opening(
            at.app,
            kind=KIND,
            about=(f"patrol-{patrol}",),
            reason=reason,
            actor=call.who,
            cause=replace(call.cause, expected_version=None),
        )
    async with at.reading() as tx:
        row = await visible(at, tx, call.who, patrol)
        return event_id, await _page(tx, call.who, patrol, {**row, "sealed": False})


async def must_act_on(at: Door, tx: Tx, who: Actor, row: Any) -> None:
    """Raises NotFound for a patrol that is not there for whoever acts, PlanIsSealed for one that is none of theirs yet.

    Whom they act for may be of its unit: a clerk keys in what was walked.
    """
    must_cover(who, row)
    if not row["sealed"]:
        return
    if who.on_behalf_of is not None:
        held = await posts.held_by(tx, who.on_behalf_of, on=at.today())
        if who.on_behalf_of in row["planners"] or any(h.post in WALKERS and h.unit == row["unit"] for h in held):
            return
    raise PlanIsSealed(row["patrol"])


async def closed(tx: Tx, who: Actor, stream: str, today: date) -> bool:
    """Whether that record is sealed for this reader: then the service shows none of its events."""
    kind, _, patrol = stream.partition("-")
    row = await patrol_line.find(tx, eyes(who, today), patrol) if kind == "patrol" else None
    return row is not None and bool(row["sealed"])
