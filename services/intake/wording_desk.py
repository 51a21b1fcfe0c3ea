"""Who asks, decides and sees that a record's words are erased; what is known here of it. Shared by the API and the pages."""

from typing import Any

from services.intake.informant_bodies import WordsErasureAsked
from services.intake.informant_desk import ASK_ERASURE, DECIDE, READ_REASONS
from services.intake.read_models import steps, tip_handling, words_line
from services.intake.wording import CATEGORY, ApproveWordsErasure, RequestWordsErased
from services.intake.words import reasons_of
from shared import event_store
from shared.decider import Actor
from shared.evidence import kind_of
from shared.sql import Tx
from shared.web.door import Door

READ = (*DECIDE, *ASK_ERASURE, "auditor")
"""See every request; the auditor without its words."""
OWN = ("tip", "patrol", CATEGORY)
"""Kinds of records that stand in this log and in no other."""
HEARD_OF = "hazard"
"""Kind of records of which the service cases tells every one."""


async def asked(at: Door, body: WordsErasureAsked) -> RequestWordsErased:
    """The command of a request that came in."""
    async with at.reading() as tx:
        held = await tip_handling.held(tx, body.record)
        return RequestWordsErased(**dict(body), known=await _known(tx, body.record), held=held)


async def _known(tx: Tx, record: str) -> bool:
    """True also for kinds of which nothing is known here."""
    match kind_of(record):
        case kind if kind in OWN:
            return bool(await event_store.load(tx, record))
        case kind if kind == HEARD_OF:
            return bool(await tip_handling.copied_from(tx, record))
        case _:
            return True


async def approval_of(at: Door, record: str) -> ApproveWordsErasure:
    async with at.reading() as tx:
        return ApproveWordsErasure(record=record, held=await tip_handling.held(tx, record))


async def shown(at: Door, tx: Tx, who: Actor, record: str) -> dict[str, Any]:
    """One record's request made last with its words, for those who may read them, and every step. Raises NotFound."""
    row = await words_line.one(tx, record)
    done = [dict(step) for step in await steps.of_stream(tx, f"{CATEGORY}-{record}")]
    words = await reasons_of(at, tx, f"{CATEGORY}-{record}") if who.post in READ_REASONS else {}
    asked_at = max((step["version"] for step in done if step["type"].endswith(".erasure_requested.v1")), default=0)
    reason = next((text for version, text in words.items() if version > asked_at), None)
    copies = {
        "copied_to": await tip_handling.copies_of(tx, record),
        "copied_from": await tip_handling.copied_from(tx, record),
    }
    return {**row, **copies, "grounds": words.get(asked_at), "reason": reason, "steps": done}
