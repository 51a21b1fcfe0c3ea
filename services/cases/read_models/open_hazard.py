"""A site has one open hazard at most: the row is the reservation, and a second one is refused by the database.

A hazard without a site has a row too, so that the site is reserved when the office names it later.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, MetaData, Table, Text, UniqueConstraint, delete, select, update
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases import hazard as facts
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

METADATA = MetaData()
OPEN = Table(
    "open_hazard",
    METADATA,
    Column("hazard", Text, primary_key=True),
    Column("site", Text),
    UniqueConstraint("site", name="one_open_hazard_per_site"),
)
ADD = insert(OPEN).values(hazard=given("hazard"), site=given("site"))
REMOVE = delete(OPEN).where(OPEN.c.hazard == given("of"))
MOVE = update(OPEN).where(OPEN.c.hazard == given("of")).values(site=given("to_site"))


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("hazard-")
    match e.event:
        case facts.HazardListed(site=site):
            yield ADD, {"hazard": of, "site": site}
        case facts.HazardCorrected(field="site", value=value):
            yield MOVE, {"of": of, "to_site": value.ref}
        case facts.HazardClosedOut() | facts.HazardEnteredInError():
            yield REMOVE, {"of": of}


READ_MODEL = ReadModel(
    "open_hazard",
    tables=(OPEN,),
    events=(facts.HazardListed, facts.HazardCorrected, facts.HazardClosedOut, facts.HazardEnteredInError),
    project=project,
)

AT = select(OPEN.c.hazard).where(OPEN.c.site == given("at_site"))


async def at_site(tx: Tx, site: str) -> str | None:
    """The open hazard of the site."""
    hazard: str | None = await tx.value(AT, {"at_site": site})
    return hazard
