"""Deadlines. `verify_by` stands in the tip's events and in the office's list; no timer keeps it.

An approved erasure is due at once, and is done where the custodian's keys are. One of an informant takes the reasons with it for
which the tip was read, and what was written to have words of it erased, and closes what was asked for and not decided; one of a
record's words, what was written to ask for it, and the reasons for which that was read.
"""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from services.intake.disclosure import CloseDisclosure
from services.intake.informant import EraseInformant
from services.intake.read_models import disclosure_line, tip_handling, words_line
from services.intake.read_models.tip_line import ERASURE
from services.intake.read_models.words_line import WORDS_ERASURE
from services.intake.wording import CATEGORY, EraseWords
from services.intake.words import informant_of
from shared import event_store
from shared.contracts.envelope import read
from shared.decider import Command
from shared.identity.key_store import LEAVING, KeyStore
from shared.opening import read_of
from shared.sql import Tx
from shared.timers import Due, Timers, due_at

TIMERS = Timers()
HELD_BACK = timedelta(hours=1)
"""After which an approved erasure looks again whether the informant is held still."""


def custodians(keys: KeyStore) -> Timers:
    """Needs the custodian's keys. The keys go first, in a commit of their own; then the fact is recorded, in the transaction that
    takes the work away. Killed in between, it is done again: there is nothing left to destroy, and the fact still comes. Of
    a record, which goes on, it takes the keys that it retired when it was first done. The files of
    the key store are cleared afterwards (retention.py): this transaction would keep what was destroyed."""
    timers = Timers()

    @timers.on(ERASURE)
    async def erase(due: Due, look: Tx) -> list[Command]:
        tip = f"tip-{due.subject}"
        records = await words_line.asked_for(look, [tip, *await tip_handling.copies_of(look, tip)])
        asked = await disclosure_line.of_tip(look, due.subject)
        requests = [f"{CATEGORY}-{each}" for each in records]
        openings = await read_of(look, [tip, *(f"disclosure-{each}" for each in asked), *requests])
        gone = await taken(requests, f"informant-{tip}") if requests else {}
        await keys.destroy((await informant_of(look, due.subject)).informant, *openings)
        closed: list[Command] = [
            CloseDisclosure(disclosure=d, erased=True) for d in await disclosure_line.undecided(look, due.subject)
        ]
        for record, about in zip(records, requests, strict=True):
            if gone[about]:
                closed.append(EraseWords(record=record, keys={about: gone[about]}))
        return [EraseInformant(tip=due.subject, openings=tuple(openings)), *closed]

    @timers.on(WORDS_ERASURE)
    async def erase_words(due: Due, look: Tx) -> list[Command]:
        record, about = due.subject, f"{CATEGORY}-{due.subject}"
        if await tip_handling.held(look, record):
            await look.run(*due_at(WORDS_ERASURE, record, due.due_at + HELD_BACK))
            return []
        approval = read((await event_store.load(look, about))[-1].body)
        gone = await taken((record, about, *await read_of(look, [about])), str(approval.event_id))
        return [EraseWords(record=record, keys={s: k for s, k in gone.items() if k or s in (record, about)})]

    async def taken(subjects: Sequence[str], erasure: str) -> dict[str, tuple[str, ...]]:
        """Subject -> ids of its keys, which are destroyed."""
        retired = await keys.retire(subjects, erasure)
        await asyncio.sleep(LEAVING)
        await keys.destroy_keys(key for each in retired.values() for key in each)
        return retired

    return timers
