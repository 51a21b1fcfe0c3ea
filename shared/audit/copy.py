"""An auditor's own copy of a log, pulled over HTTP to a place outside the town, and believed in nothing.

The signatures have to meet the auditor's own policy. A new checkpoint has to grow from the one that stands in the copy, which
the server proves by its tiles. Every event has to be the one that is hashed there, and all of them together have to have the root
that was signed. What fails is not taken, and a signed checkpoint that fails is kept: it is what its signer has to explain.
"""

import uuid
from dataclasses import dataclass
from pathlib import Path

import httpx

from shared.audit.folder import FolderRefused, Growth, LogFolder
from shared.contracts.envelope import leaf_of
from shared.errors import MinewatchError
from shared.transparency import proofs, tiles, tree
from shared.transparency.checking import ProofRefused, check_consistency
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import MOST_BYTES, Note, NoteRefused
from shared.transparency.origin import Origin
from shared.transparency.policy import Policy
from shared.transparency.tiles import WIDTH, Tile

PATIENCE = 60.0
"""Seconds for one answer."""
MOST_BUNDLE = WIDTH * (2 + 65_535)


class LogAway(MinewatchError):
    """The log cannot be read: nobody answers, or not with what was asked for."""


class NotYet(MinewatchError):
    """What the log shows cannot be taken now, and contradicts nothing."""


class CopyRefused(MinewatchError):
    """The log contradicts what this copy holds, or itself."""


@dataclass(frozen=True)
class Copied:
    """The copy held `before` events, and holds `size` now."""

    before: int
    size: int


@dataclass(frozen=True)
class LogAt:
    """The log of `service` at `http`, whose base URL is the town's door; `token` is an auditor's."""

    http: httpx.AsyncClient
    service: str
    token: str

    async def checkpoint(self) -> bytes:
        """As it was sent. Raises LogAway."""
        return await self._get("checkpoint", MOST_BYTES)

    async def tile(self, tile: Tile) -> list[bytes]:
        """Raises LogAway."""
        content = await self._get(tiles.path(*tile), 32 * WIDTH)
        if len(content) != 32 * tile[2]:
            raise LogAway(f"{self.service}: {tiles.path(*tile)} has {len(content)} bytes")
        return tree.unpack(content)

    async def begin(self, reason: str) -> str:
        """Says why, and gets leave to read entries for a day. Raises LogAway."""
        address = f"/{self.service}/v1/log/copies"
        headers = self._headers() | {"Idempotency-Key": str(uuid.uuid4())}
        try:
            answer = await self.http.post(address, json={"reason": reason}, headers=headers, timeout=PATIENCE)
        except httpx.HTTPError as error:
            raise LogAway(f"{self.service}: {type(error).__name__}") from error
        if answer.status_code != 201:
            raise LogAway(f"{address}: {answer.status_code} {_title(answer)}")
        return str(answer.json()["opening"])

    async def entries(self, index: int, width: int, opening: str) -> list[bytes]:
        """Raises LogAway."""
        name = tiles.path("entries", index, width)
        try:
            return tiles.unbundled(await self._get(name, MOST_BUNDLE, {"Opening": opening}))
        except ValueError as error:
            raise LogAway(f"{self.service}: {name}: {error}") from error

    async def _get(self, name: str, most: int, more: dict[str, str] | None = None) -> bytes:
        address, headers = f"/{self.service}/v1/log/{name}", self._headers() | (more or {})
        try:
            async with self.http.stream("GET", address, headers=headers, timeout=PATIENCE) as answer:
                content = b""
                async for chunk in answer.aiter_bytes():
                    content += chunk
                    if len(content) > most:
                        raise LogAway(f"{address}: the answer does not end")
        except httpx.HTTPError as error:
            raise LogAway(f"{address}: {type(error).__name__}") from error
        if answer.status_code != 200:
            raise LogAway(
                f"{address}: {answer.status_code} {_title(httpx.Response(answer.status_code, content=content))}"
            )
        return content

    def _headers(self) -> dict[str, str]:
        return {
            "Authorization": f"Bearer {self.token}",
            "Accept": "application/octet-stream, text/plain, application/json",
        }


