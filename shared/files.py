"""Files that events name by SHA-256: kept sealed, insert-only, in the service's own record."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Protocol

from shared.contracts.registry import CONTRACTS
from shared.errors import MinewatchError, NotFound, Refusal
from shared.sql import Tx

PUT = """
INSERT INTO record.file (sha256, stream_id, media_type, content) VALUES ($1, $2, $3, $4) ON CONFLICT (sha256) DO NOTHING
RETURNING sha256
"""
GET = "SELECT stream_id, media_type, content FROM record.file WHERE sha256 = $1"


class FileAltered(MinewatchError):
    """这个文件的内容与记录的校验值不符，已被改动。请通知审计人员。
    This file's bytes are not those that the record names: they were altered. Tell the auditor."""


class FileKeyDestroyed(Refusal):
    """同样内容的文件以前保存过，密钥已按规定销毁，不能再读，也不能再次保存。请换一份文件（例如从设备重新导出）。
    A file with the same content was kept before and its key destroyed by the rules: it can neither be read nor kept again. Send
    another file, such as a new export from the device."""


def names_in(value: object) -> set[str]:
    """The SHA-256 of every file that an event's data names, however deep."""
    if isinstance(value, dict):
        return set().union(*({v} if k == "sha256" and isinstance(v, str) else names_in(v) for k, v in value.items()))
    return set().union(*map(names_in, value)) if isinstance(value, list) else set()


def kept_for(body: bytes) -> set[str]:
    """The files that have to be kept for this event. Canonical bytes hold the name only where it is one."""
    if b'"sha256":' not in body:
        return set()
    try:
        told: Any = json.loads(body)
    except ValueError:
        return set()
    if not isinstance(told, dict):
        return set()
    contract = CONTRACTS.types.get(told.get("type", ""))
    return names_in(told.get("data")) if contract is None or contract.keeps_files else set()


class ByteSealer(Protocol):
    """Seals bytes under the key of a stream."""

    async def seal_bytes(self, content: bytes, stream_id: str) -> bytes: ...

    async def open_bytes(self, content: bytes, stream_id: str) -> bytes | None: ...


@dataclass(frozen=True)
class Files:
    sealer: ByteSealer

    async def put(self, tx: Tx, content: bytes, media_type: str, stream_id: str) -> str:
        """Keeps `content` (plain bytes); its SHA-256 in hex. The same bytes are kept once, for the stream that came first.
        Raises FileKeyDestroyed when they were kept and open no more; FileAltered."""
        sha256 = hashlib.sha256(content).hexdigest()
        kept = (sha256, stream_id, media_type, await self.sealer.seal_bytes(content, stream_id))
        if await tx.value(PUT, kept) is None:
            try:
                await self.get(tx, sha256)
            except NotFound as error:
                raise FileKeyDestroyed(sha256=sha256) from error
        return sha256

    async def get(self, tx: Tx, sha256: str) -> tuple[str, bytes]:
        """(media type, plain bytes). Raises NotFound when there is none or its key was destroyed; FileAltered."""
        row = await tx.one(GET, (sha256,))
        content = await self.sealer.open_bytes(row["content"], row["stream_id"]) if row else None
        if row is None or content is None:
            raise NotFound(sha256)
        if hashlib.sha256(content).hexdigest() != sha256:
            raise FileAltered(sha256)
        return row["media_type"], content

    async def stored(self, tx: Tx, sha256: str) -> bytes | None:
        """The sealed bytes as they are kept; None when there are none."""
        row = await tx.one(GET, (sha256,))
        return row["content"] if row else None
