"""What stands before a command, for the API and the forms alike: may they know of the hazard, for whom do they act, whom do
they name. Then the rules of the hazard itself decide."""

import asyncpg

from services.cases import hazard_commands as ask
from services.cases.read_models import hazard_line, register_no, site_line
from services.cases.sight import sight_of
from services.cases.site import OfSite, RegisterSite, SiteUnknown
from services.cases.who_may import LEADING
from shared.app import Answer
from shared.decider import Actor
from shared.errors import NotFound, UniqueConflict
from shared.identity import posts
from shared.sql import Tx
from shared.web.door import Call, Door

TRIES = 5


async def about_hazard(at: Door, call: Call, command: ask.OfHazard) -> Answer:
    """Raises NotFound for a hazard the caller may not know of, LeaderLeadsNothing, ResponsibleUnknown, SiteUnknown, and what
    App.handle raises."""

    async def completed() -> ask.OfHazard:
        async with at.reading() as tx:
            line = await hazard_line.one(tx, command.hazard)
            if line is None or not sight_of(call.who).covers(line):
                raise NotFound(command.hazard)
            return await _looked_up(at, tx, call.who, command)

    return await at.app.handle_made(completed, call.cause)


async def _looked_up(at: Door, tx: Tx, who: Actor, command: ask.OfHazard) -> ask.OfHazard:
    """The command with what only the registers know."""
    match command:
        case ask.AssignLeader(leader=str(person)):
            if not {holder.post for holder in await posts.held_by(tx, person, on=at.today())} & {*LEADING}:
                raise ask.LeaderLeadsNothing(person=person)
        case ask.OrderThreeFix(responsible=str(person)):
            await _must_hold_a_post(at, tx, person)
        case ask.Correct(field="responsible", value=value) if value.ref:
            await _must_hold_a_post(at, tx, value.ref)
        case ask.Correct(field="site", value=value) if value.ref:
            site = await site_line.one(tx, value.ref)
            if site is None or site["in_error"]:
                raise SiteUnknown(site=value.ref)
        case ask.Complete() | ask.RequestExtension():
            return command.model_copy(update={"head_of": await head_of(at, tx, who)})
    return command


async def head_of(at: Door, tx: Tx, who: Actor) -> str | None:
    """The village whose head acts, in person or through `who`."""
    if who.on_behalf_of is None:
        return who.village if who.post == "village_head" else None
    held = await posts.held_by(tx, who.on_behalf_of, on=at.today())
    return next((holder.village for holder in held if holder.post == "village_head"), None)


async def _must_hold_a_post(at: Door, tx: Tx, person: str) -> None:
    if not await posts.held_by(tx, person, on=at.today()):
        raise ask.ResponsibleUnknown(person=person)


async def register_site(at: Door, call: Call, wish: RegisterSite) -> Answer:
    """Under the next free number of the register, whatever `wish` says; whoever takes it second tries the one behind it."""
    for _ in range(TRIES):
        async with at.reading() as tx:
            number = await register_no.next_site(tx)
        try:
            return await at.app.handle(wish.model_copy(update={"site_no": number}), call.cause)
        except UniqueConflict as taken:
            conflict = taken
    raise conflict


async def about_site(at: Door, call: Call, command: OfSite) -> Answer:
    """Raises NotFound for a site the caller may not know of, and what App.handle raises."""

    async def seen() -> OfSite:
        async with at.reading() as tx:
            await site_seen(tx, call.who, command.site)
        return command

    return await at.app.handle_made(seen, call.cause)


async def site_seen(tx: Tx, who: Actor, site: str) -> asyncpg.Record:
    """The site's line. Raises NotFound, also for a site of another village than the reader's."""
    row = await site_line.one(tx, site)
    if row is None or who.village not in (None, row["village"]):
        raise NotFound(site)
    return row


async def names_of(tx: Tx, people: set[str]) -> dict[str, str]:
    """Names by person id, of those whose name can be read."""
    known = await posts.names(tx) if people else {}
    return {person: known[person] for person in sorted(people & known.keys())}
