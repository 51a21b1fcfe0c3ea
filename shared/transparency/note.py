"""Signed notes (C2SP signed-note): a text, and lines that sign it, in a form other people's tools read.

    — <name> <base64 of 4 bytes of key id ‖ signature>

Two kinds of keys: 0x01, the log's own, signs the text; 0x04, a witness's, signs the text and the time of signing
(C2SP tlog-cosignature). A line of an unknown key is passed over; a known key's line that does not fit spoils the note.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

LOG, WITNESS = 0x01, 0x04
MOST_BYTES = 1_000_000
MOST_LINES = 100


class NoteRefused(ValueError):
    """What was given is no note, or a known key did not sign it."""


@dataclass(frozen=True)
class Key:
    """A public key under a name. `kind`: LOG or WITNESS; `public`: 32 bytes of Ed25519."""

    name: str
    kind: int
    public: bytes

    def __post_init__(self) -> None:
        if not self.name or "+" in self.name or any(c.isspace() for c in self.name):
            raise NoteRefused(f"a key's name is one word without a plus, not {self.name!r}")
        if self.kind not in (LOG, WITNESS) or len(self.public) != 32:
            raise NoteRefused(f"{self.name} is no Ed25519 key of a log or a witness")

    @property
    def id(self) -> bytes:
        return hashlib.sha256(f"{self.name}\n".encode() + bytes([self.kind]) + self.public).digest()[:4]

    def __str__(self) -> str:
        """The vkey: name+hex of the id+base64 of kind and public key."""
        return f"{self.name}+{self.id.hex()}+{_b64(bytes([self.kind]) + self.public)}"

    @staticmethod
    def read(vkey: str) -> "Key":
        """Raises NoteRefused."""
        parts = vkey.strip().split("+", 2)  # base64 has pluses of its own
        if len(parts) != 3:
            raise NoteRefused("a key is written name+id+base64")
        material = _unb64(parts[2])
        key = Key(parts[0], material[0] if material else 0, material[1:])
        if key.id.hex() != parts[1]:
            raise NoteRefused(f"{parts[0]}: the id is not that of the key")
        return key


@dataclass(frozen=True)
class Line:
    name: str
    id: bytes
    signature: bytes

    def __str__(self) -> str:
        return f"— {self.name} {_b64(self.id + self.signature)}\n"


@dataclass(frozen=True)
class Note:
    """`text` ends in a newline."""

    text: str
    lines: tuple[Line, ...]

    def __str__(self) -> str:
        return f"{self.text}\n{''.join(map(str, self.lines))}"

    @staticmethod
    def read(written: bytes) -> "Note":
        """Raises NoteRefused."""
        if len(written) > MOST_BYTES:
            raise NoteRefused(f"a note has at most {MOST_BYTES} bytes")
        try:
            whole = written.decode("utf-8")
        except UnicodeDecodeError:
            raise NoteRefused("a note is UTF-8") from None
        if any(c < " " and c != "\n" for c in whole):
            raise NoteRefused("a note holds no control characters")
        text, blank, signed = whole.rpartition("\n\n")
        if not blank or not signed.endswith("\n") or not text:
            raise NoteRefused("a note is a text, an empty line, and lines that sign it")
        lines = [_line(line) for line in signed[:-1].split("\n")]
        if len(lines) > MOST_LINES:
            raise NoteRefused(f"a note has at most {MOST_LINES} signatures")
        return Note(text + "\n", tuple(lines))

    def signed_by(self, keys: Iterable[Key]) -> dict[Key, int | None]:
        """The keys, of those given, that signed; a witness's with its time (seconds since 1970). Raises NoteRefused when the
        line of one of them does not fit."""
        found: dict[Key, int | None] = {}
        for key in keys:
            for line in self.lines:
                if (line.name, line.id) == (key.name, key.id):
                    found[key] = _checked(key, line.signature, self.text)
        return found


def sign(text: str, name: str, private: Ed25519PrivateKey) -> Line:
    """The log's line under `text`."""
    key = Key(name, LOG, private.public_key().public_bytes_raw())
    return Line(name, key.id, private.sign(text.encode()))


def cosign(text: str, name: str, private: Ed25519PrivateKey, at: int) -> Line:
    """A witness's line under `text`, at `at` seconds since 1970."""
    key = Key(name, WITNESS, private.public_key().public_bytes_raw())
    return Line(name, key.id, at.to_bytes(8, "big") + private.sign(_with_time(text, at)))


def _with_time(text: str, at: int) -> bytes:
    return f"cosignature/v1\ntime {at}\n{text}".encode()


def _checked(key: Key, signature: bytes, text: str) -> int | None:
    at: int | None = None
    message = text.encode()
    if key.kind == WITNESS:
        at, signature = int.from_bytes(signature[:8], "big"), signature[8:]
        message = _with_time(text, at)
    try:
        Ed25519PublicKey.from_public_bytes(key.public).verify(signature, message)
    except (InvalidSignature, ValueError):
        raise NoteRefused(f"the signature of {key.name} does not fit") from None
    return at


def _line(line: str) -> Line:
    words = line.split(" ")
    if len(words) != 3 or words[0] != "—" or not words[1] or "+" in words[1]:
        raise NoteRefused(f"no signature line: {line[:80]!r}")
    signed = _unb64(words[2])
    if len(signed) < 5:
        raise NoteRefused(f"the signature of {words[1]} is too short")
    return Line(words[1], signed[:4], signed[4:])


def _b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def _unb64(written: str) -> bytes:
    """Raises NoteRefused for anything but the one right form."""
    try:
        raw = base64.b64decode(written, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or _b64(raw) != written:
        raise NoteRefused("no canonical base64")
    return raw
