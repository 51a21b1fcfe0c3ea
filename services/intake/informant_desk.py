"""Who asks, who decides, who sees; and what has outlived its term. Shared by the API and the pages."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import asyncpg

from services.intake.disclosure import CUSTODIAN, ApproveDisclosure, CloseDisclosure, RequestDisclosure
from services.intake.informant_bodies import DisclosureAsked
from services.intake.read_models import disclosure_line, retention, tip_line
from services.intake.words import informant_of, reasons_of
from shared.decider import Actor
from shared.errors import NotFound, NotPermitted
from shared.ids import derived
from shared.plan.model import Rule
from shared.plan.terms import PlanTerms, RuleNotInForce
from shared.sql import Tx
from shared.web.door import Door

LEADERS = ("group_leader", "deputy_leader")
ASK_OPENING = (*LEADERS, "office_director", "police_officer", "land_officer")
ASK_ERASURE = (CUSTODIAN, "office_director", "clerk")
DECIDE = LEADERS
HOLD = (*LEADERS, CUSTODIAN, "police_officer")
OVERSEE = (*LEADERS, CUSTODIAN, "auditor")
"""See every request; the auditor without its words. Others see what they asked for themselves."""
READ_REASONS = (*LEADERS, *ASK_ERASURE)
"""Read what was written about an informant when it was held or asked to be erased."""
READ = tuple(dict.fromkeys((*OVERSEE, *ASK_OPENING, *ASK_ERASURE)))

GONE = ("approved", "erased")
"""From the approval of an erasure on there is no identity to be opened."""
TERM = "informant_retention"
"""The plan's rule: how long an informant's data may outlive the end of the tip."""


def not_of_a_village(who: Actor) -> None:
    """Raises NotPermitted for whoever is bound to a village: it may be the accused one."""
    if who.village is not None:
        raise NotPermitted("informants are not shown to a village")


def whose(who: Actor) -> str | None:
    """The person whose requests the reader sees; None for all."""
    return None if who.post in OVERSEE else who.person


def request_for(disclosure: UUID, body: DisclosureAsked, row: asyncpg.Record, informant: str) -> RequestDisclosure:
    """The command, with what the tip's record says."""
    return RequestDisclosure(
        disclosure=str(disclosure),
        tip=body.tip,
        informant=informant,
        named=not row["anonymous"],
        erased=row["erasure"] in GONE,
        ground=body.ground,
        grounds=body.grounds,
    )


async def asked(at: Door, command_id: UUID, body: DisclosureAsked) -> RequestDisclosure:
    """The command of a request that came in. Raises NotFound when there is no such tip."""
    async with at.reading() as tx:
        row, told = await tip_line.one(tx, body.tip), await informant_of(tx, body.tip)
    return request_for(derived(command_id, "disclosure"), body, row, told.informant)


async def erasure_of(tx: Tx, disclosure: str) -> str | None:
    """How far the erasure is of the identity that a request is about: as in tip_line. Raises NotFound."""
    erasure: str | None = (await tip_line.one(tx, (await disclosure_line.one(tx, disclosure))["tip"]))["erasure"]
    return erasure


async def approval_of(at: Door, disclosure: str) -> ApproveDisclosure:
    async with at.reading() as tx:
        return ApproveDisclosure(disclosure=disclosure, erased=await erasure_of(tx, disclosure) in GONE)


async def closing_of(at: Door, disclosure: str) -> CloseDisclosure:
    async with at.reading() as tx:
        return CloseDisclosure(disclosure=disclosure, erased=await erasure_of(tx, disclosure) == "erased")


async def shown(at: Door, tx: Tx, who: Actor, disclosure: str) -> dict[str, Any]:
    """One request with its words, for those who may read them. Raises NotFound for what is not theirs to see."""
    row = await disclosure_line.one(tx, disclosure)
    if whose(who) not in (None, row["requested_by"]):
        raise NotFound(disclosure)
    words = {} if who.post == "auditor" else await reasons_of(at, tx, f"disclosure-{disclosure}")
    first, *later = [words.get(version) for version in sorted(words)] or [None]
    return {**row, "grounds": first, "reason": later[-1] if later else None}


@dataclass(frozen=True)
class Outlived:
    """`rule`: None when the plan gives no term; then nothing falls due. `more`: there are others behind `items`."""

    rule: Rule | None
    items: Sequence[Mapping[str, Any]]
    more: bool = False


async def outlived(tx: Tx, plan: PlanTerms | None, now: datetime, most: int) -> Outlived:
    """Tips whose informant's data is due to be erased by the plan, the longest ended first. It proposes; two persons decide."""
    if plan is None:
        return Outlived(None, [])
    try:
        rule = plan.rule(TERM, now)
    except RuleNotInForce:
        return Outlived(None, [])
    ended = await retention.ended(tx, before=now, most=most + 1)
    due = [{**row, "due_at": at} for row in ended if (at := due_at(plan, row["ended_at"])) and at <= now]
    return Outlived(rule, due[:most], len(due) > most)


def due_at(plan: PlanTerms | None, ended_at: datetime | None) -> datetime | None:
    """When the data of a tip that ended then is due; None when the plan gave no term on that day."""
    if plan is None or ended_at is None:
        return None
    try:
        return plan.due(TERM, ended_at)
    except RuleNotInForce:
        return None
