"""One line a tip, for the office's list. Never the informant's words, name or contact.

state: received | to_verify | substantiated | unsubstantiated | insufficient | out_of_area | forwarded | closed | void.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import asyncpg
from sqlalchemy import (
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    Table,
    Text,
    bindparam,
    func,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.contracts.intake import informant, tip
from shared.contracts.intake.informant import (
    InformantErased,
    InformantErasureApproved,
    InformantErasureRefused,
    InformantErasureRequested,
    InformantHeld,
    InformantReleased,
)
from shared.contracts.intake.tip import (
    TipClosed,
    TipCorrected,
    TipEnteredInError,
    TipForwarded,
    TipMarkedLive,
    TipReceived,
    TipScreened,
    TipSupplemented,
    TipVerified,
)
from shared.contracts.parts import Place
from shared.errors import NotFound
from shared.read_model import MetaData, ReadModel, Words, Write
from shared.sql import Tx
from shared.timers import due_at

LINE = Table(
    "tip_line",
    MetaData(),
    Column("tip", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("anonymous", Boolean, nullable=False),
    Column("live", Boolean, nullable=False),
    Column("village", Text),
    Column("place", JSONB(none_as_null=True)),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("verify_by", DateTime(timezone=True)),
    Column("supplements", Integer, nullable=False),
    Column("site", Text),
    Column("category", Text),
    Column("violation", Text),
    Column("mineral", Text),
    Column("modus", Text),
    Column("pretext", Text),
    Column("summary", Words),
    Column("forwarded_to", Text),
    Column("closed_reason", Text),
    Column("ended_at", DateTime(timezone=True)),
    Column("held", Boolean, nullable=False),
    Column("erasure", Text),
    Column("erasure_ground", Text),
    Column("erasure_at", DateTime(timezone=True)),
    Column("erasure_by", Text),
    Index("tip_line_erasure", "erasure_at", "tip"),
    Index("tip_line_newest", "received_at", "tip"),
)

"""ended_at: when it was closed, forwarded or marked as a mistake; a substantiated one ends with its hazards (tip_handling).

erasure: requested | refused | approved | erased, `erasure_at` by whom (`erasure_by`); `held`: nothing may be erased.
"""
ERASURE = "erasure"
"""The deadline of an approved erasure; its subject is the tip's id."""

_OF = LINE.c.tip == bindparam("of_tip")
FACTS = ("village", "site", "place", "category", "violation", "mineral", "modus", "pretext", "summary")


def _change(*columns: str, **fixed: Any) -> Any:
    """UPDATE of one line; each of `columns` from the parameter `new_<column>`, or as it was when that is NULL."""
    new = {c: func.coalesce(bindparam(f"new_{c}", type_=LINE.c[c].type), LINE.c[c]) for c in columns}
    return update(LINE).where(_OF).values(version=bindparam("at_version"), **new, **fixed)


ADD = insert(LINE).on_conflict_do_nothing()
SUPPLEMENT = _change(supplements=LINE.c.supplements + 1)
MARK_LIVE = _change("village", live=True)
SCREEN = _change("state", "verify_by", "village", "summary")
VERIFY = _change("state", *FACTS, live=or_(LINE.c.live, bindparam("new_live", type_=Boolean)))
FORWARD = _change("forwarded_to", "ended_at", state="forwarded")
CLOSE = _change("closed_reason", "ended_at", state="closed")
CORRECT = {name: _change(name) for name in (*FACTS, "channel")}
VOID = _change("ended_at", state="void")
HOLD, RELEASE = _change(held=True), _change(held=False)
ASK = _change("erasure_ground", "erasure_at", "erasure_by", erasure="requested")
DECIDE = _change("erasure", "erasure_at", "erasure_by")

ONE = select(LINE).where(LINE.c.tip == bindparam("tip"))
# Newest first; a filter that is NULL lets everything through; `after` is the last line of the page before.
PAGE = (
    select(LINE)
    .where(
        *(
            or_(bindparam(name, type_=kind).is_(None), LINE.c[name] == bindparam(name, type_=kind))
            for name, kind in (("state", Text), ("village", Text), ("live", Boolean))
        ),
        or_(
            bindparam("after_at", type_=DateTime(timezone=True)).is_(None),
            tuple_(LINE.c.received_at, LINE.c.tip)
            < tuple_(bindparam("after_at", type_=DateTime(timezone=True)), bindparam("after_tip", type_=Text)),
        ),
    )
    .order_by(LINE.c.received_at.desc(), LINE.c.tip.desc())
    .limit(bindparam("most", type_=Integer))
)


