"""Appointments with their assignment ids. Kept by shared.identity.posts; asked here."""

from collections.abc import Sequence
from datetime import date

import asyncpg
from sqlalchemy import bindparam as given
from sqlalchemy import or_, select

from shared.identity.posts import POST
from shared.sql import Tx

TEXTS = select(POST.c.assignment, POST.c.name, POST.c.email, POST.c.phone)
NOW_OR_LATER = (
    select(POST)
    .where(
        or_(POST.c.until_on.is_(None), POST.c.until_on >= given("today")),
        or_(POST.c.ended_on.is_(None), POST.c.ended_on >= given("today")),
    )
    .order_by(POST.c.unit, POST.c.post, POST.c.person, POST.c.assignment)
)


async def texts(tx: Tx) -> dict[str, tuple[str | None, str | None, str | None]]:
    """Assignment → name, e-mail address and telephone number, as far as they can be read."""
    return {row["assignment"]: (row["name"], row["email"], row["phone"]) for row in await tx.all(TEXTS)}


async def now_or_later(tx: Tx, today: date) -> Sequence[asyncpg.Record]:
    """Those that run on that day or begin after it."""
    return await tx.all(NOW_OR_LATER, {"today": today})
