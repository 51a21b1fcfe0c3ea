"""The site register by HTTP: which places can be mined illegally, who keeps watch over each, and which lack a keeper."""

from typing import Annotated, Any

import asyncpg
from fastapi import APIRouter, Depends, Query, Response

from services.cases.desk import about_site, names_of, register_site, site_seen
from services.cases.read_models import open_hazard, site_line
from services.cases.site import AssignKeeper, CorrectSite, EnterSiteInError, OfSite, RegisterSite
from services.cases.site_bodies import Keeper, SiteCorrection, SiteInError, SiteLine, SitePage, SiteRegistration
from services.cases.who_may import MENDING, OFFICE, READERS
from shared.contracts.event import Code, Id
from shared.decider import Actor
from shared.errors import NotPermitted
from shared.ids import derived
from shared.web.door import Accepted, Call, Door, accepted, call, door, reader
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag

router = APIRouter(prefix="/cases/v1/sites", tags=["sites"])

AtDoor = Annotated[Door, Depends(door)]
Reader = Annotated[Actor, Depends(reader(*READERS))]
Keeping = Annotated[Call, Depends(call(*MENDING))]


@router.get("")
async def list_sites(
    at: AtDoor,
    who: Reader,
    village: Code | None = None,
    category: Code | None = None,
    gaps: bool = False,
    cursor: str | None = None,
    limit: Annotated[int, Query(ge=1, le=200)] = 50,
) -> Page[SiteLine]:
    """Sites by number, those entered in error left out; `gaps`: only those that lack a keeper."""
    if who.village is not None and village not in (None, who.village):
        raise NotPermitted("another village")
    after = read_cursor(cursor, int)
    async with at.reading() as tx:
        rows = await site_line.page(
            tx,
            limit=limit + 1,
            after=after[0] if after else 0,
            village=village or who.village,
            category=category,
            gaps=gaps,
        )
    return page_of(rows, limit, lambda row: SiteLine.model_validate(_told(row)), lambda row: (row["site_no"],))


@router.get("/{site}")
async def show_site(site: Id, response: Response, at: AtDoor, who: Reader) -> SitePage:
    """One site with its keepers and the hazard that is open there."""
    async with at.reading() as tx:
        row = await site_seen(tx, who, site)
        found = await open_hazard.at_site(tx, site)
        keepers = {row["territorial_person"], row["departmental_person"]} - {None}
        people = await names_of(tx, keepers)
    response.headers["ETag"] = etag(row["version"])
    return SitePage.model_validate({**_told(row), "open_hazard": found, "people": people})


def _told(row: asyncpg.Record) -> dict[str, Any]:
    gaps = [kind for kind in ("territorial", "departmental") if row[f"{kind}_unit"] is None]
    return {**row, "place": site_line.place_of(row), "gaps": gaps}


@router.post("", status_code=201)
async def register_a_site(body: SiteRegistration, response: Response, at: AtDoor, call: Keeping) -> Accepted:
    """Registers a site under the next number."""
    wish = RegisterSite(site=str(derived(call.command_id, "site")), site_no=0, **dict(body))
    return accepted(await register_site(at, call, wish), response)


async def _do(command: OfSite, response: Response, at: Door, call: Call) -> Accepted:
    return accepted(await about_site(at, call, command), response)


@router.post("/{site}/keepers", status_code=201)
async def assign_keeper(site: Id, body: Keeper, response: Response, at: AtDoor, call: Keeping) -> Accepted:
    """Names the territorial or the departmental keeper; the earlier one of that kind is replaced."""
    return await _do(AssignKeeper(site=site, **dict(body)), response, at, call)


@router.post("/{site}/corrections", status_code=201)
async def correct_site(site: Id, body: SiteCorrection, response: Response, at: AtDoor, call: Keeping) -> Accepted:
    """Corrects one field with a reason; the first entry stays in the log."""
    return await _do(CorrectSite(site=site, **dict(body)), response, at, call)


@router.post("/{site}/entered-in-error", status_code=201)
async def enter_site_in_error(
    site: Id, body: SiteInError, response: Response, at: AtDoor, call: Annotated[Call, Depends(call(*OFFICE))]
) -> Accepted:
    """Marks the whole record as a mistake, with a reason; its number is not used again."""
    return await _do(EnterSiteInError(site=site, **dict(body)), response, at, call)
