"""Was something found here before? At the same site, or, where a site is not known, within 200 metres in the same village.

Every row that is looked at stays locked until the transaction ends: a close-out of this very moment waits, or is waited for,
so a finding never attaches to what has just been closed.
"""

import math
from collections.abc import Sequence
from typing import Any

import asyncpg
from sqlalchemy import BigInteger, Select, select
from sqlalchemy import bindparam as given

from services.cases.read_models.hazard_line import LINE
from shared.contracts.parts import Place
from shared.sql import Tx

NEAR_M = 200
METRES_PER_E7 = 111_320 / 10_000_000
"""Of latitude; of longitude times the cosine of the latitude."""

LOOKED_AT: Select[Any] = (
    select(LINE.c.hazard, LINE.c.site, LINE.c.closed_at, LINE.c.recurred_as, LINE.c.lat_e7, LINE.c.lon_e7)
    .where(LINE.c.state != "entered_in_error")
    .order_by(LINE.c.hazard_no.desc())
    .with_for_update()
)
AT_SITE = LOOKED_AT.where(LINE.c.site == given("at_site"))
AROUND = LOOKED_AT.where(
    LINE.c.village == given("in_village"),
    LINE.c.category == given("of_category"),
    LINE.c.lat_e7.between(given("south", type_=BigInteger), given("north", type_=BigInteger)),
)


def metres(a: Place, b: Place) -> int:
    """Between two points a few kilometres apart at most; good to a metre in a kilometre."""
    north = (a.lat_e7 - b.lat_e7) * METRES_PER_E7
    east = (a.lon_e7 - b.lon_e7) * METRES_PER_E7 * math.cos(math.radians((a.lat_e7 + b.lat_e7) / 2e7))
    return round(math.hypot(north, east))


def is_near(a: Place, b: Place) -> bool:
    return metres(a, b) <= NEAR_M


async def earlier(
    tx: Tx, site: str | None, village: str, category: str, place: Place | None
) -> Sequence[asyncpg.Record]:
    """The hazards of the place (hazard, closed_at, recurred_as), those of the site first, then the newest; now locked.

    Where the site is known, what lies near it counts only as long as it is tied to no site of its own.
    """
    here = await tx.all(AT_SITE, {"at_site": site}) if site is not None else []
    if place is None:
        return here
    reach = math.ceil(NEAR_M / METRES_PER_E7)
    limits = {"south": place.lat_e7 - reach, "north": place.lat_e7 + reach}
    around = await tx.all(AROUND, {"in_village": village, "of_category": category, **limits})
    return [
        *here,
        *(
            row
            for row in around
            if (site is None or row["site"] is None)
            and is_near(place, Place(lat_e7=row["lat_e7"], lon_e7=row["lon_e7"]))
        ),
    ]
