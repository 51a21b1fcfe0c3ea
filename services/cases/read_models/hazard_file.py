"""A hazard as one reader may see it: its line, what was said about it, what it rests on and what happened, put together."""

from collections.abc import Mapping
from typing import Any

import asyncpg

from services.cases.read_models import hazard_line, hazard_page, hazard_source, hazard_timeline
from services.cases.sight import Sight
from shared.errors import NotFound
from shared.sql import Tx

PEOPLE = ("leader", "responsible", "asked_by", "completed_by", "accepted_by", "rejected_by")
ACTORS = ("actor", "on_behalf_of")


async def lines(tx: Tx, sight: Sight, *, limit: int, **wanted: Any) -> list[dict[str, Any]]:
    """Lines of the list; `wanted` as in hazard_line.page."""
    rows = await hazard_line.page(tx, sight, limit=limit, **wanted)
    return [sight.hazard(_line(row)) for row in rows]


async def whole(tx: Tx, sight: Sight, hazard: str) -> dict[str, Any]:
    """Everything about one hazard; `earlier` and `later` are (hazard, hazard_no) of what it came back from, or as.

    Raises NotFound, also for a hazard that this reader may not know of.
    """
    row = await hazard_line.one(tx, hazard)
    if row is None or not sight.covers(row):
        raise NotFound(hazard)
    said = await hazard_page.one(tx, hazard)
    told = {**_line(row), **dict(said or {}), "sources": [dict(s) for s in await hazard_source.of(tx, hazard)]}
    linked = {"earlier": await _linked(tx, sight, row["recurrence_of"])}
    linked["later"] = await _linked(tx, sight, row["recurred_as"])
    return sight.hazard(told | linked)


async def steps(tx: Tx, sight: Sight, hazard: str) -> list[dict[str, Any]]:
    """What happened, oldest first. Raises NotFound as `whole` does."""
    row = await hazard_line.one(tx, hazard)
    if row is None or not sight.covers(row):
        raise NotFound(hazard)
    return [sight.step(dict(step)) for step in await hazard_timeline.of(tx, hazard)]


def people_in(told: Mapping[str, Any], steps: list[dict[str, Any]]) -> set[str]:
    """Ids of everybody who is named in what the reader sees."""
    named = {told.get(place) for place in PEOPLE}
    for step in steps:
        facts = step["facts"]
        named |= {step[place] for place in ACTORS} | {facts.get(place) for place in NAMING}
        if facts.get("field") == "responsible":
            named.add((facts["value"] or {}).get("ref"))
    return {person.partition(";")[0] for person in named if person}


NAMING = (
    "leader", "instead_of", "responsible", "requested_by", "approved_by", "refused_by", "completed_by", "accepted_by",
    "rejected_by",
)  # fmt: skip
"""Facts that hold a person's id."""


def _line(row: asyncpg.Record) -> dict[str, Any]:
    return {**row, "place": hazard_line.place_of(row)}


async def _linked(tx: Tx, sight: Sight, stream: str | None) -> dict[str, Any] | None:
    row = await hazard_line.one(tx, stream.removeprefix("hazard-")) if stream else None
    return {name: row[name] for name in ("hazard", "hazard_no", "state")} if row and sight.covers(row) else None
