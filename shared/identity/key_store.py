"""The keys of sealed texts, in the database `keys`: made before the text is stored, readable by one audience, destroyed to erase.

A key belongs to a subject (a stream, an informant, a person) and an audience. What a role may not see, it cannot select: the
rows are held back by the database (KEYS_DDL), not by this code. `keys_office` may add a key for the custodian and can never
read it again, so it adds a new one each time; a subject may have any number of keys, and `destroy` takes them all.
"""

import os
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Generic, TypeVar
from uuid import UUID, uuid4

import asyncpg

from shared.errors import KeyServiceAway, NotReady, Refusal
from shared.identity.clearing import clear
from shared.identity.wrapping import KeyWrapper, WrongMasterKey
from shared.telemetry import log

# One round trip: the key made now, or the one that is there. No row when another writer's key was committed in between.
FIND_OR_MAKE = """
WITH made AS (
    INSERT INTO public.key (key_id, service, subject, audience, stream_id, wrapped, sealing)
    VALUES ($1, $2, $3, $4, $5, $6, true)
    ON CONFLICT (subject, audience) WHERE sealing DO NOTHING
    RETURNING key_id, wrapped
)
SELECT key_id, wrapped FROM made
UNION ALL
SELECT key_id, wrapped FROM public.key WHERE subject = $3 AND audience = $4 AND sealing
LIMIT 1
"""
MAKE_FOR_OTHERS = """
INSERT INTO public.key (key_id, service, subject, audience, stream_id, wrapped, sealing)
VALUES ($1, $2, $3, $4, $5, $6, false)
"""
OPENABLE = """
SELECT key_id, subject, audience, wrapped FROM public.key
WHERE key_id = ANY($1::uuid[]) AND audience = ANY($2::text[]) AND wrapped IS NOT NULL
"""
NEWEST = """
SELECT key_id, subject, audience, wrapped FROM public.key
WHERE audience = ANY($1::text[]) AND wrapped IS NOT NULL ORDER BY made_at DESC LIMIT 5
"""

STILL_SEALING = "SELECT sealing FROM public.key WHERE key_id = $1"
# An erasure takes its subject's lock, so a few at a time; in one order, so that two do not wait for each other.
ERASE = (
    "SELECT coalesce(sum(public.erase_subject(s)), 0)::integer FROM (SELECT unnest($1::text[]) AS s ORDER BY 1) each"
)
ERASE_AT_ONCE = 500

REMEMBERED = 20_000
REMEMBERED_SECONDS = 900.0
"""A process that never hears of an erasure forgets the key all the same."""
LEAVING = 3.0
"""Seconds between retiring keys and destroying them: who was given one a moment before has stored its text by then."""


class SubjectErased(Refusal):
    """相关人员的信息已按规定删除，不能再写入。
    This person's data was erased; nothing more can be written about them."""


@dataclass(frozen=True)
class Key:
    """`secret`: 32 bytes, never shown."""

    key_id: str
    secret: bytes = field(repr=False)


@dataclass(frozen=True)
class _Opened:
    """A key as far as this process may know it; `secret` is None when it is not for its audiences, or destroyed."""

    subject: str | None
    secret: bytes | None = field(repr=False)


K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class _Remembered(Generic[K, V]):
    """At most `most` values, the longest unused leaving first, none for longer than `seconds`."""

    def __init__(self, most: int, seconds: float) -> None:
        self._most, self._seconds = most, seconds
        self._values: OrderedDict[K, tuple[float, V]] = OrderedDict()

    def get(self, key: K) -> V | None:
        until, value = self._values.get(key, (0.0, None))
        if value is None or until <= time.monotonic():
            return None
        self._values.move_to_end(key)
        return value

    def put(self, key: K, value: V) -> None:
        self._values[key] = (time.monotonic() + self._seconds, value)
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)

    def drop(self, wanted: Callable[[K, V], bool]) -> None:
        for key in [key for key, (_, value) in self._values.items() if wanted(key, value)]:
            del self._values[key]


