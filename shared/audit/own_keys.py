"""Keys that a service's own record was sealed with and that open nothing any more, against the erasures of which it tells.

An erasure is two persons' and recorded (docs/adr/0018, 0022); whoever destroys a key beside it destroys evidence. Which keys a
body needs, and about whom, is said by the body, which is signed. The key store is asked about ids, and gives out no key.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg

from shared.audit.found import Found
from shared.backup.erasures import ERASED
from shared.contracts.envelope import read
from shared.contracts.intake.words import WordsErased
from shared.errors import Unreadable
from shared.identity.sealing import sealed_with

AT_ONCE = 1000
MOST_NAMED = 20
PATIENCE = 2.0
"""Seconds. An erasure is recorded after the keys are gone, and others receive it a moment later."""

LOST = "SELECT public.lost_keys($1)"
TOLD = """
SELECT body FROM record.event WHERE type = ANY($1) UNION ALL SELECT body FROM record.inbox WHERE type = ANY($1)
"""


@dataclass(frozen=True)
class About:
    """What a key seals: texts about `subject`, or a file, by its SHA-256. `position`: of the first event that needs the key."""

    subject: str
    position: int
    file: str | None = None


@dataclass
class OwnKeys:
    """`pool`: of the record; `keys`: of the key store. What it holds at once does not grow with the log."""

    pool: asyncpg.Pool
    keys: asyncpg.Pool
    _asked: dict[str, About] = field(default_factory=dict)
    _gone: dict[str, About] = field(default_factory=dict)
    _more: bool = False
    _unseen: str | None = None
    _erased: set[tuple[str, str | None]] | None = None

    async def read(self, position: int, body: bytes) -> None:
        """One fact. Canonical bytes hold the name `k` only where it is one."""
        if b'"k":"' not in body:
            return
        try:
            recorded = read(body)
        except Unreadable:
            return  # said by whoever compares the bytes
        for key_id, subject in sealed_with(recorded.event, recorded.stream_id).items():
            await self.ask(key_id, About(subject, position))

    async def ask(self, key_id: str, about: About) -> None:
        self._asked.setdefault(key_id, about)
        if len(self._asked) >= AT_ONCE:
            await self._look()

    async def lost(self, *key_ids: str) -> set[str]:
        """Those of the keys that the key store does not have, or not any more."""
        ids = [uuid for key_id in key_ids if (uuid := _uuid(key_id))]
        try:
            return set(map(str, await self.keys.fetchval(LOST, ids)))
        except (asyncpg.UndefinedFunctionError, asyncpg.InsufficientPrivilegeError) as error:
            self._unseen = str(error)
            return set()

    async def faults(self) -> AsyncIterator[Found]:
        """After all was read, and outside of the moment that was read: what is erased meanwhile is recorded meanwhile."""
        await self._look()
        if self._unseen is not None:
            yield Found(
                f"没有查看密钥是否被销毁：密钥库不答（{self._unseen}）。请先运行 minewatch migrate --prepare",
                f"nobody looked whether keys were destroyed: the key store does not say ({self._unseen}); "
                "run minewatch migrate --prepare",
            )
        for wait in (0.0, PATIENCE):
            if self._gone:
                await asyncio.sleep(wait)
                await self._hear()
                self._gone = {key: about for key, about in self._gone.items() if not self._covered(key, about)}
        named = sorted(self._gone.items(), key=lambda each: each[1].position)
        for key_id, about in named[:MOST_NAMED]:
            zh, en = (
                (f"文件 {about.file}", f"the file {about.file}")
                if about.file
                else (f"与 {about.subject} 有关的文字", f"what is sealed about {about.subject}")
            )
            yield Found(
                f"{zh}打不开：密钥 {key_id} 已不存在，记录中没有相应的清除。密钥在程序之外被销毁，或恢复时缺少密钥",
                f"{en} does not open: its key {key_id} is gone, and the record tells of no such erasure; it was destroyed "
                "beside the procedure, or restored without keys",
                about.position,
            )
        if self._more or len(self._gone) > MOST_NAMED:
            yield Found("此外还有这样的密钥", f"and more than {MOST_NAMED} such keys besides")

    async def _look(self) -> None:
        asked, self._asked = self._asked, {}
        gone = sorted(await self.lost(*asked)) if asked else []
        if gone and self._erased is None:
            await self._hear()
        for key_id in gone:
            if not self._covered(key_id, asked[key_id]):
                self._more |= len(self._gone) >= AT_ONCE and key_id not in self._gone
                if len(self._gone) < AT_ONCE:
                    self._gone.setdefault(key_id, asked[key_id])

    async def _hear(self) -> None:
        """Every erasure that is recorded by now: (subject, key that it names), or (subject, None) for all that it has."""
        self._erased = set()
        for row in await self.pool.fetch(TOLD, list(ERASED)):
            told = json.loads(row["body"])
            subject, words = told["data"][ERASED[told["type"]]], told["type"] == WordsErased.type
            self._erased |= {(subject, key) for key in told["data"]["keys"]} if words else {(subject, None)}

    def _covered(self, key_id: str, about: About) -> bool:
        by = {(about.subject, key_id), (about.subject, None)}
        return self._erased is not None and not self._erased.isdisjoint(by)


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
