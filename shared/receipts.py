"""Signed receipts: what a command recorded, confirmed to whoever sent it before any checkpoint covers it.

    minewatch-receipt/1
    ORIGIN
    RECORDEDAT          as in the envelope
    LEAF                base64, a line for each event

It is a signed note by a key of the service named ORIGIN/receipts. With the event itself it proves that this log promised to hold
it. It holds leaves and no identifiers: a receipt which is found says when which service recorded something, not what, or by whom.
Whoever has the record as well finds the event by its leaf. The same key signs the pages of an evidence pack
(shared/verifier/pack_pages.py has the form).
"""

import base64
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from shared.contracts.envelope import moment
from shared.transparency.note import LOG, Key, Line, Note

FORM = "minewatch-receipt/1"
MOST_LEAVES = 64
"""In one receipt: a header of some 4 kB, which every proxy passes on. No command of a person records as many."""


@dataclass(frozen=True)
class Fact:
    """What a receipt says of an event."""

    leaf: bytes
    recorded_at: datetime


recorded: ContextVar[list[Fact] | None] = ContextVar("recorded", default=None)
"""The facts that commands of the present request recorded, where somebody wants to know."""


def note_recorded(facts: Sequence[Fact]) -> None:
    """Tells whoever answers the request."""
    if (wanted := recorded.get()) is not None:
        wanted += facts


def receipt_key(secret: bytes, service: str) -> Ed25519PrivateKey:
    """Derived from the service's root secret: one key less to keep, and the same in each of its processes."""
    derived = HKDF(SHA256(), 32, None, f"minewatch/{service}/receipts/1".encode()).derive(secret)
    return Ed25519PrivateKey.from_private_bytes(derived)


@dataclass(frozen=True)
class Receipts:
    """`origin`: the log's present name."""

    origin: str
    private: Ed25519PrivateKey

    @cached_property
    def key(self) -> Key:
        return Key(f"{self.origin}/receipts", LOG, self.private.public_key().public_bytes_raw())

    @cached_property
    def _key_id(self) -> bytes:
        return self.key.id

    def receipt(self, facts: Sequence[Fact]) -> Note:
        """Of what one request recorded; `facts` not empty. It says the time of the last."""
        leaves = [base64.b64encode(fact.leaf).decode() for fact in facts[:MOST_LEAVES]]
        return self.signed(FORM, self.origin, moment(facts[-1].recorded_at), *leaves)

    def signed(self, *lines: str) -> Note:
        """The first line says what form it is; no two forms share it."""
        text = "\n".join([*lines, ""])
        return Note(text, (Line(self.key.name, self._key_id, self.private.sign(text.encode())),))

    def header(self, facts: Sequence[Fact]) -> str:
        """The receipt as the value of Signed-Receipt."""
        return base64.b64encode(str(self.receipt(facts)).encode()).decode()
