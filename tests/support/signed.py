"""Checkpoints without a signer: of a log as it stands, or of anything else, by a key that tests know."""

import asyncpg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.checkpoints import origin_of
from shared.proving import root_at
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key, Note, sign

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([7]) * 32)
KEEP = "INSERT INTO record.checkpoint (origin, size, root, note) VALUES ($1, $2, $3, $4)"


def note_of(checkpoint: Checkpoint) -> Note:
    return Note(str(checkpoint), (sign(str(checkpoint), checkpoint.origin, PRIVATE),))


def policy_for(*origins: str) -> str:
    """The log's own signature will do."""
    public = PRIVATE.public_key().public_bytes_raw()
    return "".join(f"log {Key(origin, LOG, public)}\n" for origin in origins) + "quorum none\n"


async def a_checkpoint(pool: asyncpg.Pool, jurisdiction: str, service: str, size: int | None = None) -> Note:
    """Of the whole log or its first `size` events, kept where a signer's would be."""
    async with pool.acquire() as connection:
        tx = Tx(connection)
        size = size or await tx.value("SELECT position FROM work.head")
        origin = await origin_of(tx, jurisdiction, service)
        checkpoint = Checkpoint(origin, size, await root_at(tx, size))
        note = note_of(checkpoint)
        await tx.run(KEEP, (origin, size, checkpoint.root, str(note)))
    return note
