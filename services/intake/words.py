"""The informant's own words, opened when a screener asks and kept nowhere: no table, no cache, no log holds them."""

from dataclasses import dataclass
from datetime import datetime

from shared import event_store
from shared.contracts.envelope import read
from shared.contracts.event import text_of
from shared.contracts.intake.tip import TipReceived, TipSupplemented
from shared.sql import Tx
from shared.web.door import Door


@dataclass(frozen=True)
class Words:
    """`words` is None once the informant's key is destroyed."""

    occurred_at: datetime
    words: str | None


async def words_of(door: Door, tx: Tx, tip: str) -> list[Words]:
    """What the informant said, first and later, oldest first."""
    history = [read(stored.body) for stored in await event_store.load(tx, f"tip-{tip}")]
    spoken = [e for e in history if isinstance(e.event, TipReceived | TipSupplemented)]
    opened = await door.app.sealer.open(spoken)
    return [Words(e.occurred_at, text_of(e.event.words)) for e in opened]
