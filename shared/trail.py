"""How far a service's log is signed, and by whom: for status, its page, and the measurements."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from shared.checkpoints import newest
from shared.cosigning import PolicyFileError, load_policy, outsiders
from shared.settings import Settings
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import NoteRefused
from shared.transparency.policy import NONE, Policy
from shared.verifier.trust import own_counted

NOT_WITNESSED_ZH = (
    "没有外部见证：策略不要求外部见证人，或算上了本单位自己的见证人，或所要求的外部签名尚不齐全，"
    "不能证明记录的保管者没有改动记录。"
)
NOT_WITNESSED_EN = (
    "No outside witness: the policy requires none, or counts one of the town's own, or no checkpoint has yet all the "
    "signatures of others that it requires, and nothing is proved against the record's own owner."
)

LATELY = 50
"""So many checkpoints back it is looked for one that meets the policy."""

NEWEST = """
SELECT origin, size, signed_at FROM record.checkpoint
WHERE split_part(origin, '/', 3) = (SELECT lineage::text FROM work.head) ORDER BY size DESC LIMIT 1
"""
# When the first event was numbered that no checkpoint covers yet, by the campaign's clock; and by Postgres's, since when
# there could have been one that does.
WAITING = """
SELECT l.sequenced_at, clock_timestamp() - coalesce($2::timestamptz, n.since) AS since FROM record.log l, work.head h
JOIN record.lineage n USING (lineage) WHERE l.position = $1 + 1
"""
BY_WITNESS = """
SELECT w.name, s.size, s.at FROM unnest($2::text[]) WITH ORDINALITY AS w (name, nth) LEFT JOIN LATERAL (
    SELECT size, at FROM record.cosignature WHERE origin = $1 AND witness = w.name ORDER BY size DESC LIMIT 1) s ON true
ORDER BY w.nth
"""
SIGNED_AT = "SELECT clock_timestamp() - signed_at FROM record.checkpoint WHERE origin = $1 AND size = $2"


@dataclass(frozen=True)
class Witnessed:
    """Up to where a witness signed, and when it did so last. `own`: it is the town's, and proves nothing against the town."""

    name: str
    own: bool
    size: int = 0
    at: datetime | None = None


@dataclass(frozen=True)
class Trail:
    """`signer`: whether one is named; `size`, `signed_at`: of the newest checkpoint; `unsigned_for`: seconds that an event has
    waited for one; `witnesses`: as the policy names them.

    `quorum`: up to where a checkpoint meets the policy, None where it asks for no witness; `quorum_age`: seconds since that one
    was signed; `quorum_missing`: why the newest does not meet it; `policy_error`: why the policy file cannot be read; `outside`:
    whether the policy asks for witnesses and counts none of the town's own, and was met in the log's present lineage.
    """

    signer: bool
    size: int = 0
    signed_at: datetime | None = None
    unsigned_for: float = 0.0
    witnesses: tuple[Witnessed, ...] = ()
    quorum: int | None = None
    quorum_age: float | None = None
    quorum_missing: str | None = None
    policy_error: str | None = None
    outside: bool = False


async def trail_of(connection: asyncpg.Connection | PoolConnectionProxy, settings: Settings, now: datetime) -> Trail:
    """`now`: the campaign's time. Raises asyncpg.SyntaxOrAccessError when the schema is older."""
    tx, signer = Tx(connection), settings.signer is not None
    row = await tx.one(NEWEST)
    policy, error = _policy(settings)
    size, signed_at = (row["size"], row["signed_at"]) if row is not None else (0, None)
    waiting = await tx.one(WAITING, (size, signed_at))
    unsigned_for = timedelta()
    if waiting is not None and signer:
        unsigned_for = max(timedelta(), min(now - waiting["sequenced_at"], waiting["since"]))
    trail = Trail(signer, size, signed_at, unsigned_for.total_seconds(), policy_error=error)
    if policy is None:
        return trail
    own = {key.name for key in policy.witnesses.values()} - {
        key.name for key in outsiders(policy, settings.jurisdiction)
    }
    names = [key.name for key in policy.witnesses.values()]
    rows = await tx.all(BY_WITNESS, (row["origin"] if row is not None else "", names))
    witnesses = tuple(Witnessed(each["name"], each["name"] in own, each["size"] or 0, each["at"]) for each in rows)
    quorum, age, missing = await _quorum(tx, policy) if policy.quorum != NONE else (None, None, None)
    outside = bool(quorum) and not any(own_counted(policy, settings.jurisdiction))
    return Trail(signer, size, signed_at, trail.unsigned_for, witnesses, quorum, age, missing, error, outside)


def _policy(settings: Settings) -> tuple[Policy | None, str | None]:
    try:
        return (load_policy(settings.policy) if settings.policy is not None else None), None
    except PolicyFileError as error:
        return None, str(error)


async def _quorum(tx: Tx, policy: Policy) -> tuple[int, float | None, str | None]:
    """(size of the newest checkpoint that meets the policy, its age, what the newest of all lacks)."""
    try:
        last = await newest(tx)
        if last is None:
            return 0, None, None
        missing = policy.missing(last)
        met = last if missing is None else await newest(tx, policy=policy, most=LATELY)
    except NoteRefused as error:  # a line that was checked before it was kept: somebody altered it
        return 0, None, str(error)
    if met is None:
        return 0, None, missing
    checkpoint = Checkpoint.read(met.text)
    age: timedelta = await tx.value(SIGNED_AT, (checkpoint.origin, checkpoint.size))
    return checkpoint.size, age.total_seconds(), missing
