"""Where the campaign stands: the adopted plan and which of its phases have started and ended."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import Column, Date, DateTime, Integer, MetaData, Table, Text, delete, select, update
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases import campaign as facts
from shared.contracts.envelope import Recorded
from shared.read_model import ReadModel, Write
from shared.sql import Tx

METADATA = MetaData()
CAMPAIGN = Table(
    "campaign_state",
    METADATA,
    Column("plan", Text, primary_key=True),
    Column("stream_version", Integer, nullable=False),
    Column("version", Text, nullable=False),
    Column("sha256", Text, nullable=False),
    Column("jurisdiction", Text, nullable=False),
    Column("starts_on", Date, nullable=False),
    Column("ends_on", Date, nullable=False),
    Column("adopted_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
)
PHASE = Table(
    "campaign_phase",
    METADATA,
    Column("plan", Text, primary_key=True),
    Column("phase", Text, primary_key=True),
    Column("nth", Integer, nullable=False),
    Column("starts_at", DateTime(timezone=True), nullable=False),
    Column("ends_at", DateTime(timezone=True), nullable=False),
    Column("started_at", DateTime(timezone=True)),
    Column("ended_at", DateTime(timezone=True)),
)
ADOPTED = ("plan", "version", "sha256", "jurisdiction", "starts_on", "ends_on", "adopted_at", "stream_version")
ADOPT = insert(CAMPAIGN).values({name: given(name) for name in ADOPTED})
ADOPT = ADOPT.on_conflict_do_update(
    index_elements=["plan"], set_={name: ADOPT.excluded[name] for name in ADOPTED if name != "plan"}
)
SPAN = ("plan", "phase", "nth", "starts_at", "ends_at")
PUT_PHASE = insert(PHASE).values({name: given(name) for name in SPAN})
PUT_PHASE = PUT_PHASE.on_conflict_do_update(
    index_elements=["plan", "phase"], set_={name: PUT_PHASE.excluded[name] for name in ("nth", "starts_at", "ends_at")}
)
DROP_PHASES = delete(PHASE).where(PHASE.c.plan == given("of"), PHASE.c.phase.not_in(given("kept", expanding=True)))


def _campaign(**changes: Any) -> Any:
    return update(CAMPAIGN).where(CAMPAIGN.c.plan == given("of")).values({**changes, "stream_version": given("to_v")})


def _phase(column: str) -> Any:
    one = (PHASE.c.plan == given("of")) & (PHASE.c.phase == given("of_phase"))
    return update(PHASE).where(one).values({column: given("at", type_=DateTime(timezone=True))})


SEEN = _campaign()
STARTED = _campaign(started_at=given("at", type_=DateTime(timezone=True)))
ENDED = _campaign(ended_at=given("at", type_=DateTime(timezone=True)))
PHASE_STARTED = _phase("started_at")
PHASE_ENDED = _phase("ended_at")


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("campaign-")
    now = {"of": of, "to_v": e.version}
    match e.event:
        case facts.CampaignAdopted() as c:
            told = {name: getattr(c, name) for name in ADOPTED if hasattr(c, name)}
            yield ADOPT, {**told, "adopted_at": e.occurred_at, "stream_version": e.version}
            yield DROP_PHASES, {"of": of, "kept": [span.phase for span in c.phases]}
            for nth, span in enumerate(c.phases, start=1):
                at = {"starts_at": span.starts_at, "ends_at": span.ends_at}
                yield PUT_PHASE, {"plan": of, "phase": span.phase, "nth": nth, **at}
        case facts.CampaignStarted():
            yield STARTED, {**now, "at": e.occurred_at}
        case facts.CampaignEnded():
            yield ENDED, {**now, "at": e.occurred_at}
        case facts.PhaseStarted(phase=phase):
            yield SEEN, now
            yield PHASE_STARTED, {"of": of, "of_phase": phase, "at": e.occurred_at}
        case facts.PhaseEnded(phase=phase):
            yield SEEN, now
            yield PHASE_ENDED, {"of": of, "of_phase": phase, "at": e.occurred_at}
        case _:
            yield SEEN, now


READ_MODEL = ReadModel("campaign_state", tables=(CAMPAIGN, PHASE), events=facts.EVENTS, project=project)

CURRENT = select(CAMPAIGN).order_by(CAMPAIGN.c.adopted_at.desc(), CAMPAIGN.c.plan).limit(1)
PLANS = select(CAMPAIGN.c.plan)
PHASES = select(PHASE).where(PHASE.c.plan == given("of")).order_by(PHASE.c.nth)


async def plans(tx: Tx) -> list[str]:
    """Codes of every plan ever adopted."""
    return [row["plan"] for row in await tx.all(PLANS)]


async def current(tx: Tx) -> tuple[asyncpg.Record, Sequence[asyncpg.Record]] | None:
    """The campaign adopted last and its phases in order; None before any."""
    row = await tx.one(CURRENT)
    return (row, await tx.all(PHASES, {"of": row["plan"]})) if row is not None else None
