"""The numbers of the two registers: each is given once, in order, and never again, even when the entry was an error."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, Integer, MetaData, Table, Text, func, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases.hazard import HazardListed
from shared.contracts.cases.site import SiteRegistered
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

METADATA = MetaData()
HAZARD_NO = Table(
    "hazard_no", METADATA, Column("no", Integer, primary_key=True, autoincrement=False), Column("hazard", Text)
)
SITE_NO = Table("site_no", METADATA, Column("no", Integer, primary_key=True, autoincrement=False), Column("site", Text))
TAKE_HAZARD_NO = insert(HAZARD_NO).values(no=given("no"), hazard=given("hazard"))
TAKE_SITE_NO = insert(SITE_NO).values(no=given("no"), site=given("site"))


def project(e: Recorded[Any]) -> Iterator[Write]:
    match e.event:
        case HazardListed(hazard_no=no):
            yield TAKE_HAZARD_NO, {"no": no, "hazard": e.stream_id.removeprefix("hazard-")}
        case SiteRegistered(site_no=no):
            yield TAKE_SITE_NO, {"no": no, "site": e.stream_id.removeprefix("site-")}


READ_MODEL = ReadModel(
    "register_no", tables=(HAZARD_NO, SITE_NO), events=(HazardListed, SiteRegistered), project=project
)

NEXT_HAZARD = select(func.coalesce(func.max(HAZARD_NO.c.no), 0) + 1)
NEXT_SITE = select(func.coalesce(func.max(SITE_NO.c.no), 0) + 1)


async def next_hazard(tx: Tx) -> int:
    """Free now; whoever takes it second meets the primary key and tries again."""
    return int(await tx.value(NEXT_HAZARD))


async def next_site(tx: Tx) -> int:
    """As `next_hazard`."""
    return int(await tx.value(NEXT_SITE))
