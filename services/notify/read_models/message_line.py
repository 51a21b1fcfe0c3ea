"""One line a message, as the recipient's inbox shows it; written with the message itself."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import (
    ARRAY,
    Boolean,
    Column,
    DateTime,
    Index,
    Integer,
    MetaData,
    Table,
    Text,
    and_,
    any_,
    bindparam,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.notify.message import (
    EVENTS,
    MessageAcknowledged,
    MessageCorrected,
    MessageEnteredInError,
    MessageEscalated,
    MessageIssued,
)
from shared.read_model import ReadModel, Write
from shared.sql import Tx

LINE = Table(
    "message_line",
    MetaData(),
    Column("stream", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("kind", Text, nullable=False),
    Column("about", Text, nullable=False),
    Column("about_no", Integer),
    Column("recipient", Text, nullable=False),
    Column("post", Text, nullable=False),
    Column("unit", Text, nullable=False),
    Column("village", Text),
    Column("due_at", DateTime(timezone=True)),
    Column("ack_due_at", DateTime(timezone=True)),
    Column("step", Integer, nullable=False),
    Column("escalated_from", Text),
    Column("channels", ARRAY(Text), nullable=False),
    Column("issued_at", DateTime(timezone=True), nullable=False),
    Column("acknowledged_at", DateTime(timezone=True)),
    Column("acknowledged_by", Text),
    Column("escalated_to", Text),
    Column("withdrawn_at", DateTime(timezone=True)),
)
Index("message_line_of", LINE.c.recipient, LINE.c.issued_at)
Index("message_line_about", LINE.c.about)

PUT = (
    insert(LINE)
    .values({c.name: bindparam(c.name) for c in LINE.c if c.name in MessageIssued.model_fields})
    .values(stream=bindparam("stream"), version=bindparam("version"), issued_at=bindparam("issued_at"))
    .on_conflict_do_nothing()
)


def _set(*columns: str) -> Any:
    """Every event moves the version on; some say more."""
    changes: dict[str, Any] = {name: bindparam(f"to_{name}") for name in ("version", *columns)}
    return update(LINE).where(LINE.c.stream == bindparam("of")).values(changes)


SEEN = _set()
ACKNOWLEDGE = _set("acknowledged_at", "acknowledged_by")
ESCALATE = _set("escalated_to")
WITHDRAW = _set("withdrawn_at")
CORRECT = {name: _set(name) for name in ("about_no", "village", "unit")}


def project(e: Recorded[Any]) -> Iterator[Write]:
    now = {"of": e.stream_id, "to_version": e.version}
    match e.event:
        case MessageIssued() as issued:
            facts = {name: getattr(issued, name) for name in MessageIssued.model_fields}
            yield PUT, {**facts, "stream": e.stream_id, "version": e.version, "issued_at": e.occurred_at}
        case MessageAcknowledged(by=by):
            yield ACKNOWLEDGE, {**now, "to_acknowledged_at": e.occurred_at, "to_acknowledged_by": by}
        case MessageEscalated(to=to):
            yield ESCALATE, {**now, "to_escalated_to": to}
        case MessageEnteredInError():
            yield WITHDRAW, {**now, "to_withdrawn_at": e.occurred_at}
        case MessageCorrected(field=name, value=value) if name in CORRECT:
            yield CORRECT[name], {**now, f"to_{name}": value.number if name == "about_no" else value.code}
        case _:
            yield SEEN, now


READ_MODEL = ReadModel("message_line", tables=(LINE,), events=EVENTS, project=project)

BY_STREAM = select(LINE).where(LINE.c.stream == bindparam("of"))
ABOUT_ANY = select(LINE.c.stream).where(LINE.c.about == any_(bindparam("streams", type_=ARRAY(Text))))
_VALID = LINE.c.withdrawn_at.is_(None)
ABOUT = (
    select(LINE)
    .where(LINE.c.about == bindparam("about"), LINE.c.kind == any_(bindparam("kinds", type_=ARRAY(Text))), _VALID)
    .order_by(LINE.c.step, LINE.c.recipient, LINE.c.stream)
)


def _page(mine: bool) -> Any:
    """Newest first, after (`before_at`, `before`); every filter that is None lets all through."""
    filters = [
        or_(bindparam(name, type_=Text).is_(None), column == bindparam(name, type_=Text))
        for name, column in (("kind", LINE.c.kind), ("about", LINE.c.about))
    ]
    open_only = or_(bindparam("everything", type_=Boolean), and_(LINE.c.acknowledged_at.is_(None), _VALID))
    older = or_(
        bindparam("before_at", type_=DateTime(timezone=True)).is_(None),
        LINE.c.issued_at < bindparam("before_at", type_=DateTime(timezone=True)),
        and_(
            LINE.c.issued_at == bindparam("before_at", type_=DateTime(timezone=True)),
            LINE.c.stream < bindparam("before", type_=Text),
        ),
    )
    whose = [LINE.c.recipient == bindparam("recipient")] if mine else []
    query = select(LINE).where(*whose, *filters, open_only, older)
    return query.order_by(LINE.c.issued_at.desc(), LINE.c.stream.desc()).limit(bindparam("most"))


MINE, ALL = _page(mine=True), _page(mine=False)


async def line(tx: Tx, stream: str) -> asyncpg.Record | None:
    """The message `stream`, None when there is none."""
    return await tx.one(BY_STREAM, {"of": stream})


async def lines_about(tx: Tx, about: str, kinds: tuple[str, ...]) -> list[asyncpg.Record]:
    """Valid messages of `kinds` about `about`, lowest step first."""
    return await tx.all(ABOUT, {"about": about, "kinds": list(kinds)})


async def about(tx: Tx, streams: Sequence[str]) -> list[str]:
    """The streams of all messages about any of `streams`, withdrawn ones too."""
    return [row["stream"] for row in await tx.all(ABOUT_ANY, {"streams": list(streams)})]


async def page(
    tx: Tx,
    recipient: str | None,
    kind: str | None = None,
    about: str | None = None,
    open_only: bool = False,
    before: tuple[Any, str] | None = None,
    most: int = 50,
) -> list[asyncpg.Record]:
    """Newest first; `recipient` None: everybody's. `before`: (issued_at, stream) of the last line of the page before."""
    wanted: dict[str, Any] = {"kind": kind, "about": about, "everything": not open_only, "most": most}
    wanted |= {"before_at": before[0] if before else None, "before": before[1] if before else None}
    if recipient is None:
        return await tx.all(ALL, wanted)
    return await tx.all(MINE, {**wanted, "recipient": recipient})
