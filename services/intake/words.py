"""What is opened when somebody who may asks for it, and kept nowhere: the informant's words, and what was written about them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from shared import event_store
from shared.contracts.envelope import Recorded, read
from shared.contracts.event import text_of
from shared.contracts.intake.disclosure import DisclosureRefused, DisclosureRequested
from shared.contracts.intake.informant import (
    InformantErasureRefused,
    InformantErasureRequested,
    InformantHeld,
    InformantReleased,
)
from shared.contracts.intake.tip import TipReceived, TipSupplemented
from shared.contracts.intake.words import WordsErasureRefused, WordsErasureRequested
from shared.errors import NotFound
from shared.sql import Tx
from shared.web.door import Door


@dataclass(frozen=True)
class Words:
    """`words` is None once the informant's key is destroyed."""

    occurred_at: datetime
    words: str | None


async def words_of(door: Door, tx: Tx, tip: str) -> list[Words]:
    """What the informant said, first and later, oldest first."""
    history = await _history(tx, f"tip-{tip}")
    spoken = [e for e in history if isinstance(e.event, TipReceived | TipSupplemented)]
    opened = await door.app.sealer.open(spoken)
    return [Words(e.occurred_at, text_of(e.event.words)) for e in opened]


async def informant_of(tx: Tx, tip: str) -> TipReceived:
    """How the tip came in, its texts closed. Raises NotFound."""
    history = await _history(tx, f"tip-{tip}")
    if not history or not isinstance(history[0].event, TipReceived):
        raise NotFound(tip)
    return history[0].event


async def reasons_of(door: Door, tx: Tx, stream_id: str) -> dict[int, str | None]:
    """version -> what was written as grounds or reason, of what may name an informant; None once its key is destroyed."""
    told: Sequence[Recorded[Any]] = [e for e in await _history(tx, stream_id) if isinstance(e.event, WRITTEN)]
    opened = await door.app.sealer.open(told)
    return {e.version: text_of(getattr(e.event, "grounds", None) or getattr(e.event, "reason", None)) for e in opened}


WRITTEN = (
    DisclosureRequested
    | DisclosureRefused
    | InformantHeld
    | InformantReleased
    | InformantErasureRequested
    | InformantErasureRefused
    | WordsErasureRequested
    | WordsErasureRefused
)


async def _history(tx: Tx, stream_id: str) -> list[Recorded[Any]]:
    return [read(stored.body) for stored in await event_store.load(tx, stream_id)]
