"""A whole log, against one checkpoint that was verified: every byte of it, streaming, in as many processes as help.

First in pieces, in order: bodies, leaves, tiles, and the root that grows from them. Then in buckets: streams, ids, statements.
"""

import hashlib
import re
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Protocol

from shared.verifier import chains, scratch
from shared.verifier.bodies import HASH, Bodies, parsed
from shared.verifier.chains import Statement
from shared.verifier.doubts import Doubt, Doubts, Refused, doubt, refused
from shared.verifier.files import WIDTH
from shared.verifier.roots import Growing, root_of
from shared.verifier.working import Hands

BUNDLES_A_PIECE = 20
STATEMENTS = ".opening.made."
"""Part of the types of events that may hold a statement of heads."""


class Log(Protocol):
    """Where the entries and tiles of a log of `size` are read, in any process; each method raises Refused."""

    @property
    def size(self) -> int: ...

    def entries(self, index: int) -> list[bytes]:
        """The bodies of bundle `index`: 256 of them, or as many as there are."""

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile side by side."""


@dataclass(frozen=True)
class Known:
    """The root of the first `size` events, and the code of the doubt when it is another."""

    size: int
    root: bytes
    code: str


@dataclass(frozen=True)
class Asked:
    """What is known of a log beforehand. `roots`: of sizes up to the log's; `leaves`: whose positions are wanted; `latest`: no
    event is recorded after it."""

    source: str
    latest: str
    roots: tuple[Known, ...]
    leaves: frozenset[bytes] = frozenset()


@dataclass
class Checked:
    """`found`: leaf -> (position, recordedat) of those wanted."""

    doubts: Doubts = field(default_factory=Doubts)
    streams: int = 0
    statements: int = 0
    found: dict[bytes, tuple[int, str]] = field(default_factory=dict)


@dataclass
class Piece:
    """`nodes`: the root over each bundle, None where it could not be read; `parts`: size -> the root over the entries of its last
    bundle up to there."""

    number: int
    events: int = 0
    nodes: list[bytes | None] = field(default_factory=list)
    parts: dict[int, bytes] = field(default_factory=dict)
    doubts: Doubts = field(default_factory=Doubts)
    streams: int = 0
    statements: list[Statement] = field(default_factory=list)
    found: dict[bytes, tuple[int, str]] = field(default_factory=dict)


def check(log: Log, asked: Asked, hands: Hands, scratch_in: Path | None, told: Callable[[int], None]) -> Checked:
    """`scratch_in`: where temporary files of about 140 bytes an event go; `told`: how many events were read."""
    with tempfile.TemporaryDirectory(prefix="minewatch-verify-", dir=scratch_in) as folder:
        checked, growing, events = Checked(), Growing(log.tile), 0
        statements: list[Statement] = []
        pieces = -(-log.size // (WIDTH * BUNDLES_A_PIECE))
        for piece in hands.answers(partial(_piece, log, asked, Path(folder)), range(pieces)):
            _grow(growing, piece, log.size, asked, checked.doubts)
            checked.doubts.take(piece.doubts)
            checked.found = {**piece.found, **checked.found}
            checked.streams += piece.streams
            statements += piece.statements
            events += piece.events
            told(events)
        growing.end()
        checked.doubts.take(growing.doubts)
        if log.size % WIDTH == 0:
            _compare(growing, [known for known in asked.roots if known.size == log.size], None, checked.doubts)
        checked.statements = len(statements)
        _across(checked, statements, [_page(Path(folder), number) for number in range(pieces)], log.size, hands)
        return checked


def _grow(growing: Growing, piece: Piece, size: int, asked: Asked, doubts: Doubts) -> None:
    for nth, node in enumerate(piece.nodes):
        begin = (piece.number * BUNDLES_A_PIECE + nth) * WIDTH
        for known in asked.roots:
            if begin <= known.size < begin + WIDTH:
                _compare(growing, [known], piece.parts.get(known.size), doubts)
        if begin + WIDTH <= size:
            growing.add(node)


def _compare(growing: Growing, roots: Sequence[Known], part: bytes | None, doubts: Doubts) -> None:
    for known in roots:
        root = growing.root(part) if part is not None or known.size % WIDTH == 0 else None
        if root != known.root:
            doubts.add(doubt(known.code, None, size=known.size, there=root or "?", wanted=known.root))


def _piece(log: Log, asked: Asked, folder: Path, number: int) -> Piece:
    piece, page = Piece(number), scratch.Page(scratch.bits_for(log.size))
    first = number * BUNDLES_A_PIECE
    for index in range(first, min(first + BUNDLES_A_PIECE, -(-log.size // WIDTH))):
        try:
            entries = log.entries(index)
        except Refused as error:
            piece.doubts.add(error.doubt)
            piece.nodes.append(None)
            continue
        row = b"".join(_bundle(entries, index * WIDTH, asked, piece, page))
        _against_tile(log, index, row, piece.doubts)
        piece.nodes.append(root_of(row))
        for known in asked.roots:
            if 0 < (part := known.size - index * WIDTH) <= len(entries) and part < WIDTH:
                piece.parts[known.size] = root_of(row[: 32 * part])
    page.write(_page(folder, number))
    return piece


def _bundle(entries: Sequence[bytes], before: int, asked: Asked, piece: Piece, page: scratch.Page) -> list[bytes]:
    """The entries' leaves; what the bodies say goes to `piece` and `page`. `before`: how many entries there are before these."""
    sha256, wanted = hashlib.sha256, asked.leaves
    leaves = [sha256(b"\x00" + body).digest() for body in entries]
    piece.events += len(leaves)
    read = _bodies(asked.source, asked.latest).read(entries, before + 1)
    good = [nth for nth, each in enumerate(read) if not isinstance(each, Doubt)]
    events = [each for each in read if not isinstance(each, Doubt)]
    if len(good) < len(read):
        piece.doubts.take(each for each in read if isinstance(each, Doubt))
    page.add([before + 1 + nth for nth in good], [leaves[nth] for nth in good], events)
    piece.streams += sum([not each[1] for each in events])
    for nth in [nth for nth, each in zip(good, events, strict=True) if STATEMENTS in each[4]]:
        try:
            piece.statements += _statement(entries[nth], before + 1 + nth)
        except Refused as error:
            piece.doubts.add(error.doubt)
    if wanted:
        for nth, each in zip(good, events, strict=True):
            if leaves[nth] in wanted:
                piece.found.setdefault(leaves[nth], (before + 1 + nth, each[2]))
    return leaves


