"""One line a record whose words somebody asked to erase. Codes, persons and times; never grounds, never the words."""

from collections.abc import Iterator, Sequence
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Index, Integer, Table, Text, any_, bindparam, case, literal, select, update
from sqlalchemy.dialects.postgresql import ARRAY, insert

from shared.contracts.envelope import Recorded
from shared.contracts.intake import words
from shared.contracts.intake.words import (
    WordsErased,
    WordsErasureApproved,
    WordsErasureRefused,
    WordsErasureRequested,
)
from shared.errors import NotFound
from shared.read_model import MetaData, ReadModel, Write
from shared.sql import Tx
from shared.timers import due_at

LINE = Table(
    "words_line",
    MetaData(),
    Column("record", Text, primary_key=True),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("ground", Text, nullable=False),
    Column("requested_at", DateTime(timezone=True), nullable=False),
    Column("requested_by", Text, nullable=False),
    Column("decided_at", DateTime(timezone=True)),
    Column("decided_by", Text),
    Column("erased_at", DateTime(timezone=True)),
    Column("keys_destroyed", Integer),
    Index("words_line_newest", "requested_at", "record"),
)
"""state: requested | approved | refused | erased | closed (the tip's informant was erased before it was decided); of the request
made last, as are `decided_at` and `decided_by`.
`keys_destroyed`: how many the record has lost by its last erasure; 0: it never had a key, so nothing was sealed under this id."""
WORDS_ERASURE = "words-erasure"
"""The deadline of an approved erasure; its subject is the record."""

_put = insert(LINE).values({column.name: bindparam(column.name) for column in LINE.c})
ASK = _put.on_conflict_do_update(
    index_elements=["record"],
    set_={c.name: _put.excluded[c.name] for c in LINE.c if c.name not in ("record", "erased_at", "keys_destroyed")},
)
_of = update(LINE).where(LINE.c.record == bindparam("of_record"))
_step: dict[str, Any] = {"state": bindparam("new_state"), "version": bindparam("at_version")}
DECIDE = _of.values(decided_at=bindparam("at"), decided_by=bindparam("by"), **_step)
ERASED = _of.values(erased_at=bindparam("at"), **_step)
KEYS = _of.values(keys_destroyed=bindparam("destroyed"))
CLOSED = _of.values(
    state=case((LINE.c.state == "requested", literal("closed")), else_=LINE.c.state), version=bindparam("at_version")
)

ASKED = select(LINE.c.record).where(LINE.c.record == any_(bindparam("records", type_=ARRAY(Text))))
ONE = select(LINE).where(LINE.c.record == bindparam("record"))
NEWEST = select(LINE).order_by(LINE.c.requested_at.desc(), LINE.c.record.desc()).limit(bindparam("most", type_=Integer))


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("words-")
    step = {"of_record": of, "at_version": e.version, "at": e.recorded_at}
    match e.event:
        case WordsErasureRequested(ground=ground, requested_by=by):
            asked = {"record": of, "version": e.version, "state": "requested", "ground": ground, "requested_by": by}
            undecided = dict.fromkeys(("decided_at", "decided_by", "erased_at", "keys_destroyed"))
            yield ASK, {**undecided, **asked, "requested_at": e.recorded_at}
        case WordsErasureApproved(approved_by=by):
            yield DECIDE, {**step, "by": by, "new_state": "approved"}
            yield due_at(WORDS_ERASURE, of, e.recorded_at)
        case WordsErasureRefused(refused_by=by):
            yield DECIDE, {**step, "by": by, "new_state": "refused"}
        case WordsErased(subject=subject, keys=keys):
            if subject == of:
                yield ERASED, {**step, "new_state": "erased"}
                yield KEYS, {"of_record": of, "destroyed": len(keys)}
            else:  # of what was written to ask for it, here or to read it
                yield CLOSED, {"of_record": of, "at_version": e.version}


async def one(tx: Tx, record: str) -> asyncpg.Record:
    """Raises NotFound."""
    row = await tx.one(ONE, {"record": record})
    if row is None:
        raise NotFound(record)
    return row


async def asked_for(tx: Tx, records: Sequence[str]) -> list[str]:
    """Of which somebody asked to erase words: among these, and among the requests themselves."""
    found: list[str] = []
    wanted = list(records)
    while wanted:
        asked = [row["record"] for row in await tx.all(ASKED, {"records": wanted})]
        found += asked
        wanted = [f"words-{each}" for each in asked]
    return found


async def newest(tx: Tx, *, most: int) -> list[asyncpg.Record]:
    """At most `most` lines, asked for last first."""
    return await tx.all(NEWEST, {"most": most})


READ_MODEL = ReadModel("words_line", tables=(LINE,), events=words.EVENTS, project=project)