class KeyStore:
    """The keys as one process sees them. `audiences` must be what the pool's role may read; the database holds it to that."""

    def __init__(
        self,
        pool: asyncpg.Pool,
        wrapper: KeyWrapper,
        service: str,
        audiences: frozenset[str],
        remembered: int = REMEMBERED,
        seconds: float = REMEMBERED_SECONDS,
    ) -> None:
        self.audiences = audiences
        self._pool, self._wrapper, self._service = pool, wrapper, service
        self._sealing: _Remembered[tuple[str, str], Key] = _Remembered(remembered, seconds)
        self._opening: _Remembered[str, _Opened] = _Remembered(remembered, seconds)
        self._forgot = 0

    async def sealing_key(self, subject: str, audience: str, stream_id: str) -> Key:
        """The key for new texts about `subject`; made at first use, and committed before this returns. Raises SubjectErased.

        For an audience of others it is a new key each time. `stream_id` is where the text will stand; sweep() asks for it.
        """
        if audience not in self.audiences:
            return await self._make_for_others(subject, audience, stream_id)
        known = self._sealing.get((subject, audience))
        # A stream is written in while its keys go, so nobody seals for it from memory alone. Others get no key again.
        if known and (subject != stream_id or await self._pool.fetchval(STILL_SEALING, UUID(known.key_id))):
            return known
        forgot = self._forgot
        key = await self._find_or_make(subject, audience, stream_id)
        if forgot == self._forgot:
            self._sealing.put((subject, audience), key)
            self._opening.put(key.key_id, _Opened(subject, key.secret))
        return key

    async def _find_or_make(self, subject: str, audience: str, stream_id: str) -> Key:
        fresh = _fresh()
        wrapped = await self._wrapper.wrap(fresh.secret, bound_to(fresh.key_id, subject, audience))
        values = (UUID(fresh.key_id), self._service, subject, audience, stream_id, wrapped)
        # The second round finds what another writer committed meanwhile; a further one, that it was destroyed again.
        for _ in range(5):
            with _refused_when_erased():
                row = await self._pool.fetchrow(FIND_OR_MAKE, *values)
            if row is not None:
                found = str(row["key_id"])
                [secret] = await self._wrapper.unwrap([(row["wrapped"], bound_to(found, subject, audience))])
                return Key(found, secret)
        raise NotReady("the key store gave no key")

    async def _make_for_others(self, subject: str, audience: str, stream_id: str) -> Key:
        key = _fresh()
        wrapped = await self._wrapper.wrap(key.secret, bound_to(key.key_id, subject, audience))
        with _refused_when_erased():
            await self._pool.execute(
                MAKE_FOR_OTHERS, UUID(key.key_id), self._service, subject, audience, stream_id, wrapped
            )
        return key

    async def opening_keys(self, key_ids: Iterable[str]) -> dict[str, bytes]:
        """Key id -> secret, of those this store may open; what is unknown, destroyed or for others is left out."""
        wanted = set(key_ids)
        known = {key_id: opened for key_id in wanted if (opened := self._opening.get(key_id))}
        missing = {key_id: uuid for key_id in wanted - known.keys() if (uuid := _uuid(key_id))}
        if missing:
            forgot = self._forgot
            rows = await self._pool.fetch(OPENABLE, list(missing.values()), sorted(self.audiences))
            found = await self._opened(rows)
            for key_id in missing:
                # What is not there now never will be: an event is stored after its key.
                known[key_id] = found.get(key_id) or _Opened(None, None)
                if forgot == self._forgot:  # or it may be of somebody who was erased while it was being opened
                    self._opening.put(key_id, known[key_id])
        return {key_id: opened.secret for key_id, opened in known.items() if opened.secret is not None}

    async def _opened(self, rows: Sequence[asyncpg.Record]) -> dict[str, _Opened]:
        bound = [bound_to(str(row["key_id"]), row["subject"], row["audience"]) for row in rows]
        secrets = await self._wrapper.unwrap([(row["wrapped"], aad) for row, aad in zip(rows, bound, strict=True)])
        opened = [_Opened(row["subject"], secret) for row, secret in zip(rows, secrets, strict=True)]
        return {str(row["key_id"]): each for row, each in zip(rows, opened, strict=True)}

    async def see_that_it_opens(self) -> None:
        """Raises WrongMasterKey when none of the newest keys opens: whatever was sealed with this wrapper would not open with the
        others. A key service that is away is waited for, not here."""
        wrong: WrongMasterKey | None = None
        for row in await self._pool.fetch(NEWEST, sorted(self.audiences)):
            try:
                await self._opened([row])
                return
            except KeyServiceAway:
                return
            except WrongMasterKey as error:
                wrong = error
        if wrong is not None:
            raise wrong

    async def retire(self, subjects: Sequence[str], erasure: str) -> dict[str, tuple[str, ...]]:
        """Nothing more is sealed with the keys that these subjects have now; subject -> their ids. Only a custodian's role may.

        They open still, and are to be destroyed LEAVING later. Done again for the same `erasure` it gives the same keys, and
        takes none that was made since.
        """
        retired: dict[str, tuple[str, ...]] = dict.fromkeys(subjects, ())
        for row in await self._pool.fetch("SELECT * FROM public.retire_keys($1, $2)", list(subjects), erasure):
            retired[row["subject"]] = (*retired.get(row["subject"], ()), str(row["key_id"]))
        return retired

    async def destroy(self, *subjects: str) -> int:
        """Erases: no text about these can be read again. How many keys; only a custodian's role may.

        The rows stay as tombstones without key bytes, so that a restored database can be told what to erase again.
        """
        destroyed = 0
        for nth in range(0, len(subjects), ERASE_AT_ONCE):
            destroyed += await self._pool.fetchval(ERASE, subjects[nth : nth + ERASE_AT_ONCE])
        for subject in subjects:
            self.forget(subject)
        return destroyed

    async def destroy_keys(self, key_ids: Iterable[str]) -> int:
        """Destroys these keys and no others of their subjects. How many still had their bytes; only a custodian's role may."""
        ids = [uuid for key_id in key_ids if (uuid := _uuid(key_id))]
        destroyed: int = await self._pool.fetchval("SELECT public.erase_keys($1)", ids)
        self.forget()
        return destroyed

    async def clear(self) -> bool:
        """Destroyed keys leave the table's file, too; False when it has to be tried again, the log says why: the erasure stands.
        Only a custodian's role may; in no transaction of any database (clearing.py), so Tidying.clears does it."""
        try:
            async with self._pool.acquire() as connection:
                return await clear(connection)
        except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
            log("keys").warning("not cleared yet", reason=type(error).__name__)
            return False

    def forget(self, subject: str | None = None) -> None:
        """Drops what this process remembers: of one subject, or everything."""
        self._forgot += 1
        self._sealing.drop(lambda about, _: subject is None or about[0] == subject)
        self._opening.drop(lambda _, opened: subject is None or opened.subject == subject)

    async def sweep(self, older_than: timedelta, known: Callable[[Sequence[str]], Awaitable[set[str]]]) -> int:
        """Deletes keys whose text was never stored, because the append after them failed. How many; only a custodian's role may.

        `known` is given this service's streams and returns those with an event or a kept file. A key is retired first: nothing is
        sealed with it any more. A later sweep, `older_than` after that, deletes it; so `older_than` must be longer than any
        process remembers a key. Keys of a person or an informant that several streams may share are left alone.
        """
        if older_than < 2 * timedelta(seconds=REMEMBERED_SECONDS):
            raise ValueError(f"a key may be in use for {REMEMBERED_SECONDS} s after it was read")
        rows = await self._pool.fetch("SELECT public.streams_with_keys($1, $2) AS stream_id", self._service, older_than)
        streams = [row["stream_id"] for row in rows]
        orphaned = sorted(set(streams) - await known(streams))
        swept: int = await self._pool.fetchval(
            "SELECT public.sweep_keys($1, $2, $3)", self._service, orphaned, older_than
        )
        return swept


@contextmanager
def _refused_when_erased() -> Iterator[None]:
    """What the key store's own rule refuses (key_schema.py) is a refusal here."""
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if error.constraint_name != "key_of_the_erased":
            raise
        raise SubjectErased() from error


def _fresh() -> Key:
    return Key(str(uuid4()), os.urandom(32))


def bound_to(key_id: str, subject: str, audience: str) -> bytes:
    """So that wrapped bytes moved to another row do not open."""
    return "\x00".join((key_id, subject, audience)).encode()


def _uuid(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None
