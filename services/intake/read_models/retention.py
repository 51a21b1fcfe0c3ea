"""Whose data has outlived its purpose: tips that have ended, whose informant's data is still there. Nothing here erases."""

from datetime import datetime

import asyncpg
from sqlalchemy import DateTime, Integer, and_, bindparam, case, func, or_, select

from services.intake.read_models.tip_handling import HANDLING
from services.intake.read_models.tip_line import LINE
from shared.sql import Tx

H = HANDLING.c
_open = select(H.hazard).where(H.tip == LINE.c.tip, H.state == "open").exists()
_settled = select(func.max(H.settled_at)).where(H.tip == LINE.c.tip, H.state != "open").scalar_subquery()
ENDED_AT = case((LINE.c.state == "substantiated", _settled), else_=LINE.c.ended_at)
"""A substantiated tip ends with the last of its hazards."""

# Oldest first. Left out: what is held, what waits for a decision, what has an open hazard.
ENDED = (
    select(LINE.c.tip, LINE.c.state, LINE.c.anonymous, LINE.c.erasure, ENDED_AT.label("ended_at"))
    .where(
        LINE.c.held.is_(False),
        or_(LINE.c.erasure.is_(None), LINE.c.erasure == "refused"),
        ~_open,
        bindparam("before", type_=DateTime(timezone=True)) >= ENDED_AT,
    )
    .order_by(ENDED_AT, LINE.c.tip)
    .limit(bindparam("most", type_=Integer))
)
ERASURES = (
    select(LINE)
    .where(and_(LINE.c.erasure.is_not(None)))
    .order_by(LINE.c.erasure_at.desc(), LINE.c.tip.desc())
    .limit(bindparam("most", type_=Integer))
)
END_OF = select(ENDED_AT, _open).select_from(LINE).where(LINE.c.tip == bindparam("of_tip"))


async def ended(tx: Tx, *, before: datetime, most: int) -> list[asyncpg.Record]:
    """tip, state, anonymous, erasure, ended_at of tips that ended before, oldest first."""
    return await tx.all(ENDED, {"before": before, "most": most})


async def end_of(tx: Tx, tip: str) -> tuple[datetime | None, bool]:
    """(when the tip ended, whether a hazard of it is open)."""
    row = await tx.one(END_OF, {"of_tip": tip})
    return (None, False) if row is None else (row[0], row[1])


async def erasures(tx: Tx, *, most: int) -> list[asyncpg.Record]:
    """Lines of tips whose erasure was asked for, the newest step first."""
    return await tx.all(ERASURES, {"most": most})
