"""What is known, and what was known at a cut: the events counted for a span of time, and a report's content from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import asyncpg

from services.reporting.content import About, Content, Counted, content_of
from services.reporting.read_models import adoption, fact
from shared.contracts.parts import CutAt
from shared.errors import NotReady
from shared.follower import marks
from shared.plan.book import PlanBook
from shared.plan.terms import PlanTerms
from shared.sql import Tx

FACTS = "facts"
"""The projection group of the counted events; its marks are what a cut is made of."""

FIELDS = tuple(Counted.__dataclass_fields__)


async def present_cut(tx: Tx) -> tuple[CutAt, ...]:
    """How far each source has been counted. A source of which nothing has come yet is left out."""
    reached = await marks(tx, FACTS)
    return tuple(
        CutAt(source=source, lineage=reached[source][0], position=reached[source][1])
        for source in fact.SOURCES
        if source in reached
    )


def positions(cut: Sequence[CutAt]) -> dict[str, int]:
    """source → position."""
    return {at.source: at.position for at in cut}


def cut_from(kept: Sequence[Mapping[str, Any]]) -> tuple[CutAt, ...]:
    """The cut as a read model keeps it."""
    return tuple(CutAt.model_validate(at) for at in kept)


async def counted(tx: Tx, line: Mapping[str, Any], cut: Mapping[str, int]) -> tuple[Counted, ...]:
    """Every event of the report's period that was known at the cut (source → position), whosever it is."""
    rows = await fact.at_cut(tx, line["starts_at"], line["cut_off_at"], cut)
    return tuple(counted_of(row) for row in rows)


def counted_of(row: asyncpg.Record) -> Counted:
    return Counted(**{name: row[name] for name in FIELDS})


def about_of(line: Mapping[str, Any]) -> About:
    return About(line["report"], line["unit"], line["period_no"], line["starts_at"], line["cut_off_at"])


async def content_at(tx: Tx, plan: PlanTerms, line: Mapping[str, Any], cut: Sequence[CutAt]) -> Content:
    """What the report says, or said, at that cut."""
    return content_of(plan, about_of(line), await counted(tx, line, positions(cut)), cut)


async def plan_of(tx: Tx, book: PlanBook, version: str) -> PlanTerms:
    """The plan that was in force when something was recorded. Raises NotReady when its file is not here."""
    sha256 = await adoption.hash_of(tx, version)
    if sha256 is None:
        raise NotReady(f"the adoption of {version} has not arrived here")
    return await book.with_hash(sha256)


async def must_be_counted(tx: Tx, source: str, position: int) -> None:
    """Raises NotReady until the counted events cover `position` of `source`."""
    await must_be_projected(tx, FACTS, source, position)


async def must_be_projected(tx: Tx, group: str, source: str, position: int) -> None:
    """Raises NotReady until the projection group has come to `position` of `source`."""
    reached = (await marks(tx, group)).get(source)
    if reached is None or reached[1] < position:
        raise NotReady(f"projection {group} has not come to {source} {position}")
