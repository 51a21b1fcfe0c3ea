"""What became of substantiated tips: the hazards of the service cases that go back to one. Projected from cases alone.

And which hazards there are, with the tips and patrols whose summaries were copied into them.
"""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Column, DateTime, Index, Table, Text, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from services.intake.read_models.tip_line import LINE
from shared.contracts.cases.hazard import HazardClosedOut, HazardEnteredInError, HazardFindingAttached, HazardListed
from shared.contracts.envelope import Recorded
from shared.read_model import MetaData, ReadModel, Write
from shared.sql import Tx

HANDLING = Table(
    "tip_handling",
    MetaData(),
    Column("hazard", Text, primary_key=True),
    Column("tip", Text, primary_key=True),
    Column("state", Text, nullable=False),
    Column("settled_at", DateTime(timezone=True)),
    Index("tip_handling_of_tip", "tip"),
)
"""state: open | closed_out | void."""
COPY = Table(
    "hazard_copy",
    MetaData(),
    Column("hazard", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Index("hazard_copy_of_source", "source"),
)
"""source: the stream of the tip or patrol. Every hazard has one."""

ADD = insert(HANDLING).on_conflict_do_nothing()
SETTLE = (
    update(HANDLING)
    .where(HANDLING.c.hazard == bindparam("of_hazard"))
    .values(state=bindparam("new_state"), settled_at=bindparam("at"))
)
COPIED = insert(COPY).on_conflict_do_nothing()
COPIES = select(COPY.c.hazard).where(COPY.c.source == bindparam("of_record")).order_by(COPY.c.hazard)
COPIED_FROM = select(COPY.c.source).where(COPY.c.hazard == bindparam("of_record")).order_by(COPY.c.source)
_record = bindparam("record", type_=Text)
HELD = select(
    select(LINE.c.tip)
    .where(
        LINE.c.held,
        or_(
            ("tip-" + LINE.c.tip) == _record,
            LINE.c.tip.in_(select(HANDLING.c.tip).where(HANDLING.c.hazard == _record)),
        ),
    )
    .exists()
)
STATES = select(HANDLING.c.state).where(HANDLING.c.tip == bindparam("of_tip"))


def project(e: Recorded[Any]) -> Iterator[Write]:
    match e.event:
        case HazardListed(source=source) | HazardFindingAttached(source=source):
            yield COPIED, {"hazard": e.stream_id, "source": source.ref}
            if source.kind == "tip":
                of = {"hazard": e.stream_id, "tip": source.ref.removeprefix("tip-")}
                yield ADD, {**of, "state": "open", "settled_at": None}
        case HazardClosedOut():
            yield SETTLE, {"of_hazard": e.stream_id, "new_state": "closed_out", "at": e.occurred_at}
        case HazardEnteredInError():
            yield SETTLE, {"of_hazard": e.stream_id, "new_state": "void", "at": e.occurred_at}


async def settled(tx: Tx, tip_id: str) -> bool:
    """True when everything that was listed because of the tip is closed out."""
    states = {row["state"] for row in await tx.all(STATES, {"of_tip": tip_id})} - {"void"}
    return states == {"closed_out"}


async def copies_of(tx: Tx, record: str) -> list[str]:
    """Streams of the hazards that were listed, or found again, because of the tip or patrol: its summary was copied there."""
    return [row["hazard"] for row in await tx.all(COPIES, {"of_record": record})]


async def copied_from(tx: Tx, record: str) -> list[str]:
    """Streams of the tips and patrols whose summaries were copied into the hazard; none for a hazard that is not there."""
    return [row["source"] for row in await tx.all(COPIED_FROM, {"of_record": record})]


async def held(tx: Tx, record: str) -> bool:
    """Whether the record, a tip's stream or a hazard's, or a request to erase its words, is of a tip whose informant is kept for
    a proceeding."""
    while record.startswith("words-"):
        record = record.removeprefix("words-")
    return bool(await tx.value(HELD, {"record": record}))


READ_MODEL = ReadModel(
    "tip_handling",
    tables=(HANDLING, COPY),
    events=(HazardListed, HazardFindingAttached, HazardClosedOut, HazardEnteredInError),
    project=project,
)
