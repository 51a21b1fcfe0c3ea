"""Looks for planted texts in any number of bytes, in every spelling, also inside compressed streams.

How: each needle is cut into blocks of eight bytes at its first eight offsets, so that wherever it lies, one block lies at a
multiple of eight; short needles likewise into blocks of four. Python's own set then looks up every such place in C, whatever
the number of needles: two thousand of them in about 100 MB a second of a town's folder.
"""

import base64
import binascii
import bz2
import lzma
import mmap
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from tests.support.spellings import Planted, spellings, squeezed

PIECE = 8 * 1024 * 1024
WINDOW = 512
"""Blocks that are looked up at once."""
LARGE = 64 * 1024 * 1024
"""Bytes from which a file is mapped and not read; looking for a string in a map is slower."""
EMPTY_PAGE = bytes(8192)
DEEP = 4
"""How far streams within streams are followed."""
MOST = 256 * 1024 * 1024
"""Bytes that are taken out of one compressed stream."""

BASE64 = re.compile(rb"[A-Za-z0-9+/_\-\s]+")

Content = bytes | mmap.mmap


class Blocks:
    """`kind`: "Q" for blocks of eight bytes, "I" for four; no needle is shorter than two blocks less one byte."""

    def __init__(self, kind: str, needles: Iterable[bytes]) -> None:
        self._kind, self._size = kind, struct.calcsize(kind)
        self._at: dict[int, list[tuple[int, bytes]]] = {}
        for needle in needles:
            for offset in range(self._size):
                (block,) = struct.unpack_from(kind, needle, offset)
                self._at.setdefault(block, []).append((offset, needle))
        self._all = frozenset(self._at)

    def found_in(self, piece: bytes) -> Iterator[bytes]:
        """The needles in it."""
        words = memoryview(piece + bytes(-len(piece) % self._size)).cast(self._kind)  # type: ignore[call-overload]
        for start in range(0, len(words), WINDOW):
            window = words[start : start + WINDOW]
            if self._all.isdisjoint(window):
                continue
            for nth, word in enumerate(window, start):
                for offset, needle in self._at.get(word, ()):
                    at = nth * self._size - offset
                    if at >= 0 and piece.startswith(needle, at):
                        yield needle


class Search:
    """`tails`: what -> digits too few to look for inside other digits; found only where no letter or digit stands beside them."""

    def __init__(self, planted: Iterable[Planted], tails: dict[str, str] | None = None) -> None:
        self.needles: dict[bytes, str] = {}
        for one in planted:
            for run in one.runs():
                for name, needle in spellings(run):
                    self.needles.setdefault(needle, f"{one.what} ({name})")
        self._tails = {what: (digits.encode(), digits.encode("utf-16-le")) for what, digits in (tails or {}).items()}
        self._longest = max(map(len, self.needles))
        self._blocks = (
            Blocks("Q", [needle for needle in self.needles if len(needle) >= 15]),
            Blocks("I", [needle for needle in self.needles if len(needle) < 15]),
        )

    def in_file(self, path: Path) -> set[str]:
        """What is found in the file."""
        if path.stat().st_size < LARGE:
            return self.in_bytes(without_empty_pages(path.read_bytes()))
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            return self.in_bytes(content)

    def in_bytes(self, content: Content, deep: int = 0) -> set[str]:
        """What is found, in words."""
        found = self._squeezed_in(content) | self._tails_in(content)
        if deep < DEEP:
            for kind, inner in opened(content):
                found |= {f"{what} in {kind}" for what in self.in_bytes(inner, deep + 1)}
        return found

    def _squeezed_in(self, content: Content) -> set[str]:
        found: set[str] = set()
        before = b""
        for start in range(0, len(content), PIECE):
            piece = before + squeezed(content[start : start + PIECE])
            found |= {self.needles[needle] for blocks in self._blocks for needle in blocks.found_in(piece)}
            before = piece[-self._longest :]
        return found

    def _tails_in(self, content: Content) -> set[str]:
        return {
            f"{what} (alone)"
            for what, ways in self._tails.items()
            for digits in ways
            for at in _places(content, digits)
            if not content[max(0, at - 2) : at].strip(b"\0")[-1:].isalnum()
            and not content[at + len(digits) : at + len(digits) + 2].strip(b"\0")[:1].isalnum()
        }


