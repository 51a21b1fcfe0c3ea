"""Which plan this service has heard to be in force: the one adopted last."""

from collections.abc import Iterator

import asyncpg
from sqlalchemy import Column, DateTime, MetaData, Table, Text, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases.campaign import CampaignAdopted
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

METADATA = MetaData()
IN_FORCE = Table(
    "plan_in_force",
    METADATA,
    Column("plan", Text, primary_key=True),
    Column("version", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("adopted_at", DateTime(timezone=True), nullable=False),
)
COLUMNS = ("plan", "version", "sha256", "adopted_at")
ADOPT = insert(IN_FORCE).values({name: given(name) for name in COLUMNS})
ADOPT = ADOPT.on_conflict_do_update(
    index_elements=["plan"], set_={name: ADOPT.excluded[name] for name in COLUMNS if name != "plan"}
)


def project(e: Recorded[CampaignAdopted]) -> Iterator[Write]:
    """One row for each campaign; a new version of its plan takes the place of the old one."""
    a = e.event
    yield ADOPT, {"plan": a.plan, "version": a.version, "sha256": a.sha256, "adopted_at": e.recorded_at}


READ_MODEL = ReadModel("plan_in_force", tables=(IN_FORCE,), events=(CampaignAdopted,), project=project)

CURRENT = select(IN_FORCE).order_by(IN_FORCE.c.adopted_at.desc(), IN_FORCE.c.plan).limit(1)


async def current(tx: Tx) -> asyncpg.Record | None:
    """plan, version, sha256 (hex), adopted_at; None before any adoption arrived."""
    return await tx.one(CURRENT)
