"""Which tips and patrol findings a hazard rests on."""

from collections.abc import Iterator, Sequence

import asyncpg
from sqlalchemy import ARRAY, Boolean, Column, DateTime, Integer, MetaData, Table, Text, any_, func, select
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from services.cases.read_models.source_flag import FLAG
from shared.contracts.cases import hazard as facts
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.read_model import ReadModel, Words, Write
from shared.sql import Tx

METADATA = MetaData()
SOURCE = Table(
    "hazard_source",
    METADATA,
    Column("hazard", Text, primary_key=True),
    Column("version", Integer, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("ref", Text, nullable=False, index=True),
    Column("finding", Integer),
    Column("live", Boolean, nullable=False),
    Column("summary", Words),
    Column("at", DateTime(timezone=True), nullable=False),
)
ADD = insert(SOURCE).values({column.name: given(column.name) for column in SOURCE.columns})


def project(e: Recorded[facts.HazardListed] | Recorded[facts.HazardFindingAttached]) -> Iterator[Write]:
    source = e.event.source
    yield (
        ADD,
        {
            "hazard": e.stream_id.removeprefix("hazard-"),
            "version": e.version,
            "kind": source.kind,
            "ref": source.ref,
            "finding": source.finding,
            "live": e.event.live,
            "summary": text_of(e.event.summary),
            "at": e.occurred_at,
        },
    )


READ_MODEL = ReadModel(
    "hazard_source", tables=(SOURCE,), events=(facts.HazardListed, facts.HazardFindingAttached), project=project
)

REFS = select(SOURCE.c.ref).where(SOURCE.c.hazard == any_(given("hazards", type_=ARRAY(Text)))).distinct()
OF = (
    select(SOURCE, *(func.coalesce(FLAG.c[flag], False).label(flag) for flag in ("withdrawn", "corrected")))
    .join_from(SOURCE, FLAG, SOURCE.c.ref == FLAG.c.ref, isouter=True)
    .where(SOURCE.c.hazard == given("of"))
    .order_by(SOURCE.c.version)
)


async def of(tx: Tx, hazard: str) -> Sequence[asyncpg.Record]:
    """Oldest first; `withdrawn`, `corrected`: the tip or patrol has been marked as entered in error, or corrected, since."""
    return await tx.all(OF, {"of": hazard})


async def refs(tx: Tx, streams: Sequence[str]) -> list[str]:
    """The streams of the tips and patrols that these hazards rest on."""
    hazards = [stream.removeprefix("hazard-") for stream in streams if stream.startswith("hazard-")]
    return [row["ref"] for row in await tx.all(REFS, {"hazards": hazards})]
