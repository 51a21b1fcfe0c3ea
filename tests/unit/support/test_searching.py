"""The search for a planted informant finds what it is meant to find, however it is written and whatever it lies in.

The encoders here are not those of the search: a mistake in one is not hidden by the same in the other.
"""

import base64
import bz2
import gzip
import html
import io
import json
import lzma
import os
import quopri
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import quote

import pytest

from tests.support import telling
from tests.support.searching import PIECE, Search
from tests.support.spellings import LEAST, LEAST_ASCII, Planted, spellings

NAME, PHONE, TAIL = "欧阳查无此", "13987650123", "87650123"
WORDS = "磨盘沟第三棵槐树后面夜里有铲车"
PINYIN, TONES = "ouyang chawuci", "ōuyáng cháwúcǐ"
SEARCH = Search(
    [
        Planted("name", NAME),
        Planted("phone", PHONE, 10),
        Planted("words", WORDS, 6),
        Planted("pinyin", PINYIN),
        Planted("pinyin with tones", TONES),
    ],
    {"tail": TAIL},
)
NOISE = os.urandom(1024)  # a chance hit is as likely as guessing an eight-byte number

ENCODINGS: Mapping[str, Callable[[str], bytes]] = {
    "utf-8": str.encode,
    "utf-8 with a mark": lambda text: text.encode("utf-8-sig"),
    "utf-16 with a mark": lambda text: text.encode("utf-16"),
    "utf-16-le": lambda text: text.encode("utf-16-le"),
    "utf-16-be at an odd place": lambda text: b"\0" + text.encode("utf-16-be"),
    "utf-32": lambda text: text.encode("utf-32-le"),
    "gb18030": lambda text: text.encode("gb18030"),
    "gbk in hex": lambda text: text.translate(MARKS).encode("gbk").hex().encode(),
    "base64": lambda text: base64.b64encode(text.encode()),
    "base64 after one byte": lambda text: base64.b64encode(b"{" + text.encode() + b"}"),
    "base64 after two bytes": lambda text: base64.b64encode(b'{"' + text.encode() + b'"}'),
    "base64 for addresses": lambda text: base64.urlsafe_b64encode(b"??>" + text.encode()).rstrip(b"="),
    "base64 in lines": lambda text: base64.encodebytes(b"x" * 45 + text.encode() * 2),
    "base64 in short lines": lambda text: b"\r\n".join(_in_lines(base64.b64encode(text.encode() * 3), 8)),
    "base64 of utf-16": lambda text: base64.b64encode(b'"' + (text * 2).encode("utf-16-le")),
    "base64 of JSON": lambda text: base64.b64encode(json.dumps({"a": text * 2}).encode()) if not text.isascii() else b"",
    "hex": lambda text: text.encode().hex().encode(),
    "HEX in pairs": lambda text: text.encode().hex(" ").upper().encode(),
    "hex dump with colons": lambda text: text.encode().hex(":").encode(),
    "JSON": lambda text: json.dumps(text).encode(),
    "JSON in capitals": lambda text: json.dumps(text).upper().encode(),
    "JSON in JSON": lambda text: json.dumps(json.dumps(text)).encode(),
    "JSON, every character": lambda text: "".join(f"\\u{ord(c):04X}" for c in text).encode(),
    "Python's bytes": lambda text: repr(text.encode()).encode(),
    "Python's ascii": lambda text: ascii(text).encode(),
    "decimal entities": lambda text: text.encode("ascii", "xmlcharrefreplace"),
    "hex entities": lambda text: "".join(f"&#x{ord(c):X};" for c in text).encode(),
    "escaped for html": lambda text: html.escape(f"<{text}>").encode(),
    "per cent": lambda text: quote(text).encode(),
    "small per cent": lambda text: quote(text).lower().encode(),
    "quoted-printable": lambda text: quopri.encodestring(b"x" * 60 + text.encode()),
    "octal": lambda text: "".join(f"\\{b:03o}" for b in text.encode()).encode(),
    "full-width": lambda text: "".join(chr(ord(c) + 0xFEE0) if c.isalnum() and c.isascii() else c for c in text).encode(),
    "backwards": lambda text: text[::-1].encode(),
    "a mail": lambda text: _mail(text).as_bytes(),
}  # fmt: skip

