"""Every plan that ever came into force: which file, by hash, a report's plan version names."""

from collections.abc import Iterator

from sqlalchemy import BigInteger, Column, MetaData, Table, Text, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases.campaign import CampaignAdopted
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

ADOPTION = Table(
    "adoption",
    MetaData(),
    Column("version", Text, primary_key=True),
    Column("sha256", Text, nullable=False),
    Column("position", BigInteger, nullable=False),
)
ADD = insert(ADOPTION).values({column.name: given(column.name) for column in ADOPTION.columns}).on_conflict_do_nothing()


def project(e: Recorded[CampaignAdopted]) -> Iterator[Write]:
    yield ADD, {"version": e.event.version, "sha256": e.event.sha256, "position": e.position}


READ_MODEL = ReadModel("adoption", tables=(ADOPTION,), events=(CampaignAdopted,), project=project)

HASH = select(ADOPTION.c.sha256).where(ADOPTION.c.version == given("of_version"))


async def hash_of(tx: Tx, version: str) -> str | None:
    """SHA-256 of the plan file; None for a version that was never adopted."""
    found: str | None = await tx.value(HASH, {"of_version": version})
    return found
