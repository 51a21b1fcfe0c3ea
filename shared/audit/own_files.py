"""Files that a service's own events name by SHA-256, against what its database keeps of them."""

from collections.abc import AsyncIterator, Mapping

from shared.audit.found import Found
from shared.audit.own_keys import About, OwnKeys
from shared.errors import NotFound
from shared.files import FileAltered, Files
from shared.identity.sealed_file import SealedFile
from shared.sql import Tx

ROW = """
SELECT substring(content FROM 1 FOR 64) AS head, (
    SELECT e.stream_id FROM record.log l JOIN record.event e USING (event_id) WHERE l.position = $2
) AS stream FROM record.file WHERE sha256 = $1
"""


async def faults(tx: Tx, files: Files, keys: OwnKeys, named: Mapping[str, int]) -> AsyncIterator[Found]:
    """`named`: SHA-256 -> the first event that names it. A file whose key is gone cannot be compared, and is no fault of its own:
    `keys` says whether that key was erased, of the stream that the event stands in."""
    for sha256, position in named.items():
        try:
            await files.get(tx, sha256)
        except FileAltered:
            yield Found(f"文件 {sha256} 的内容已被换过", f"the file {sha256} holds other bytes", position)
        except NotFound:
            row = await tx.one(ROW, (sha256, position))
            if row is None:
                yield Found(f"文件 {sha256} 已被删除", f"the file {sha256} is gone", position)
            elif key_id := next(iter(await keys.lost(SealedFile.read(row["head"]).key_id)), None):
                await keys.ask(key_id, About(row["stream"] or "", position, sha256))
            else:
                yield Found(
                    f"文件 {sha256} 打不开，其密钥并未销毁：已被改动",
                    f"the file {sha256} does not open, and no key of it is gone: it was altered",
                    position,
                )
