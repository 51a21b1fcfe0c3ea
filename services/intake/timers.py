"""Deadlines. `verify_by` stands in the tip's events and in the office's list; no timer keeps it.

An approved erasure is due at once, and is done where the custodian's keys are. One of an informant takes the reasons with it for
which the tip was read, and what was written to have words of it erased, and closes what was asked for and not decided; one of a
record's words, what was written to ask for it, and the reasons for which that was read.
"""

import asyncio
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import count

from services.intake.disclosure import CloseDisclosure
from services.intake.informant import EraseInformant
from services.intake.read_models import disclosure_line, tip_handling, words_line
from services.intake.read_models.tip_line import ERASURE
from services.intake.read_models.words_line import WORDS_ERASURE
from services.intake.wording import CATEGORY, EraseWords
from services.intake.words import informant_of
from shared import event_store
from shared.contracts.envelope import read
from shared.contracts.intake.words import WordsErasureApproved
from shared.decider import Command
from shared.identity.key_store import LEAVING, KeyStore
from shared.opening import read_of
from shared.sql import Tx
from shared.timers import Due, Timers, due_at

TIMERS = Timers()
APPROVED = WordsErasureApproved.type
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
        hazards = [h for h in await tip_handling.copies_of(look, tip) if not await tip_handling.held(look, h)]
        asked = await disclosure_line.of_tip(look, due.subject)
        requests, openings = await _written(look, [tip, *hazards], [tip, *(f"disclosure-{each}" for each in asked)])
        streams = [f"{CATEGORY}-{each}" for each in requests]
        gone = await taken(streams, f"informant-{tip}", all_of_it=True) if streams else {}
        await keys.destroy((await informant_of(look, due.subject)).informant, *openings)
        return [
            EraseInformant(tip=due.subject, openings=tuple(openings)),
            *(CloseDisclosure(disclosure=d, erased=True) for d in await disclosure_line.undecided(look, due.subject)),
            *_erased(requests, gone),
        ]

    @timers.on(WORDS_ERASURE)
    async def erase_words(due: Due, look: Tx) -> list[Command]:
        record, about = due.subject, f"{CATEGORY}-{due.subject}"
        if await tip_handling.held(look, record):
            await look.run(*due_at(WORDS_ERASURE, record, due.due_at + HELD_BACK))
            return []
        *_, approval = (e for row in await event_store.load(look, about) if (e := read(row.body)).type == APPROVED)
        others, openings = await _written(look, [about], [about])
        streams = [f"{CATEGORY}-{each}" for each in others]
        gone = await taken((record, about, *streams, *openings), str(approval.event_id))
        own = {s: k for s, k in gone.items() if s not in streams and (k or s in (record, about))}
        return [EraseWords(record=record, keys=own), *_erased(others, gone)]

    async def taken(subjects: Sequence[str], erasure: str, all_of_it: bool = False) -> dict[str, tuple[str, ...]]:
        """Subject -> ids of its keys, which are destroyed. `all_of_it`: also of those that came since this was first begun."""
        gone: dict[str, tuple[str, ...]] = dict.fromkeys(subjects, ())
        for nth in count():
            retired = await keys.retire(subjects, f"{erasure} {nth}" if nth else erasure)
            if any(retired.values()):
                await asyncio.sleep(LEAVING)
                await keys.destroy_keys(key for each in retired.values() for key in each)
                gone = {subject: (*gone[subject], *ids) for subject, ids in retired.items()}
            if not all_of_it or not any(retired.values()):
                break
        return gone

    return timers


async def _written(look: Tx, records: list[str], read_of_too: list[str]) -> tuple[list[str], list[str]]:
    """(records of which somebody asked to erase words: among these, their requests, and readings of any of them; those readings).
    What is written there may name whoever is named in the first."""
    openings: list[str] = []
    while True:
        requests = await words_line.asked_for(look, [*records, *openings])
        found = await read_of(look, [*read_of_too, *(f"{CATEGORY}-{each}" for each in requests)])
        if len(found) == len(openings):
            return requests, openings
        openings = found


def _erased(requests: Sequence[str], gone: Mapping[str, tuple[str, ...]]) -> list[Command]:
    """What is recorded of the requests, each in its own stream; one that waits is closed by it."""
    streams = {record: f"{CATEGORY}-{record}" for record in requests}
    return [EraseWords(record=record, keys={about: gone[about]}) for record, about in streams.items()]
