"""What intake found out becomes a hazard. The rules for that are the hazard's own; here they are only asked."""

from datetime import datetime

from services.cases.finding import Earlier, commands_for
from services.cases.hazard_commands import ListHazard
from services.cases.read_models import register_no, same_place, site_line
from shared.contracts.cases.hazard import Source
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.intake.patrol import Finding, PatrolRecorded
from shared.contracts.intake.tip import TipVerified
from shared.contracts.parts import Place
from shared.decider import Command
from shared.errors import StreamExists
from shared.ids import derived
from shared.reaction import Reactions
from shared.sql import Tx

REACTIONS = Reactions()

UNKNOWN = "unknown"
"""Code for what intake did not say; the office corrects it."""


@REACTIONS.on(TipVerified, expects=(StreamExists,))
async def list_from_tip(e: Recorded[TipVerified], look: Tx) -> list[Command]:
    """Substantiated only: the other results stay with intake."""
    tip = e.event
    if tip.result != "substantiated":
        return []
    source = Source(kind="tip", ref=e.stream_id)
    found = await _found(e, look, tip, source, tip.village, e.occurred_at, 0)
    return commands_for(found, await _earlier(look, found))


@REACTIONS.on(PatrolRecorded, expects=(StreamExists,))
async def list_from_patrol(e: Recorded[PatrolRecorded], look: Tx) -> list[Command]:
    """Each finding by itself; two of one patrol at the same place are one hazard."""
    commands: list[Command] = []
    listed: list[ListHazard] = []
    for finding in e.event.findings:
        source = Source(kind="patrol", ref=e.stream_id, finding=finding.no)
        found = await _found(e, look, finding, source, e.event.village, e.event.ended_at, len(listed))
        twin = next((other.hazard for other in listed if _together(other, found)), None)
        made = commands_for(found, [Earlier(twin)] if twin else await _earlier(look, found))
        listed += [one for one in made if isinstance(one, ListHazard)]
        commands += made
    return commands


async def _found(
    e: Recorded[TipVerified] | Recorded[PatrolRecorded],
    look: Tx,
    told: TipVerified | Finding,
    source: Source,
    village: str | None,
    discovered_at: datetime,
    ahead: int,
) -> ListHazard:
    """As if it were new. A registered site knows its own category and village; an unknown site id is left out."""
    site = await site_line.one(look, told.site.removeprefix("site-")) if told.site else None
    if site is not None and site["in_error"]:
        site = None
    return ListHazard(
        hazard=str(derived(e.event_id, "hazard", source.finding)),
        hazard_no=await register_no.next_hazard(look) + ahead,
        site=site["site"] if site else None,
        category=(site["category"] if site else told.category) or UNKNOWN,
        village=(site["village"] if site else village) or UNKNOWN,
        place=told.place or (site_line.place_of(site) if site else None),
        violation=told.violation or UNKNOWN,
        mineral=told.mineral,
        modus=told.modus,
        pretext=told.pretext,
        live=told.live,
        source=source,
        summary=text_of(told.summary) or "",
        discovered_at=discovered_at,
    )


async def _earlier(look: Tx, found: ListHazard) -> list[Earlier]:
    rows = await same_place.earlier(look, found.site, found.village, found.category, found.place)
    return [Earlier(row["hazard"], row["closed_at"], row["recurred_as"] is not None) for row in rows]


def _together(a: ListHazard, b: ListHazard) -> bool:
    """Whether two finds of one patrol are about one place."""
    if b.site is not None:
        return a.site == b.site
    if (a.village, a.category) != (b.village, b.category):
        return False
    return isinstance(a.place, Place) and isinstance(b.place, Place) and same_place.is_near(a.place, b.place)