async def copy(log: LogAt, folder: LogFolder, policy: Policy, reason: str) -> Copied:
    """Takes what the log has more than `folder`. Raises LogAway, NotYet, FolderRefused; CopyRefused, with the checkpoint kept
    beside the folder."""
    with folder.alone():
        sent = await log.checkpoint()
        try:
            note = Note.read(sent)
            target = Checkpoint.read(note.text)
            missing = policy.missing(note)
        except NoteRefused as error:
            raise CopyRefused(f"{log.service} shows no checkpoint: {error}") from error
        if missing is not None:
            raise NotYet(f"{log.service}, checkpoint of {target.size} events: {missing}")
        held = folder.checkpoint()
        try:
            if held is not None:
                await _must_extend(log, folder, held, target)
            return await _take(log, folder, note, target, reason)
        except CopyRefused as error:
            raise CopyRefused(f"{error}\n{_kept(folder, sent, target, held, str(error))}") from error


async def _must_extend(log: LogAt, folder: LogFolder, held: Checkpoint, target: Checkpoint) -> None:
    """Raises CopyRefused, NotYet, LogAway."""
    if held.origin != target.origin:
        await _new_lineage(folder, held, target)
    if held.size >= target.size:
        root = tree.root(folder.frontier(target.size, held.size))
        if root != target.root:
            raise CopyRefused(
                f"{log.service} signed another history of {target.size} events than the one that is held here"
            )
        if held.size > target.size:
            raise NotYet(
                f"{log.service} shows {target.size} events, this copy holds {held.size}: it shows an old state"
            )
        return
    ranges = proofs.consistency(held.size, target.size)
    nodes = proofs.wanted(ranges)
    try:
        given = {tile: await log.tile(tile) for tile in tiles.holding(nodes, target.size)}
        path = proofs.folded(ranges, {node: tiles.hash_of(node, given, target.size) for node in nodes})
        check_consistency(held.size, held.root, target.size, target.root, path)
    except ProofRefused as error:
        raise CopyRefused(f"{log.service}: {error}") from error


async def _new_lineage(folder: LogFolder, held: Checkpoint, target: Checkpoint) -> None:
    """Raises CopyRefused: a log that was set back is not gone on with in the same folder, whoever said so."""
    try:
        old, new = Origin.read(held.origin), Origin.read(target.origin)
    except NoteRefused as error:
        raise CopyRefused(f"it is another log: {error}") from error
    after = new.after
    if old.log != new.log or after is None or after.parent != old.lineage:
        raise CopyRefused(f"it shows the log {target.origin}, and this copy is of {held.origin}")
    known = min(after.size, held.size)
    if after.size <= held.size and tree.root(folder.frontier(known, held.size)) != after.root:
        raise CopyRefused(
            f"it says that it was restored to the first {after.size} events, but they are other events than those held here"
        )
    raise CopyRefused(
        f"it was restored to its first {after.size} events; {held.size - known} that are held here are not in it any more. "
        "Keep this copy, and begin another one in a new folder"
    )


async def _take(log: LogAt, folder: LogFolder, note: Note, target: Checkpoint, reason: str) -> Copied:
    """Raises CopyRefused, LogAway, FolderRefused."""
    growth = Growth(folder, target)
    try:
        opening = await log.begin(reason) if growth.width else ""
        while growth.width:
            index, width = growth.at // WIDTH, growth.width
            said = await log.tile((0, index, width))
            growth.add(_left(folder, index, said) or await log.entries(index, width, opening), said)
        growth.stand(note)
    except FolderRefused as error:
        growth.leave()
        raise CopyRefused(f"{log.service}: {error}") from error
    return Copied(growth.held.size, target.size)


def _left(folder: LogFolder, index: int, said: list[bytes]) -> list[bytes] | None:
    """The bundle that an interrupted run had taken already, if it is the one of these leaves."""
    try:
        there = tiles.unbundled((folder.path / tiles.path("entries", index, len(said))).read_bytes())
    except (OSError, ValueError):
        return None
    return there if [leaf_of(entry) for entry in there] == said else None


def _kept(folder: LogFolder, sent: bytes, target: Checkpoint, held: Checkpoint | None, why: str) -> Path:
    """Where the refused checkpoint lies; once, however often it is shown."""
    place = LogFolder(folder.path.parent)
    name = f"refused-{folder.path.name}-{target.size}-{target.root.hex()[:16]}"
    place.put(f"{name}.checkpoint", sent)
    place.put(f"{name}.txt", f"{why}\n\nHeld here:\n\n{folder.note() or 'nothing'}\n".encode())
    return place.path / f"{name}.checkpoint"


def _title(answer: httpx.Response) -> str:
    """What a problem (RFC 9457) says of itself."""
    try:
        told = answer.json()
        return f"{told['title']} {told.get('title_en', '')}".strip()
    except (ValueError, KeyError, TypeError):
        return ""
