"""One hazard with everything that was said about it: texts, who reported, who asked for what, who accepted."""

from collections.abc import Iterator
from typing import Any

import asyncpg
from sqlalchemy import Column, DateTime, Integer, MetaData, Table, Text, select, update
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.cases import hazard as facts
from shared.contracts.envelope import Recorded
from shared.contracts.event import text_of
from shared.read_model import ReadModel, Words, Write
from shared.sql import Tx

METADATA = MetaData()
PAGE = Table(
    "hazard_page",
    METADATA,
    Column("hazard", Text, primary_key=True),
    Column("summary", Words),
    Column("source_kind", Text, nullable=False),
    Column("source_ref", Text, nullable=False),
    Column("source_finding", Integer),
    Column("measure_text", Words),
    Column("asked_by", Text),
    Column("wanted_at", DateTime(timezone=True)),
    Column("asked_reason", Words),
    Column("extensions", Integer, nullable=False),
    Column("completed_by", Text),
    Column("completed_at", DateTime(timezone=True)),
    Column("report", Words),
    Column("accepted_by", Text),
    Column("accepted_at", DateTime(timezone=True)),
    Column("note", Words),
    Column("rejected_by", Text),
    Column("rejected_reason", Words),
    Column("error_reason", Words),
)
FIRST = ("hazard", "summary", "source_kind", "source_ref", "source_finding")
ADD = insert(PAGE).values(extensions=0, **{name: given(name) for name in FIRST})


def _set(*columns: str, **fixed: Any) -> Any:
    """UPDATE for the hazard `of`; the new values are `to_<column>`."""
    changes: dict[str, Any] = {name: given(f"to_{name}") for name in columns}
    return update(PAGE).where(PAGE.c.hazard == given("of")).values({**changes, **fixed})


ORDERED = _set("measure_text")
ASKED = _set("asked_by", "wanted_at", "asked_reason")
ANSWERED = _set(asked_by=None, wanted_at=None, asked_reason=None)
EXTENDED = _set(asked_by=None, wanted_at=None, asked_reason=None, extensions=PAGE.c.extensions + 1)
COMPLETED = _set("completed_by", "completed_at", "report", asked_by=None, wanted_at=None, asked_reason=None)
ACCEPTED = _set("accepted_by", "accepted_at", "note")
REJECTED = _set("rejected_by", "rejected_reason")
IN_ERROR = _set("error_reason")
CORRECTED = {name: _set(name) for name in ("summary", "measure_text")}


def project(e: Recorded[Any]) -> Iterator[Write]:
    of = e.stream_id.removeprefix("hazard-")
    match e.event:
        case facts.HazardListed(source=source, summary=summary):
            came = {"source_kind": source.kind, "source_ref": source.ref, "source_finding": source.finding}
            yield ADD, {"hazard": of, "summary": text_of(summary), **came}
        case facts.HazardThreeFixOrdered(measure_text=text):
            yield ORDERED, {"of": of, "to_measure_text": text_of(text)}
        case facts.HazardExtensionRequested(requested_by=by, wanted_at=wanted_at, reason=reason):
            yield ASKED, {"of": of, "to_asked_by": by, "to_wanted_at": wanted_at, "to_asked_reason": text_of(reason)}
        case facts.HazardExtended():
            yield EXTENDED, {"of": of}
        case facts.HazardExtensionRefused():
            yield ANSWERED, {"of": of}
        case facts.HazardCompleted(completed_by=by, report=report):
            done = {"to_completed_by": by, "to_completed_at": e.occurred_at, "to_report": text_of(report)}
            yield COMPLETED, {"of": of, **done}
        case facts.HazardAccepted(accepted_by=by, note=note):
            seen = {"to_accepted_by": by, "to_accepted_at": e.occurred_at, "to_note": text_of(note)}
            yield ACCEPTED, {"of": of, **seen}
        case facts.HazardRejected(rejected_by=by, reason=reason):
            yield REJECTED, {"of": of, "to_rejected_by": by, "to_rejected_reason": text_of(reason)}
        case facts.HazardCorrected(field=field, value=value) if field in CORRECTED:
            yield CORRECTED[field], {"of": of, f"to_{field}": text_of(value.text)}
        case facts.HazardEnteredInError(reason=reason):
            yield IN_ERROR, {"of": of, "to_error_reason": text_of(reason)}


READ_MODEL = ReadModel("hazard_page", tables=(PAGE,), events=facts.EVENTS, project=project)

ONE = select(PAGE).where(PAGE.c.hazard == given("hazard"))


async def one(tx: Tx, hazard: str) -> asyncpg.Record | None:
    return await tx.one(ONE, {"hazard": hazard})
