"""Reads that matter are events: who was given what, when, and why. Every service keeps its own, the same way.

The record of an opening is written before what was asked for leaves; `OPENING_RULES` and `openings_of` go on a service's card.

A reason to read a tip may name the informant. It is sealed with the opening's own key and stands in no table; whoever erases the
informant destroys that key too (`read_of`). It is told to the leaders in the list, to the auditor never, and in no pack
(`with_reasons`, `for_a_pack`). Neither are the grounds on which words that name somebody were to be erased: they name them again.
"""

from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Index,
    MetaData,
    Table,
    Text,
    Uuid,
    bindparam,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import ARRAY, insert

from shared.app import App, Cause, Sealer
from shared.contracts.envelope import Recorded, read
from shared.contracts.event import Event, text_of
from shared.contracts.intake.informant import InformantErased
from shared.contracts.intake.words import WordsErasureRefused, WordsErasureRequested
from shared.contracts.parts import AsOf, Heads, InPack, Opening
from shared.decider import Actor, Command, Decider
from shared.errors import NotPermitted, Refusal, StreamExists
from shared.evidence import kind_of
from shared.ids import fresh
from shared.read_model import ReadModel, Words, Write
from shared.sql import Tx
from shared.telemetry import correlation

LEAST_REASON, MOST_REASON = 4, 1000
"""Characters, without white space around them."""
NEAR_INFORMANTS = frozenset({"tip", "disclosure", "words", "opening"})
"""Kinds of records that lead to an informant; an opening may be of one that does."""
NOT_IN_PACKS = "〔理由可能涉及举报人，证据包中不写明〕 may name an informant, not told in a pack"
FOR_LEADERS = "〔理由可能涉及举报人，已封存，由领导查阅〕 may name an informant; sealed, a leader reads it"


class OpeningNeedsReason(Refusal):
    """请写明调阅理由，不少于四个字，不超过一千字。
    Give the reason for reading this, in 4 to 1,000 characters."""


class SealedForNow(NotPermitted):
    """这条记录目前封存，不在此处显示。请到所属业务处写明理由后调阅。
    This record is sealed for now and not shown here. Where it belongs, it is opened with a reason."""


Closed = Callable[[Tx, Actor, str, date], Awaitable[bool]]
"""(reader, stream, the town's day) -> whether that record is sealed for this reader for now."""


async def nothing_closed(_: Tx, __: Actor, ___: str, ____: date) -> bool:
    return False


class MakeOpening(Command):
    """`opening`: a fresh id; the rest as in shared.contracts.parts.Opening."""

    opening: UUID
    kind: str
    about: tuple[str, ...]
    reason: str
    heads: Heads | None = None
    pack: InPack | None = None
    as_of: AsOf | None = None

    @property
    def stream_id(self) -> str:
        return f"opening-{self.opening}"


@dataclass(frozen=True)
class Made:
    """What was read, was read: nothing follows."""

    made: bool = False


def must_be_a_reason(written: str) -> str:
    """Without white space around it. Raises OpeningNeedsReason."""
    reason = written.strip()
    if not LEAST_REASON <= len(reason) <= MOST_REASON:
        raise OpeningNeedsReason()
    return reason


def opening_of(fact: type[Opening]) -> Decider[Made]:
    """The decider for the openings that a service publishes as `fact`."""

    def decide(command: MakeOpening, state: Made, _: Any) -> Sequence[Opening]:
        """Raises OpeningNeedsReason, StreamExists."""
        reason = must_be_a_reason(command.reason)
        if state.made:
            raise StreamExists(stream=command.stream_id)
        made = fact(
            kind=command.kind,
            about=command.about,
            reason=reason,
            heads=command.heads,
            pack=command.pack,
            as_of=command.as_of,
        )
        return [made]

    return Decider("opening", Made, decide, lambda _, __: Made(made=True), (MakeOpening,), (fact,))


async def record_opening(
    app: App,
    *,
    kind: str,
    about: Sequence[str],
    reason: str,
    actor: Actor,
    heads: Heads | None = None,
    pack: InPack | None = None,
    as_of: AsOf | None = None,
    cause: Cause | None = None,
) -> UUID:
    """Records it; the event's id. `about`: stream ids, none for the whole log; `cause`: the request that asked for it, so that
    its repetition is the same opening. Raises OpeningNeedsReason and what App.handle raises."""
    cause = cause or Cause(command_id=fresh(), actor=actor, correlation_id=correlation.get() or str(fresh()))
    command = MakeOpening(
        opening=cause.command_id, kind=kind, about=tuple(about), reason=reason, heads=heads, pack=pack, as_of=as_of
    )
    return (await app.handle(command, cause)).events[0]


# ------------------------------------------------------------------------------------------------ who read what

