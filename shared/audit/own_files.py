"""Files that a service's own events name by SHA-256, against what its database keeps of them."""

from collections.abc import AsyncIterator, Mapping
from uuid import UUID

import asyncpg

from shared.audit.found import Found
from shared.errors import NotFound
from shared.files import FileAltered, Files
from shared.identity.sealed_file import SealedFile
from shared.sql import Tx

ROW = "SELECT stream_id, substring(content FROM 1 FOR 64) AS head FROM record.file WHERE sha256 = $1"
ERASED = "SELECT EXISTS (SELECT FROM public.key WHERE key_id = $1 AND subject = $2 AND destroyed_at IS NOT NULL)"


async def faults(tx: Tx, files: Files, keys: asyncpg.Pool, named: Mapping[str, int]) -> AsyncIterator[Found]:
    """`named`: SHA-256 -> the first event that names it. A file whose key was destroyed cannot be compared, and is no fault."""
    for sha256, position in named.items():
        try:
            await files.get(tx, sha256)
        except FileAltered:
            yield Found(f"文件 {sha256} 的内容已被换过", f"the file {sha256} holds other bytes", position)
        except NotFound:
            row = await tx.one(ROW, (sha256,))
            if row is None:
                yield Found(f"文件 {sha256} 已被删除", f"the file {sha256} is gone", position)
            elif not await keys.fetchval(ERASED, _key(row["head"]), row["stream_id"]):
                yield Found(
                    f"文件 {sha256} 打不开，其密钥并未销毁：已被改动，或恢复时没有密钥",
                    f"the file {sha256} does not open, and no key of it was destroyed: it was altered, or restored without keys",
                    position,
                )


def _key(head: bytes) -> UUID | None:
    try:
        return UUID(SealedFile.read(head).key_id)
    except ValueError:
        return None