def _against_tile(log: Log, index: int, row: bytes, doubts: Doubts) -> None:
    try:
        tile = log.tile(0, index)
    except Refused as error:
        doubts.add(error.doubt)
        return
    if tile != row:
        nth = next(
            nth for nth in range(len(row) // 32) if tile[32 * nth : 32 * nth + 32] != row[32 * nth : 32 * nth + 32]
        )
        doubts.add(doubt("leaf", index * WIDTH + nth + 1, index=index, nth=nth))


def _statement(body: bytes, position: int) -> list[Statement]:
    heads = parsed(body, position)["data"].get("heads")
    return [] if heads is None else [statement_of(heads, position)]


def statement_of(heads: Any, position: int) -> Statement:
    """`heads` as it stands in the data of the event at `position`. Raises Refused."""
    match heads:
        case {"size": int(size), "streams": int(streams), "root": str(root), **rest} if not rest and re.fullmatch(
            HASH, root
        ):
            if not 0 <= size < position:
                raise refused("heads_late", position, size=size)
            return Statement(position, size, streams, bytes.fromhex(root))
    raise refused("heads_form", position)


def _across(checked: Checked, statements: list[Statement], pages: Sequence[Path], events: int, hands: Hands) -> None:
    statements.sort(key=lambda statement: statement.size)
    buckets = 1 << scratch.bits_for(events)
    at_once = chains.sizes_at_once(checked.streams, buckets)
    for begin in range(0, max(1, len(statements)), at_once):
        some = statements[begin : begin + at_once]
        heads = chains.Heads(some)
        walk = partial(chains.walk, pages, [statement.size for statement in some])
        for walked in hands.answers(walk, range(buckets)):
            heads.add(walked.heads)
            if begin == 0:
                checked.doubts.take(walked.doubts)
        checked.doubts.take(heads.doubts())


def _page(folder: Path, number: int) -> Path:
    return folder / str(number)


@lru_cache(maxsize=4)
def _bodies(source: str, latest: str) -> Bodies:
    return Bodies(source, latest)