MARKS = str.maketrans("ǐ", "ǐ")


def _in_lines(text: bytes, length: int) -> list[bytes]:
    return [text[at : at + length] for at in range(0, len(text), length)]


def _mail(text: str) -> EmailMessage:
    mail = EmailMessage()
    mail["Subject"] = text
    mail.set_content(f"see {text}", charset="utf-8", cte="base64")
    return mail


@pytest.mark.parametrize("text", [NAME, PHONE, WORDS, PINYIN, TONES])
@pytest.mark.parametrize("way", ENCODINGS)
def test_every_encoding_is_found(way: str, text: str) -> None:
    written = ENCODINGS[way](text)
    if written:
        assert SEARCH.in_bytes(NOISE + written + NOISE), written


DIGITS = {
    "with spaces": "139 8765 0123",
    "with dashes": "139-8765-0123",
    "with dots": "139.8765.0123",
    "with everything": "(+86) 1 3 9 8-7.6 5_0 1/2 3",
    "full-width": "１３９８７６５０１２３",
    "as numerals": "一三九八七六五〇一二三",
    "as numerals with 零": "一三九八七六五零一二三",
    "as it is read out": "幺三九八七六五零幺二三",
    "without the first": "3987650123",
    "without the last": "1398765012",
}


@pytest.mark.parametrize("way", DIGITS)
def test_a_phone_is_found_however_its_digits_are_written(way: str) -> None:
    assert SEARCH.in_bytes(NOISE + DIGITS[way].encode() + NOISE)
    assert SEARCH.in_bytes(json.dumps({"a": DIGITS[way]}).encode())
    assert SEARCH.in_bytes(DIGITS[way].encode("utf-16-le"))


@pytest.mark.parametrize("charset", ["ascii", "utf-16-le"])
def test_the_last_eight_digits_are_found_alone_but_not_inside_another_number(charset: str) -> None:
    assert SEARCH.in_bytes(f"尾号 {TAIL}，".encode("utf-8" if charset == "ascii" else charset))
    assert SEARCH.in_bytes(f'"{TAIL}"'.encode(charset)) and SEARCH.in_bytes(TAIL.encode(charset))
    assert not SEARCH.in_bytes(f"1{TAIL}".encode(charset)) and not SEARCH.in_bytes(f"{TAIL}4f".encode(charset))


@pytest.mark.parametrize("at", range(len(WORDS) - 5))
def test_any_six_characters_of_the_words_are_found(at: int) -> None:
    for way in ("utf-8", "utf-16-le", "gb18030", "base64 after one byte", "JSON", "per cent", "quoted-printable"):
        assert SEARCH.in_bytes(ENCODINGS[way](f"某{WORDS[at : at + 6]}等")), way


PARTS = ("欧阳查", "阳查无", "查无此", "歐陽查", "陽查無", "查無此", "cháwúcǐ", "cha2wu2ci3")


@pytest.mark.parametrize("part", PARTS)
def test_a_part_of_the_name_is_found_where_an_informants_is_looked_for(part: str) -> None:
    """Three characters, the given name among them, in each spelling that makes enough bytes of so few."""
    ways = ["utf-8", "per cent", "hex", "quoted-printable", "JSON"]
    ways += [] if part.isascii() else ["utf-8 with a mark", "JSON, every character", "decimal entities", "backwards"]
    for way in ways:
        assert telling.SEARCH.in_bytes(ENCODINGS[way](f"某{part}等")), way
        assert telling.SEARCH.in_bytes(gzip.compress(ENCODINGS[way](f"某{part}等"))), way
    assert not telling.SEARCH.in_bytes(f"某{part[:2]}等".encode())


