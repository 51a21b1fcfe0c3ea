"""Has the log signed: every ten seconds when it has grown, by a signer that is a process of its own.

The signed note stands in the record before anybody else sees it. What a crash leaves between signing and keeping is no harm: the
signer says which size it signed, and the next checkpoint is proved from there. Two of these at once have more checkpoints signed,
each of one history, for the signer signs no other.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import asyncpg

from shared.app import LOST
from shared.bell import Chime
from shared.checkpoints import origin_of
from shared.errors import HistoryDiffers, MinewatchError
from shared.parts import Points, no_points
from shared.proving import NotInLog, consistency_proof
from shared.signer.signer import Request
from shared.signing import SignerAt, SignerAway
from shared.sql import Tx
from shared.telemetry import STOPPED, log
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key, Note, NoteRefused
from shared.transparency.origin import Origin
from shared.witness.cosigner import Answer

GROWN = """
SELECT h.position > 0 AND h.position IS DISTINCT FROM c.size AND coalesce(c.signed_at < clock_timestamp() - $1::interval, true)
FROM work.head h LEFT JOIN LATERAL (
    SELECT size, signed_at FROM record.checkpoint WHERE split_part(origin, '/', 3) = h.lineage::text
    ORDER BY size DESC LIMIT 1) c ON true
"""
HEAD = "SELECT position, root FROM work.head"
KEPT = "SELECT coalesce(max(size), 0) FROM record.checkpoint WHERE origin = $1"
KEEP = "INSERT INTO record.checkpoint (origin, size, root, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"


class SigningRefused(MinewatchError):
    """The signer does not sign what this log says of itself."""


@dataclass
class Checkpointer:
    """`pool` connects as <svc>_app. `every`: seconds between checkpoints; `poll`: between looks. Rings `kept`.

    `refused`: why the log is not signed, None while it is."""

    service: str
    jurisdiction: str
    pool: asyncpg.Pool
    signer: SignerAt
    kept: Chime = field(default_factory=Chime)
    every: float = 10.0
    poll: float = 1.0
    points: Points = field(default=no_points)
    refused: str | None = None

    async def once(self, every: float | None = None) -> Checkpoint | None:
        """The next checkpoint, signed and kept, when the log has grown and the last one is old enough. Raises SignerAway,
        SigningRefused, HistoryDiffers."""
        if not await self.pool.fetchval(GROWN, timedelta(seconds=self.every if every is None else every)):
            return None
        async with self.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            tx = Tx(connection)
            head = await tx.one(HEAD)
            assert head is not None
            origin = await origin_of(tx, self.jurisdiction, self.service)
            checkpoint = Checkpoint(origin, head["position"], head["root"])
            kept: int = await tx.value(KEPT, (origin,))
        if kept > checkpoint.size:
            raise HistoryDiffers(f"{self.service}: {kept} events were signed, the log has {checkpoint.size}")
        await self.points("checkpoint: before signing")
        note = await self._signed(checkpoint, kept)
        if note is None:
            return None
        await self.points("checkpoint: signed")
        await self.pool.execute(KEEP, origin, checkpoint.size, checkpoint.root, str(note))
        await self.points("checkpoint: kept")
        self.kept.ring()
        return checkpoint

    async def _signed(self, checkpoint: Checkpoint, old: int) -> Note | None:
        """The signer is told from where the proof leads; where it signed something else last, it says so, and is asked again.
        None when it has signed a longer log since, for another of these."""
        answer = await self.signer.ask(await self._request(checkpoint, old, None))
        if answer.status == 409:
            old, after = _wanted(answer)
            if old > checkpoint.size:
                if await self.pool.fetchval("SELECT position >= $1 FROM work.head", old):
                    return None
                raise HistoryDiffers(f"{self.service}: the signer signed {old} events, the log has {checkpoint.size}")
            answer = await self.signer.ask(await self._request(checkpoint, old, after))
        if answer.status != 200:
            raise SigningRefused(f"{self.service} at {checkpoint.size}: {answer.body.strip()}")
        key = Key(checkpoint.origin, LOG, await self.signer.public())
        try:
            note = Note.read(f"{checkpoint}\n{answer.body}".encode())
            own = note.signed_by([key])
        except NoteRefused as error:
            raise SigningRefused(f"{self.service} at {checkpoint.size}: {error}") from error
        if not own:
            raise SigningRefused(f"{self.service} at {checkpoint.size}: the signer's line is not its own")
        return note

    async def _request(self, checkpoint: Checkpoint, old: int, after: int | None) -> Request:
        grew_from = Origin.read(checkpoint.origin).after
        async with self.pool.acquire() as connection:
            tx = Tx(connection)
            proof = (old, tuple(await consistency_proof(tx, old, checkpoint.size)))
            if after is None or grew_from is None:
                return Request(checkpoint, proof)
            return Request(checkpoint, proof, (after, tuple(await consistency_proof(tx, after, grew_from.size))))

    async def run(self) -> None:
        """Until cancelled. What the signer refuses is said loudly, and asked again: a person has to look."""
        said, away = log("checkpoint", service=self.service), ""
        while True:
            pause = self.poll
            try:
                await self.once()
            except (SigningRefused, HistoryDiffers, NotInLog) as error:
                if self.refused != str(error):
                    said.error("not signed", reason=str(error))
                self.refused, pause = str(error), self.every
            except (SignerAway, asyncpg.PostgresError, *LOST) as error:
                if away != str(error):  # once, not every second
                    said.warning("again", error=type(error).__name__, text=str(error)[:200])
                away = str(error)
            else:
                self.refused, away = None, ""
            STOPPED.labels(self.service, "checkpoint").set(self.refused is not None)
            await asyncio.sleep(pause)


def _wanted(answer: Answer) -> tuple[int, int | None]:
    """Where the signer wants the proofs to begin: `old` and, for the first checkpoint after a restore, `after`. Raises
    SigningRefused."""
    try:
        sizes = {word: int(size) for word, _, size in (line.partition(" ") for line in answer.body.splitlines())}
        return sizes["old"], sizes.get("after")
    except (KeyError, ValueError):
        raise SigningRefused(f"409 {answer.body[:200]}") from None
