"""Gathers what witnesses sign (C2SP tlog-witness): each is asked by a task of its own, so that one who is slow, dead or unwilling
holds up neither the others nor the log."""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import httpx

from shared.app import LOST
from shared.bell import Bell
from shared.checkpoints import newest
from shared.errors import MinewatchError
from shared.parts import Points, no_points
from shared.proving import NotInLog, consistency_proof
from shared.sql import Tx
from shared.telemetry import log
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Key, Note, NoteRefused
from shared.transparency.policy import Policy, PolicyRefused
from shared.witness.cosigner import Offer

PATIENCE = 10.0
"""Seconds for one answer."""
MOST_BYTES = 100_000
"""Of an answer: a line for each of the witness's keys."""
PAUSE, LONGEST_PAUSE = 2.0, 300.0
"""Seconds after a failure; twice as long after each further one."""

SIGNED_UPTO = "SELECT coalesce(max(size), 0) FROM record.cosignature WHERE origin = $1 AND witness = $2"
KEEP = """
INSERT INTO record.cosignature (origin, size, witness, line, at) VALUES ($1, $2, $3, $4, to_timestamp($5))
ON CONFLICT DO NOTHING
"""


class PolicyFileError(MinewatchError):
    """The policy file cannot be read; says where."""


class NotCosigned(MinewatchError):
    """The witness gave no line for the checkpoint; says why."""


def load_policy(path: Path) -> Policy:
    """Raises PolicyFileError."""
    try:
        return Policy.read(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, PolicyRefused) as error:
        raise PolicyFileError(f"MINEWATCH_POLICY: {path.name}: {error}") from error


def outsiders(policy: Policy, jurisdiction: str) -> list[Key]:
    """The witnesses of others. One whose name begins with the town's own is the town's own, and proves nothing against it."""
    return [key for key in policy.witnesses.values() if not key.name.startswith(f"{jurisdiction}/")]


@dataclass
class Gatherer:
    """Asks one witness. `pool` connects as <svc>_app; `kept` rings when there is a new checkpoint. `refused`: why its line is
    missing, None while it signs."""

    service: str
    pool: asyncpg.Pool
    witness: Key
    url: str
    http: httpx.AsyncClient
    kept: Bell
    poll: float = 5.0
    points: Points = field(default=no_points)
    refused: str | None = None

    async def once(self) -> Checkpoint | None:
        """Has the newest checkpoint signed, and keeps the line; None when there is nothing to sign. Raises NotCosigned."""
        async with self.pool.acquire() as connection:
            note = await newest(Tx(connection))
            if note is None or any((line.name, line.id) == (self.witness.name, self.witness.id) for line in note.lines):
                return None
            checkpoint = Checkpoint.read(note.text)
            old: int = await connection.fetchval(SIGNED_UPTO, checkpoint.origin, self.witness.name)
        own = Note(note.text, note.lines[:1])
        answer = await self._asked(own, checkpoint, old)
        if answer.status_code == 409:
            old = _size(answer.text)
            if old > checkpoint.size:  # it signed a later one; whoever asked for that keeps the line
                raise NotCosigned(f"it signed {old} events already, this is the checkpoint of {checkpoint.size}")
            answer = await self._asked(own, checkpoint, old)
        if answer.status_code != 200:
            raise NotCosigned(f"{answer.status_code} {answer.text.strip()[:200]}")
        await self.points("witness: signed")
        await self._keep(checkpoint, note.text, answer.content)
        await self.points("witness: kept")
        return checkpoint

    async def _asked(self, note: Note, checkpoint: Checkpoint, old: int) -> httpx.Response:
        async with self.pool.acquire() as connection:
            proof = await consistency_proof(Tx(connection), old, checkpoint.size)
        body = bytes(Offer(old, tuple(proof), note, checkpoint))
        try:
            async with asyncio.timeout(PATIENCE), self.http.stream("POST", self.url, content=body) as answer:
                content = b""
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > MOST_BYTES:
                        raise NotCosigned("its answer does not end")
                return httpx.Response(answer.status_code, content=content)
        except (httpx.HTTPError, TimeoutError) as error:
            raise NotCosigned(type(error).__name__) from error

    async def _keep(self, checkpoint: Checkpoint, text: str, lines: bytes) -> None:
        """Checks its line before it is kept: a wrong one would spoil the note for everybody who trusts this witness."""
        try:
            note = Note.read(f"{text}\n".encode() + lines)
            at = note.signed_by([self.witness]).get(self.witness)
        except NoteRefused as error:
            raise NotCosigned(str(error)) from error
        line = next(
            (str(line) for line in note.lines if (line.name, line.id) == (self.witness.name, self.witness.id)), None
        )
        if line is None or at is None:
            raise NotCosigned(f"it signed with another key than {self.witness.name}'s")
        await self.pool.execute(KEEP, checkpoint.origin, checkpoint.size, self.witness.name, line, at)

    async def run(self) -> None:
        """Until cancelled."""
        said, pause = log("witness", service=self.service, witness=self.witness.name), PAUSE
        while True:
            try:
                while await self.once() is not None:
                    pass
            except (NotCosigned, NotInLog, NoteRefused, asyncpg.PostgresError, *LOST) as error:
                if self.refused != str(error):
                    said.warning("not signed", error=type(error).__name__, text=str(error)[:200])
                self.refused = str(error)
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)
            else:
                self.refused, pause = None, PAUSE
                await self.kept.wait(self.poll)


def _size(text: str) -> int:
    """Of an answer 409. Raises NotCosigned."""
    written = text.strip()
    if not (written.isascii() and written.isdigit()) or len(written) > 18:
        raise NotCosigned(f"409 {written[:200]}")
    return int(written)
