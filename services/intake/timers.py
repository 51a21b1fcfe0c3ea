"""Deadlines. `verify_by` stands in the tip's events and in the office's list; no timer keeps it.

An approved erasure is due at once, and is done where the custodian's keys are. One of an informant takes the reasons with it for
which the tip was read, and closes what was asked for and not decided; one of a record's words, what was written to ask for it.
"""

from services.intake.disclosure import CloseDisclosure
from services.intake.informant import EraseInformant
from services.intake.read_models import disclosure_line
from services.intake.read_models.tip_line import ERASURE
from services.intake.read_models.words_line import WORDS_ERASURE
from services.intake.wording import CATEGORY, EraseWords
from services.intake.words import informant_of
from shared.decider import Command
from shared.identity.key_store import KeyStore
from shared.opening import read_of
from shared.sql import Tx
from shared.timers import Due, Timers

TIMERS = Timers()


def custodians(keys: KeyStore) -> Timers:
    """Needs the custodian's keys. The keys go first, in a commit of their own; then the fact is recorded, in the transaction that
    takes the work away. Killed in between, it is done again: there is nothing left to destroy, and the fact still comes."""
    timers = Timers()

    @timers.on(ERASURE)
    async def erase(due: Due, look: Tx) -> list[Command]:
        asked = await disclosure_line.of_tip(look, due.subject)
        read = await read_of(look, [f"tip-{due.subject}", *(f"disclosure-{each}" for each in asked)])
        for subject in ((await informant_of(look, due.subject)).informant, *read):
            await keys.destroy(subject)
        closed = [
            CloseDisclosure(disclosure=d, erased=True) for d in await disclosure_line.undecided(look, due.subject)
        ]
        return [EraseInformant(tip=due.subject, openings=tuple(read)), *closed]

    @timers.on(WORDS_ERASURE)
    async def erase_words(due: Due, look: Tx) -> list[Command]:
        record, about = due.subject, f"{CATEGORY}-{due.subject}"
        for subject in (record, about):
            await keys.destroy(subject)
        return [
            EraseWords(record=record, keys=await keys.destroyed(record), own_keys=await keys.destroyed(about)),
        ]

    return timers
