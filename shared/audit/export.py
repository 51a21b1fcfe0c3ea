"""A service's log out of its database and into an export folder, up to a checkpoint.

EXPORT/README.txt     EXPORT/policy (a suggestion)     EXPORT/SERVICE/… (shared/audit/folder.py)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

import asyncpg

from shared.app import App
from shared.audit.covered import stated
from shared.audit.folder import FolderRefused, Growth, LogFolder
from shared.decider import Actor
from shared.opening import record_opening
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note
from shared.transparency.tiles import WIDTH

PAGE = 16 * WIDTH
"""Events read at once: what a run holds in memory, however long the log is."""

# A log only grows, so pages read one after another are one log; no transaction has to be kept open for all of them.
ENTRIES = """
SELECT e.body, l.leaf FROM record.log l JOIN record.event e USING (event_id)
WHERE l.position > $1 AND l.position <= $2 ORDER BY l.position
"""


KIND = "export"
README = """\
本文件夹是矿巡 (minewatch) 各服务日志的完整导出，可以脱离原系统核对。

<服务>/checkpoint      签名检查点：日志名称、事件数、Merkle 树根，以及日志和见证单位的签名
<服务>/tile/entries/…  每件事件的原始字节（个人信息和自由文本已加密，密钥不在此处）
<服务>/tile/<层>/…     树的散列值（C2SP tlog-tiles、RFC 6962）
policy                 仅供参考：由谁签名才算数。请用贵单位自己从日志方和见证方取得的公钥文件，不要用这一份。

核对：minewatch audit verify 本文件夹 --policy 贵单位的文件（只导出了部分服务时，另加 --service 服务名）
退出码 0 表示全部得到证明；1 表示有疑点，并指出第一件有疑点的事件；2 表示无法读取。
格式公开 (c2sp.org)，也可以用他人编写的工具核对。导出中断时，用同一命令再运行一次即可接续。

This folder is a complete export of the logs of minewatch's services; it can be checked apart from that system.

SERVICE/checkpoint      a signed note: the log's name, how many events, the root of the tree, and who signed: the log, witnesses
SERVICE/tile/entries/…  the exact bytes of every event (personal data and free text are sealed, and the keys are not here)
SERVICE/tile/LEVEL/…    the tree's hashes (C2SP tlog-tiles, RFC 6962)
policy                  a suggestion only: whose signatures count. Use a file of your own, with keys that you had from the log's
                        operator and from the witnesses themselves, not this one.

To check it: minewatch audit verify THIS-FOLDER --policy YOUR-FILE (and --service NAME where some services only were exported)
It leaves with 0 when everything is proven, with 1 on any doubt, naming the first event it is about, with 2 when it cannot read.
The formats are open (c2sp.org): tools that others wrote check them too. An export that was interrupted goes on when the same
command is run again.
"""


@dataclass(frozen=True)
class Exported:
    """The folder held `before` events, and holds `size` now."""

    before: int
    size: int


async def record_export(app: App, reason: str, actor: Actor) -> UUID:
    """Who takes the whole log out, and why, with the heads of all streams, before anything is taken. The event's id."""
    async with app.pool.acquire() as connection, connection.transaction(isolation="repeatable_read", readonly=True):
        heads = await stated(Tx(connection))
    return await record_opening(app, kind=KIND, about=(), reason=reason, actor=actor, heads=heads)


async def export(pool: asyncpg.Pool, folder: LogFolder, note: Note) -> Exported:
    """Writes the first events of the log, as many as the checkpoint `note` covers, or what the folder lacks of them.

    Raises FolderRefused when the events do not have the checkpoint's root, or the folder holds something else; then its former
    checkpoint stands as it was.
    """
    with folder.alone():
        growth = Growth(folder, Checkpoint.read(note.text))
        try:
            while growth.width:
                end = min(growth.at + PAGE, growth.target.size)
                _add(growth, await pool.fetch(ENTRIES, growth.at, end), end)
            growth.stand(note)
        except FolderRefused:
            growth.leave()
            raise
        return Exported(growth.held.size, growth.target.size)


def _add(growth: Growth, rows: Sequence[asyncpg.Record], end: int) -> None:
    if len(rows) != end - growth.at:
        raise FolderRefused(f"the log has {len(rows)} of its events {growth.at + 1} to {end}; some were taken out")
    for first in range(0, len(rows), WIDTH):
        bundle = rows[first : first + WIDTH]
        growth.add([row["body"] for row in bundle], [row["leaf"] for row in bundle])
