"""The ways in which a text may lie in a file: other characters for the same, and bytes for the characters.

Everything is compared squeezed: ASCII letters small; spaces, marks and zero bytes left out. So one needle stands for both cases
of hex, percent- and \\u-escapes; for quoted-printable, which is hex with "=" between; for both alphabets of base64, in lines
or not; and for digits with spaces, dashes, dots or the zero bytes of UTF-16 between them.
"""

import base64
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

SMALL = bytes.maketrans(bytes(range(0x41, 0x5B)), bytes(range(0x61, 0x7B)))
LEFT_OUT = bytes(b for b in range(0x7F) if not chr(b).isalnum() and (b >= 0x20 or b in b"\0\t\n\r"))

LEAST, LEAST_ASCII = 7, 10
"""Bytes of the shortest needle, and of one that is letters and digits alone: texts are full of those."""


def squeezed(content: bytes) -> bytes:
    """What is searched; byte for byte, so that a part of the content becomes a part of the result."""
    return content.translate(SMALL, LEFT_OUT)


@dataclass(frozen=True)
class Planted:
    """A text that must not be found. `least`: characters of the shortest run of it that is looked for, None for all of it."""

    what: str
    text: str
    least: int | None = None

    def runs(self) -> list[str]:
        """Every run of `least` characters; whoever finds none of them finds no longer one either."""
        least = self.least or len(self.text)
        return [self.text[at : at + least] for at in range(len(self.text) - least + 1)]


WIDE = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}
SPOKEN: Mapping[str, str] = {"〇": "〇一二三四五六七八九", "零": "零一二三四五六七八九", "幺": "零幺二三四五六七八九"}
"""Chinese numerals for 0 to 9, named after what tells them apart; one to nine alike in all but the 一 of a number read aloud."""


def written(text: str) -> Iterator[tuple[str, str]]:
    """(name of the way, the text in other characters), itself first."""
    yield "as it is", text
    yield "backwards", text[::-1]
    if any(c.isascii() for c in text):
        yield "full-width", text.translate(WIDE)
    if text.isascii() and text.isdigit():
        for name, numerals in SPOKEN.items():
            yield f"numerals with {name}", "".join(numerals[int(digit)] for digit in text)


CHARSETS = ("utf-8", "utf-16-le", "utf-16-be", "gb18030")

ESCAPES: Mapping[str, Callable[[str], str]] = {
    "JSON escapes": lambda c: "".join(f"u{unit:04x}" for unit in _utf16(c)),
    "decimal entities": lambda c: str(ord(c)),
    "hex entities": lambda c: f"x{ord(c):x}",
    "per cent": lambda c: c.encode().hex(),
    "\\x escapes": lambda c: "".join(f"x{byte:02x}" for byte in c.encode()),
    "Python's escapes": lambda c: f"x{ord(c):02x}" if ord(c) < 256 else f"u{ord(c):04x}",
    "octal escapes": lambda c: "".join(f"{byte:03o}" for byte in c.encode()),
}
"""Name -> what becomes of one character, squeezed."""


def _escaped(text: str, escape: Callable[[str], str], all_of_it: bool) -> bytes:
    return "".join(c if c.isascii() and c.isalnum() and not all_of_it else escape(c) for c in text).encode()


def _utf16(text: str) -> list[int]:
    raw = text.encode("utf-16-be")
    return [int.from_bytes(raw[at : at + 2], "big") for at in range(0, len(raw), 2)]


def base64_inside(raw: bytes, before: int) -> bytes:
    """What base64 makes of `raw` wherever it stands behind `before` (mod 3) bytes, without what depends on its neighbours."""
    drawn = base64.b64encode(bytes(before) + raw).rstrip(b"=")
    first = -(-before * 8 // 6)
    whole = (before + len(raw)) * 8 // 6
    return drawn[first:whole]


def spellings(text: str) -> Iterator[tuple[str, bytes]]:
    """(name, squeezed bytes) of every way of writing `text` that is long enough to mean something."""
    for way, told in written(text):
        for name, raw in _bytes_of(told):
            needle = squeezed(raw)
            if len(needle) >= (LEAST_ASCII if needle.isascii() else LEAST):
                yield f"{way}, {name}", needle


def _bytes_of(text: str) -> Iterator[tuple[str, bytes]]:
    for charset in CHARSETS:
        raw = text.encode(charset)
        yield charset, raw
        yield f"{charset} in hex", raw.hex().encode()
        for before in range(3):
            yield f"{charset} in base64 at {before}", base64_inside(raw, before)
    for name, escape in ESCAPES.items():
        yield name, _escaped(text, escape, all_of_it=True)
        yield f"{name} but for letters", _escaped(text, escape, all_of_it=False)
        yield f"{name} but for ASCII", _escaped(squeezed(text.encode()).decode(), escape, all_of_it=False)
    in_json = json.dumps(text)[1:-1].encode()
    for before in range(3):
        yield f"JSON in base64 at {before}", base64_inside(in_json, before)