def without_empty_pages(content: bytes) -> bytes:
    """Of a database's files three quarters are zeros."""
    if len(content) <= len(EMPTY_PAGE):
        return content
    pages = (content[at : at + len(EMPTY_PAGE)] for at in range(0, len(content), len(EMPTY_PAGE)))
    return b"".join(page for page in pages if page != EMPTY_PAGE)


def _places(content: Content, wanted: bytes) -> Iterator[int]:
    at = content.find(wanted)
    while at >= 0:
        yield at
        at = content.find(wanted, at + 1)


# ------------------------------------------------------------------------------------------------ compressed streams


def opened(content: Content) -> Iterator[tuple[str, bytes]]:
    """(kind, what is in it) of every compressed stream, wherever it begins; of a damaged or cut one what can still be had.

    No zstd: nothing here writes it and Python 3.11 cannot read it, so a file of it is an error. Raises ValueError.
    """
    if content[:4] == b"\x28\xb5\x2f\xfd":
        raise ValueError("a zstd stream: it cannot be opened, so it cannot be searched")
    for kind, beginning, make, skipped in STREAMS:
        for at in _places(content, beginning):
            if inner := _inflated(content, at + skipped(content, at), make):
                yield kind, inner
    for beginning in (b"H4sI", b"UEsDB"):  # the same in base64: gzip, zip
        for at in _places(content, beginning):
            if inner := _decoded(content, at):
                yield "base64", inner


def _inflated(content: Content, at: int, make: Callable[[], "Inflater"]) -> bytes:
    inflater, taken = make(), bytearray()
    try:
        while at < len(content) and not inflater.eof and len(taken) < MOST:
            taken += inflater.decompress(content[at : at + 16384])
            at += 16384
    except (zlib.error, lzma.LZMAError, OSError, EOFError):
        pass
    return bytes(taken) if len(taken) >= 8 else b""


def _member(content: Content, at: int) -> int:
    """Where the data of a zip's member begins, from its local header."""
    header = content[at : at + 30]
    name, extra = struct.unpack("<HH", header[26:30]) if len(header) == 30 else (0, 0)
    return 30 + int(name) + int(extra)


def _decoded(content: Content, at: int) -> bytes:
    """The bytes of the base64 that begins here; none when its beginning is no compressed stream."""
    if not any(opened(_from_base64(content[at : at + 1024]))):
        return b""
    found = BASE64.match(content, at)
    return _from_base64(found[0]) if found else b""


def _from_base64(text: bytes) -> bytes:
    plain = re.sub(rb"\s", b"", text).translate(bytes.maketrans(b"-_", b"+/"))
    try:
        return base64.b64decode(plain[: len(plain) // 4 * 4])
    except binascii.Error:
        return b""


def _at_once(_: Content, __: int) -> int:
    return 0


class Inflater:  # what zlib's, bz2's and lzma's objects have in common
    eof: bool

    def decompress(self, data: bytes) -> bytes:
        raise NotImplementedError


STREAMS: tuple[tuple[str, bytes, Callable[[], Inflater], Callable[[Content, int], int]], ...] = (
    ("gzip", b"\x1f\x8b\x08", lambda: zlib.decompressobj(31), _at_once),
    *(("zlib", b"\x78" + level, zlib.decompressobj, _at_once) for level in (b"\x01", b"\x5e", b"\x9c", b"\xda")),
    ("zip", b"PK\x03\x04", lambda: zlib.decompressobj(-15), _member),
    ("bzip2", b"BZh91AY&SY", bz2.BZ2Decompressor, _at_once),
    ("xz", b"\xfd7zXZ\x00", lzma.LZMADecompressor, _at_once),
)  # type: ignore[assignment]
