"""One line a request to open an informant's identity. Codes, persons and times; never grounds, never the identity."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, bindparam, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.intake import disclosure
from shared.contracts.intake.disclosure import (
    DisclosureApproved,
    DisclosureClosed,
    DisclosureOpened,
    DisclosureOpeningFailed,
    DisclosureOpeningRefused,
    DisclosureRefused,
    DisclosureRequested,
)
from shared.errors import NotFound
from shared.read_model import MetaData, ReadModel, Write
from shared.sql import Tx

LINE = Table(
    "disclosure_line",
    MetaData(),
    Column("disclosure", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("tip", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("requested_as", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("open_until", DateTime(timezone=True)),
    Column("opened_at", DateTime(timezone=True)),
    Column("opened_by", Text),
    Column("tries", Integer, nullable=False),
    Index("disclosure_line_newest", "requested_at", "disclosure"),
)
"""state: requested | approved | refused | closed | opened. `tries`: openings that were refused or failed."""

_OF = LINE.c.disclosure == bindparam("of_disclosure")


def _change(*columns: str, **fixed: Any) -> Any:
    return (
        update(LINE)
        .where(_OF)
        .values(version=bindparam("at_version"), **{c: bindparam(f"new_{c}") for c in columns}, **fixed)
    )


ADD = insert(LINE).on_conflict_do_nothing()
APPROVE = _change("decided_at", "decided_by", "open_until", state="approved")
REFUSE = _change("decided_at", "decided_by", state="refused")
CLOSE = _change(state="closed")
OPEN = _change("opened_at", "opened_by", state="opened")
TRY = _change(tries=LINE.c.tries + 1)

ONE = select(LINE).where(LINE.c.disclosure == bindparam("disclosure"))
OF_TIP = select(LINE.c.disclosure).where(LINE.c.tip == bindparam("tip")).order_by(LINE.c.disclosure)
UNDECIDED = OF_TIP.where(LINE.c.state == "requested")
# A person asks for their own; NULL lets everything through.
NEWEST = (
    select(LINE)
    .where(or_(bindparam("of_person", type_=Text).is_(None), LINE.c.requested_by == bindparam("of_person", type_=Text)))
    .order_by(LINE.c.requested_at.desc(), LINE.c.disclosure.desc())
    .limit(bindparam("most", type_=Integer))
)


def project(e: Recorded[Any]) -> Iterator[Write]:
    key = {"of_disclosure": e.stream_id.removeprefix("disclosure-"), "at_version": e.version}
    match e.event:
        case DisclosureRequested() as asked:
            nothing = dict.fromkeys(column.name for column in LINE.columns)
            yield (
                ADD,
                nothing
                | {
                    "disclosure": key["of_disclosure"],
                    "version": e.version,
                    "tip": asked.tip.removeprefix("tip-"),
                    "state": "requested",
                    "ground": asked.ground,
                    "requested_at": e.recorded_at,
                    "requested_by": e.actor,
                    "requested_as": e.in_role,
                    "tries": 0,
                },
            )
        case DisclosureApproved(open_until=until):
            yield APPROVE, key | {"new_decided_at": e.recorded_at, "new_decided_by": e.actor, "new_open_until": until}
        case DisclosureRefused():
            yield REFUSE, key | {"new_decided_at": e.recorded_at, "new_decided_by": e.actor}
        case DisclosureClosed():
            yield CLOSE, key
        case DisclosureOpened():
            yield OPEN, key | {"new_opened_at": e.recorded_at, "new_opened_by": e.actor}
        case DisclosureOpeningRefused() | DisclosureOpeningFailed():
            yield TRY, key


async def one(tx: Tx, disclosure_id: str) -> asyncpg.Record:
    """Raises NotFound."""
    row = await tx.one(ONE, {"disclosure": disclosure_id})
    if row is None:
        raise NotFound(disclosure_id)
    return row


async def of_tip(tx: Tx, tip_id: str) -> list[str]:
    """Requests about this tip, however they ended."""
    return [row["disclosure"] for row in await tx.all(OF_TIP, {"tip": tip_id})]


async def undecided(tx: Tx, tip_id: str) -> list[str]:
    """Requests about this tip that wait for a decision."""
    return [row["disclosure"] for row in await tx.all(UNDECIDED, {"tip": tip_id})]


async def newest(tx: Tx, *, of_person: str | None, most: int) -> list[asyncpg.Record]:
    """At most `most` lines, newest first; `of_person`: only what that person asked for."""
    return await tx.all(NEWEST, {"of_person": of_person, "most": most})


READ_MODEL = ReadModel("disclosure_line", tables=(LINE,), events=disclosure.EVENTS, project=project)
