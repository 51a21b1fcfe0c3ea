"""A file as it is kept: sealed under the key of its stream, and since 0.2 with a commitment to that key, as texts have one.

    MARK · key id (36) · nonce (12) · commitment (32) · ciphertext        bound to "file" and the stream
           key id (36) · nonce (12) ·                   ciphertext        before 0.2: bound to the stream

A key id is a UUID in text, which never begins with MARK. The two are bound to different words, so that what was sealed in the
new form opens in no other: taking MARK and commitment away makes no old file of it. Whoever has the key can still seal the old
way, and gains nothing by it, because the event in the log names the content by its SHA-256, and files.py gives out no other.
"""

import hmac
import os
from dataclasses import dataclass

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.identity.key_store import Key
from shared.identity.sealing import commitment

MARK = b"\x02"
ID, NONCE, COMMITMENT = 36, 12, 32


@dataclass(frozen=True)
class SealedFile:
    """`committed`: None in the form from before 0.2."""

    key_id: str
    nonce: bytes
    committed: bytes | None
    ciphertext: bytes

    @staticmethod
    def of(content: bytes, stream_id: str, key: Key) -> "SealedFile":
        nonce, place = os.urandom(NONCE), _place(stream_id)
        ciphertext = AESGCM(key.secret).encrypt(nonce, content, place)
        return SealedFile(key.key_id, nonce, commitment(key.secret, nonce, ciphertext, place), ciphertext)

    @staticmethod
    def read(kept: bytes) -> "SealedFile":
        """Of any bytes; what is no sealed file has the id of no key, or does not open."""
        with_mark = kept[: len(MARK)] == MARK
        at = len(MARK) if with_mark else 0
        key_id, nonce, rest = kept[at : at + ID], kept[at + ID : at + ID + NONCE], kept[at + ID + NONCE :]
        committed, ciphertext = (rest[:COMMITMENT], rest[COMMITMENT:]) if with_mark else (None, rest)
        return SealedFile(key_id.decode("ascii", "replace"), nonce, committed, ciphertext)

    def __bytes__(self) -> bytes:
        if self.committed is None:
            return self.key_id.encode() + self.nonce + self.ciphertext
        return MARK + self.key_id.encode() + self.nonce + self.committed + self.ciphertext

    def opened(self, stream_id: str, secret: bytes) -> bytes | None:
        """The plain bytes; None when commitment, ciphertext or stream do not fit this key."""
        place = stream_id.encode() if self.committed is None else _place(stream_id)
        if self.committed is not None:
            expected = commitment(secret, self.nonce, self.ciphertext, place)
            if not hmac.compare_digest(self.committed, expected):
                return None
        try:
            return AESGCM(secret).decrypt(self.nonce, self.ciphertext, place)
        except (InvalidTag, ValueError):
            return None


def _place(stream_id: str) -> bytes:
    """No event's type is `file`, so that no text has this place; no stream's name holds a zero, so that no old file has it."""
    return b"\x00".join((b"file", stream_id.encode()))
