"""Every invariant of the town, compared id by id after the faults are over and all is quiet.

    wrong = await check_all(town, ledger, mailbox)      # empty: all equal

Each line begins with the check that found it: log, stream, inbox, marks (checks_record.py); commands, once, causes
(checks_commands.py); hazards, messages, deliveries, mail (checks_effects.py); signed (checks_signing.py); deadlines, views
(checks_work.py).
"""

from collections import Counter
from typing import Protocol

from shared.plan.loader import LoadedPlan
from shared.settings import SERVICES
from tests.faults import checks_commands, checks_effects, checks_record, checks_signing, checks_work
from tests.faults.ledger import Ledger
from tests.faults.mail import Mailbox
from tests.faults.records import DrillTown, Records, read_all


class CheckedTown(DrillTown, Protocol):
    """A town, and the plan it goes by."""

    @property
    def plan(self) -> LoadedPlan: ...


MOST = 12
"""Lines of one check that are shown; the rest is counted."""

CHECKS = (
    "log", "stream", "inbox", "marks", "commands", "once", "causes", "hazards", "messages", "deliveries", "mail",
    "signed", "deadlines", "views",
)  # fmt: skip


async def check_all(town: CheckedTown, ledger: Ledger, mailbox: Mailbox) -> list[str]:
    """What is wrong, a line each. The writers have stopped; the town may still run. Raises NeverStill."""
    records = await read_all(town)
    wrong = compare(records, town, ledger, mailbox)
    for doing in (checks_work.deadlines(town, records), checks_work.views(town, records)):
        wrong += [line async for line in doing]
    return _some(wrong)


def compare(records: Records, town: CheckedTown, ledger: Ledger, mailbox: Mailbox) -> list[str]:
    """All that can be said of what has been read. Who was told what, and by which letter, only a whole town can answer."""
    whole = records.books.keys() == set(SERVICES)
    return [
        *checks_record.log(records),
        *checks_record.stream(records, town),
        *checks_record.inboxes(records),
        *checks_record.marks(records),
        *checks_commands.commands(records, ledger),
        *checks_commands.once(records),
        *checks_commands.causes(records, ledger),
        *checks_effects.hazards(records),
        *(checks_effects.messages(records, town.plan) if whole else ()),
        *(checks_effects.deliveries(records) if whole else ()),
        *(checks_effects.mail(records, mailbox) if whole else ()),
        *checks_signing.signed(records),
    ]


def _some(lines: list[str]) -> list[str]:
    """The first of each check."""
    shown: list[str] = []
    times = Counter(line.partition(":")[0] for line in lines)
    for check, found in times.items():
        shown += [line for line in lines if line.startswith(f"{check}:")][:MOST]
        shown += [f"{check}: and {found - MOST} more"] if found > MOST else []
    return shown


__all__ = ["CHECKS", "check_all", "compare"]