def project(e: Recorded[Any]) -> Iterator[Write]:
    key = {"of_tip": e.stream_id.removeprefix("tip-"), "at_version": e.version}
    match e.event:
        case TipReceived() as t:
            yield ADD, _received(e, t)
        case TipSupplemented():
            yield SUPPLEMENT, key
        case TipMarkedLive() as t:
            yield MARK_LIVE, {**key, "new_village": t.village}
        case TipScreened() as t:
            new = _new(state=t.outcome, verify_by=t.verify_by, village=t.village, summary=text_of(t.summary))
            yield SCREEN, key | new
        case TipVerified() as t:
            facts = {name: getattr(t, name) for name in FACTS}
            facts |= {"place": _place(t.place), "summary": text_of(t.summary), "state": t.result, "live": t.live}
            yield VERIFY, key | _new(**facts)
        case TipForwarded() as t:
            yield FORWARD, key | _new(forwarded_to=t.to, ended_at=e.occurred_at)
        case TipClosed() as t:
            yield CLOSE, key | _new(closed_reason=t.reason, ended_at=e.occurred_at)
        case TipCorrected() as t if t.field in CORRECT:
            value = _place(t.value.place) or t.value.code or text_of(t.value.text)
            yield CORRECT[t.field], key | _new(**{t.field: value})
        case TipEnteredInError():
            yield VOID, key | _new(ended_at=e.occurred_at)
        case InformantHeld():
            yield HOLD, key
        case InformantReleased():
            yield RELEASE, key
        case InformantErasureRequested() as t:
            yield ASK, key | _new(erasure_ground=t.ground, erasure_at=e.recorded_at, erasure_by=e.actor)
        case InformantErasureRefused():
            yield DECIDE, key | _new(erasure="refused", erasure_at=e.recorded_at, erasure_by=e.actor)
        case InformantErasureApproved():
            yield DECIDE, key | _new(erasure="approved", erasure_at=e.recorded_at, erasure_by=e.actor)
            yield due_at(ERASURE, e.stream_id.removeprefix("tip-"), e.recorded_at)
        case InformantErased():
            yield DECIDE, key | _new(erasure="erased", erasure_at=e.recorded_at, erasure_by=None)


def _new(**values: Any) -> dict[str, Any]:
    return {f"new_{name}": value for name, value in values.items()}


def _received(e: Recorded[Any], t: TipReceived) -> dict[str, Any]:
    nothing = dict.fromkeys(column.name for column in LINE.columns)
    return nothing | {
        "tip": e.stream_id.removeprefix("tip-"),
        "version": e.version,
        "state": "received",
        "channel": t.channel,
        "anonymous": t.anonymous,
        "live": t.live,
        "village": t.village,
        "place": _place(t.place),
        "received_at": e.occurred_at,
        "recorded_at": e.recorded_at,
        "supplements": 0,
        "held": False,
    }


def _place(place: Place | None) -> dict[str, Any] | None:
    return place.model_dump(exclude_none=True) if place else None


async def page(
    tx: Tx, *, state: str | None, village: str | None, live: bool | None, after: tuple[datetime, str] | None, most: int
) -> list[asyncpg.Record]:
    """At most `most` lines, newest first, beginning behind `after` (received_at, tip)."""
    after_at, after_tip = after or (None, None)
    filters = {"state": state, "village": village, "live": live}
    return await tx.all(PAGE, {**filters, "after_at": after_at, "after_tip": after_tip, "most": most})


async def one(tx: Tx, tip_id: str) -> asyncpg.Record:
    """Raises NotFound."""
    row = await tx.one(ONE, {"tip": tip_id})
    if row is None:
        raise NotFound(tip_id)
    return row


READ_MODEL = ReadModel("tip_line", tables=(LINE,), events=tip.EVENTS + informant.EVENTS, project=project)