def test_five_characters_of_the_words_and_a_surname_are_not_enough_to_mean_something() -> None:
    assert not SEARCH.in_bytes(WORDS[:5].encode() + b"|" + WORDS[6:11].encode())
    assert not SEARCH.in_bytes("欧阳某，139****0123，ouyang".encode())


def _zipped(content: bytes) -> bytes:
    kept = io.BytesIO()
    with zipfile.ZipFile(kept, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("first.txt", "nothing " * 50)
        archive.writestr("folder/second.json", content)
    return kept.getvalue()


def _tarred(content: bytes) -> bytes:
    kept = io.BytesIO()
    with tarfile.open(fileobj=kept, mode="w:gz") as archive:
        member = tarfile.TarInfo("a")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return kept.getvalue()


CONTAINERS: Mapping[str, Callable[[bytes], bytes]] = {
    "nothing": bytes,
    "the middle of a file": lambda content: NOISE + content + NOISE,
    "gzip": gzip.compress,
    "zlib, quick": lambda content: zlib.compress(content, 1),
    "zlib, not so quick": lambda content: zlib.compress(content, 3),
    "zlib": zlib.compress,
    "zlib, best": lambda content: zlib.compress(content, 9),
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "zip": _zipped,
    "tar.gz": _tarred,
    "gzip in the middle of a file": lambda content: NOISE + gzip.compress(content) + NOISE,
    "a cut gzip": lambda content: gzip.compress(content + os.urandom(40_000))[:-3000],
    "a zip in a zip": lambda content: _zipped(_zipped(content)),
    "gzip in base64 in lines": lambda content: b'{"data": "' + base64.encodebytes(gzip.compress(content)) + b'"}',
    "a zip in base64 for addresses": lambda content: b"/x?f=" + base64.urlsafe_b64encode(_zipped(content)),
}


@pytest.mark.parametrize("container", CONTAINERS)
@pytest.mark.parametrize("way", ["utf-8", "utf-16-le", "gb18030", "base64 after two bytes", "JSON", "hex entities"])
def test_every_container_is_opened(container: str, way: str, tmp_path: Path) -> None:
    content = CONTAINERS[container](b"x" * 300 + ENCODINGS[way](WORDS) + b"y" * 300)
    assert SEARCH.in_bytes(content)
    kept = tmp_path / "kept"
    kept.write_bytes(content)
    assert SEARCH.in_file(kept) == SEARCH.in_bytes(content)
    kept.write_bytes(CONTAINERS[container](b"x" * 600))
    assert SEARCH.in_file(kept) == set()


@pytest.mark.parametrize("shift", range(9))
def test_it_is_found_at_every_place_also_across_the_pieces_of_a_large_file(shift: int) -> None:
    written = ENCODINGS["utf-16-le"](WORDS[:6])
    for before in (shift, PIECE - 12 + shift):
        assert SEARCH.in_bytes(b"\xaa" * before + written)


def test_what_cannot_be_opened_is_an_error_and_not_a_clean_file() -> None:
    with pytest.raises(ValueError, match="zstd"):
        SEARCH.in_bytes(b"\x28\xb5\x2f\xfd" + NOISE)


def test_noise_and_an_empty_file_hold_nothing(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    noise = os.urandom(1 << 20)
    assert SEARCH.in_file(tmp_path / "empty") == set()
    counted = "".join(map(str, range(99_999))).encode()
    for content in (noise, noise.hex().encode(), base64.b64encode(noise), bytes(1 << 20), counted):
        assert SEARCH.in_bytes(content) == set()


@pytest.mark.parametrize("text", [NAME, PHONE[1:], WORDS[:6], PINYIN, TONES])
def test_every_spelling_is_long_enough_to_mean_something(text: str) -> None:
    made = list(spellings(text))
    assert len(made) > 40
    assert all(len(needle) >= (LEAST_ASCII if needle.isascii() else LEAST) for _, needle in made)
