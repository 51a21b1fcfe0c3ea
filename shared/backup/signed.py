"""What of each log is signed as the town's policy asks, and waiting for it before a backup takes its moment.

A log that rested for long and grew a moment ago ends in events that nobody has signed, behind a signature that is old: UNPROVEN
(shared/backup/missing.py). Some seconds later it is signed.
"""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from shared.backup.missing import ORDINARY
from shared.backup.verify import LOOKED_AT, Witnessed
from shared.checkpoints import newest
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import NoteRefused
from shared.transparency.policy import Policy

LOOK_AGAIN = 0.5
HELD = """
SELECT position + (SELECT count(*) FROM work.pending) AS held,
    EXISTS (SELECT FROM pg_stat_activity WHERE datname = current_database() AND usename = $1) AS at_work
FROM work.head
"""


@dataclass(frozen=True)
class Standing:
    """A log now. `held`: its events, those without a number too; `signed`: how many of them as the policy asks, `at` when, None
    where no witness says; `at_work`: whether its service runs, so that it may yet be signed."""

    service: str
    held: int
    signed: int
    at: datetime | None
    at_work: bool

    @property
    def unsigned(self) -> int:
        return max(0, self.held - self.signed)

    def covers(self, began: "Standing") -> bool:
        """All of it is signed, or it was signed anew since `began`, over all that it held then."""
        return self.unsigned == 0 or (self.signed > began.signed and self.signed >= began.held)

    def verdict(self, now: datetime) -> str:
        """The word of `backup verify` for what is unsigned, with this policy."""
        ordinary = self.signed > 0 and self.at is not None and abs(now - self.at) <= ORDINARY
        return "ordinary" if ordinary else "UNPROVEN"


async def waited(
    connections: Mapping[str, asyncpg.Connection],
    policy: Policy | None,
    seconds: float,
    say: Callable[[Sequence[Standing]], None],
) -> list[Standing]:
    """Service -> a connection outside of a transaction. Comes back when every log covers what it held, when nobody is there who
    has the others signed, or when the time is over; the logs that do not. `say` is told of whom it waits for, whenever they
    change."""
    began = now = await _standing(connections, policy)
    until = time.monotonic() + seconds
    told: list[str] = []
    while True:
        late = [log for before, log in zip(began, now, strict=True) if not log.covers(before)]
        awaited = [log for log in late if log.at_work]
        if not awaited or time.monotonic() >= until:
            return late
        if told != (told := [log.service for log in awaited]):
            say(awaited)
        await asyncio.sleep(LOOK_AGAIN)
        now = await _standing(connections, policy)


async def _standing(connections: Mapping[str, asyncpg.Connection], policy: Policy | None) -> list[Standing]:
    return [await _log(name, connection, policy) for name, connection in connections.items()]


async def _log(service: str, connection: asyncpg.Connection, policy: Policy | None) -> Standing:
    tx = Tx(connection)
    row = await tx.one(HELD, (f"{service}_log",))
    assert row is not None
    size, at = await signed_upto(tx, policy)
    return Standing(service, row["held"], size, at, row["at_work"])


async def signed_upto(tx: Tx, policy: Policy | None) -> tuple[int, datetime | None]:
    """(size, when a witness signed) of the newest checkpoint that meets the policy. Where a line does not fit nothing counts:
    `backup verify` doubts it, and the backup is taken all the same."""
    try:
        note = await newest(tx, policy=policy, most=LOOKED_AT)
        found = None if note is None or policy is None else Witnessed.of(note, policy)
    except NoteRefused:
        return 0, None
    if note is None:
        return 0, None
    return Checkpoint.read(note.text).size, found.at if isinstance(found, Witnessed) else None


def lines(late: Sequence[Standing], now: datetime) -> list[str]:
    """For people: what is unsigned, and what that will mean."""
    said = []
    for log in late:
        word = log.verdict(now)
        said.append(
            f"· 注意 {log.service}：{log.held} 条中有 {log.unsigned} 条尚未按见证规则签名，backup verify 将称之为 {word}\n"
            f"  note {log.service}: {log.unsigned} of {log.held} events are not signed yet as the policy asks; "
            f"backup verify will call them {word}"
        )
    return said