LINE = Table(
    "opening",
    MetaData(),
    Column("stream", Text, primary_key=True),
    Column("event_id", Uuid, nullable=False),
    Column("kind", Text, nullable=False),
    Column("about", ARRAY(Text), nullable=False),
    Column("reason", Words),
    Column("size", BigInteger),
    Column("as_of", DateTime(timezone=True)),
    Column("actor", Text, nullable=False),
    Column("in_role", Text, nullable=False),
    Column("on_behalf_of", Text),
    Column("made_at", DateTime(timezone=True), nullable=False),
)
Index("opening_made_at", LINE.c.made_at, LINE.c.stream)
PUT = insert(LINE).values({column.name: bindparam(column.name) for column in LINE.c})

_before = (bindparam("before_at", type_=DateTime(timezone=True)), bindparam("before", type_=Text))
NEWEST = select(LINE).order_by(LINE.c.made_at.desc(), LINE.c.stream.desc()).limit(bindparam("most"))
OLDER = NEWEST.where(tuple_(LINE.c.made_at, LINE.c.stream) < tuple_(*_before))
ABOUT = (
    select(LINE.c.stream).where(LINE.c.about.overlap(bindparam("streams", type_=ARRAY(Text)))).order_by(LINE.c.stream)
)
BODIES = "SELECT event_id, body FROM record.event WHERE event_id = ANY($1)"
FORGET = update(LINE).where(LINE.c.stream == bindparam("of_stream")).values(reason=None)


def _project(e: Recorded[Any]) -> Iterator[Write]:
    made = e.event
    if isinstance(made, InformantErased):  # a line of before 0.2 has the reason in it
        yield FORGET, {"of_stream": made.subject}
        return
    yield (
        PUT,
        {
            "stream": e.stream_id,
            "event_id": e.event_id,
            "kind": made.kind,
            "about": list(made.about),
            "reason": None if near_informant(made.about) else text_of(made.reason),
            "size": made.heads.size if made.heads is not None else None,
            "as_of": made.as_of.at if made.as_of is not None else None,
            "actor": e.actor,
            "in_role": e.in_role,
            "on_behalf_of": e.on_behalf_of,
            "made_at": e.recorded_at,
        },
    )


def openings_of(fact: type[Opening], *erased: type[InformantErased]) -> ReadModel:
    """One line an opening. `erased`: where informants are erased, the fact that says so."""
    return ReadModel("opening", tables=(LINE,), events=(fact, *erased), project=_project)


async def page(tx: Tx, most: int, before: tuple[datetime, str] | None = None) -> list[asyncpg.Record]:
    """Newest first, `most` lines; `before`: (made_at, stream) of the last line of the page before. No reasons near informants."""
    if before is None:
        return await tx.all(NEWEST, {"most": most})
    return await tx.all(OLDER, {"most": most, "before_at": before[0], "before": before[1]})


def near_informant(about: Sequence[str]) -> bool:
    """Whether a reason to open these records may name an informant."""
    return any(kind_of(stream) in NEAR_INFORMANTS for stream in about)


async def with_reasons(sealer: Sealer, tx: Tx, lines: Sequence[asyncpg.Record], words: bool) -> list[dict[str, Any]]:
    """Lines of `page` with the reasons that stand in no table; None once their key is destroyed. Without `words`, for whoever
    is not to learn of an informant: a fixed phrase in the place of each, and no key is asked for."""
    near = [line["event_id"] for line in lines if near_informant(line["about"])]
    told: dict[UUID, str | None] = dict.fromkeys(near, FOR_LEADERS)
    if words and near:
        made = await sealer.open([read(row["body"]) for row in await tx.all(BODIES, (near,))])
        told = {e.event_id: text_of(e.event.reason) for e in made}
    return [dict(line) | ({"reason": told[line["event_id"]]} if line["event_id"] in told else {}) for line in lines]


async def read_of(tx: Tx, streams: Sequence[str]) -> list[str]:
    """The openings of any of these records, and the openings of those."""
    found: dict[str, None] = {}
    wanted = list(streams)
    while wanted:
        rows = await tx.all(ABOUT, {"streams": wanted})
        wanted = [row["stream"] for row in rows if row["stream"] not in found]
        found |= dict.fromkeys(wanted)
    return list(found)


def for_a_pack(e: Recorded[Event]) -> Recorded[Event]:
    """As a pack's timeline may tell it: a pack leaves the house, and no erasure reaches it there. The bytes are what they are."""
    match e.event:
        case Opening(about=about) if near_informant(about):
            field = "reason"
        case WordsErasureRequested():
            field = "grounds"
        case WordsErasureRefused():
            field = "reason"
        case _:
            return e
    return replace(e, event=e.event.model_copy(update={field: NOT_IN_PACKS}))


OPENING_RULES: Mapping[str, int] = {OpeningNeedsReason.__name__: 422}
"""For the `rule_status` of a card."""
