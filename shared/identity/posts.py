"""Who holds which post on which day, as the campaign's appointments say; every service projects it for itself."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

import asyncpg
from sqlalchemy import Column, Date, MetaData, Select, Table, Text, and_, bindparam, or_, select
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.contracts.cases.campaign import Appointed, AppointmentEnded
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.decider import Actor
from shared.read_model import ReadModel, Write
from shared.sql import Tx

POST = Table(
    "post",
    MetaData(),
    Column("assignment", Text, primary_key=True),
    Column("person", Text, nullable=False),
    Column("post", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("village", Text),
    Column("from_on", Date, nullable=False),
    Column("until_on", Date),
    Column("ended_on", Date),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("channels", JSONB, nullable=False),
)
P = POST.c


@dataclass(frozen=True)
class Holder:
    """A person in one post. Name and addresses are None once erased; `channels` in the order of the plan."""

    person: str
    post: str
    unit: str
    village: str | None
    name: str | None
    email: str | None
    phone: str | None
    channels: tuple[str, ...]


# ------------------------------------------------------------------------------------------------ projection

_put = insert(POST).values({column.name: bindparam(column.name) for column in POST.columns})
APPOINT = _put.on_conflict_do_update(
    index_elements=["assignment"],
    set_={column.name: _put.excluded[column.name] for column in POST.columns if column.name != "assignment"},
)
END = POST.update().where(P.assignment == bindparam("of")).values(ended_on=bindparam("last_on"))


def project(e: Recorded[Any]) -> Iterator[Write]:
    match e.event:
        case Appointed() as a:  # once more, on other terms: what had ended holds again
            yield (
                APPOINT,
                {
                    "assignment": a.assignment,
                    "person": a.person,
                    "post": a.post,
                    "unit": a.unit,
                    "village": a.village,
                    "from_on": a.from_on,
                    "until_on": a.until_on,
                    "ended_on": None,
                    "name": text_of(a.name),
                    "email": text_of(a.email),
                    "phone": text_of(a.phone),
                    "channels": list(a.channels),
                },
            )
        case AppointmentEnded(assignment=assignment, on=on):
            yield END, {"of": assignment, "last_on": on}


READ_MODEL = ReadModel("post", tables=(POST,), events=(Appointed, AppointmentEnded), project=project)

# ------------------------------------------------------------------------------------------------ queries

_today = bindparam("today", type_=Date)
VALID = and_(
    P.from_on <= _today,
    or_(P.until_on.is_(None), P.until_on >= _today),
    or_(P.ended_on.is_(None), P.ended_on >= _today),
)
"""First and last day are days in post."""


def _held(*conditions: Any) -> Select[Any]:
    return select(POST).where(VALID, *conditions).order_by(P.person, P.post, P.unit, P.from_on, P.assignment)


EVERYBODY = _held()
OF_POST = _held(P.post == bindparam("of_post"))
OF_POST_IN_UNIT = _held(P.post == bindparam("of_post"), P.unit == bindparam("of_unit"))
OF_PERSON = _held(P.person == bindparam("of_person"))
NAMES = select(P.person, P.name).where(P.name.is_not(None)).order_by(P.from_on, P.assignment)
NAME = (
    select(P.name)
    .where(P.name.is_not(None), P.person == bindparam("of_person"))
    .order_by(P.from_on.desc(), P.assignment.desc())
    .limit(1)
)


async def holders(tx: Tx, post: str, *, unit: str | None = None, on: date) -> list[Holder]:
    """Whoever holds `post` (in `unit`) on that day, by person id."""
    if unit is None:
        return _holders(await tx.all(OF_POST, {"of_post": post, "today": on}))
    return _holders(await tx.all(OF_POST_IN_UNIT, {"of_post": post, "of_unit": unit, "today": on}))


async def held_by(tx: Tx, person: str, *, on: date) -> list[Holder]:
    """Every post the person holds on that day."""
    return _holders(await tx.all(OF_PERSON, {"of_person": person, "today": on}))


async def everybody(tx: Tx, *, on: date) -> list[Holder]:
    """Every post held on that day, by person id."""
    return _holders(await tx.all(EVERYBODY, {"today": on}))


async def holds(tx: Tx, actor: Actor, on: date) -> bool:
    """Whether the actor holds that very post, unit and village on that day; whom they act for must hold any post then."""
    held = await held_by(tx, actor.person, on=on)
    if (actor.post, actor.unit, actor.village) not in {(h.post, h.unit, h.village) for h in held}:
        return False
    return actor.on_behalf_of is None or bool(await held_by(tx, actor.on_behalf_of, on=on))


async def name_of(tx: Tx, person: str) -> str | None:
    """The person's name by their latest appointment; None for a stranger, or once erased."""
    name: str | None = await tx.value(NAME, {"of_person": person})
    return name


async def names(tx: Tx) -> dict[str, str]:
    """Person id -> name, of everybody ever appointed whose name can be read."""
    return {row["person"]: row["name"] for row in await tx.all(NAMES)}


def _holders(rows: list[asyncpg.Record]) -> list[Holder]:
    """The same person in the same post by two overlapping appointments is one holder, by the later."""
    found = {
        (row["person"], row["post"], row["unit"], row["village"]): Holder(
            person=row["person"],
            post=row["post"],
            unit=row["unit"],
            village=row["village"],
            name=row["name"],
            email=row["email"],
            phone=row["phone"],
            channels=tuple(row["channels"]),
        )
        for row in rows
    }
    return list(found.values())
