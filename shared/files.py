"""Files that events name by SHA-256: kept sealed, insert-only, in the service's own record."""

import hashlib
from dataclasses import dataclass
from typing import Protocol

from shared.errors import NotFound
from shared.sql import Tx

PUT = """
INSERT INTO record.file (sha256, stream_id, media_type, content) VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING
"""
GET = "SELECT stream_id, media_type, content FROM record.file WHERE sha256 = $1"


class ByteSealer(Protocol):
    """Seals bytes under the key of a stream."""

    async def seal_bytes(self, content: bytes, stream_id: str) -> bytes: ...

    async def open_bytes(self, content: bytes, stream_id: str) -> bytes | None: ...


@dataclass(frozen=True)
class Files:
    sealer: ByteSealer

    async def put(self, tx: Tx, content: bytes, media_type: str, stream_id: str) -> str:
        """Keeps `content` (plain bytes); its SHA-256 in hex. The same bytes are kept once."""
        sha256 = hashlib.sha256(content).hexdigest()
        await tx.run(PUT, (sha256, stream_id, media_type, await self.sealer.seal_bytes(content, stream_id)))
        return sha256

    async def get(self, tx: Tx, sha256: str) -> tuple[str, bytes]:
        """(media type, plain bytes). Raises NotFound when there is none or its key was destroyed."""
        row = await tx.one(GET, (sha256,))
        content = await self.sealer.open_bytes(row["content"], row["stream_id"]) if row else None
        if row is None or content is None:
            raise NotFound(sha256)
        return row["media_type"], content

    async def stored(self, tx: Tx, sha256: str) -> bytes | None:
        """The sealed bytes as they are kept; None when there are none."""
        row = await tx.one(GET, (sha256,))
        return row["content"] if row else None
