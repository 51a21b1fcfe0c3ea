"""Sealed texts: what the contract marks is encrypted before the bytes are made, and opened after they were read.

AES-256-GCM over the text padded to whole 16 bytes, so that its length tells little. It is bound to event type, field, stream and
subject, so that it opens nowhere else; the type goes without its version, because an upcaster carries a text into the next
version as it is (a sealed field keeps its name there). GCM does not commit to its key, so an HMAC beside it does: nobody can
keep a second key that opens the same bytes to another name.
"""

import base64
import binascii
import functools
import hashlib
import hmac
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import BaseModel

from shared.contracts.event import Event, Sealed, SealedBy
from shared.identity.key_store import Key

BUCKET = 16


class Keys(Protocol):
    """What sealing asks of a key store."""

    @property
    def audiences(self) -> frozenset[str]: ...

    async def sealing_key(self, subject: str, audience: str, stream_id: str) -> Key: ...

    async def opening_keys(self, key_ids: Iterable[str]) -> dict[str, bytes]: ...


Tree = Mapping[str, Any]
"""Field name -> SealedBy, or the tree of a structure in that field; fields without sealed text are not in it."""

M = TypeVar("M", bound=BaseModel)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a text stands. `path`: "findings.0.summary"."""

    type: str
    path: str
    stream_id: str
    subject: str
    audience: str

    @property
    def bound_to(self) -> bytes:
        return "\x00".join((self.type.rpartition(".v")[0], self.path, self.stream_id, self.subject)).encode()


Change = Callable[[str | Sealed, _Place], str | Sealed]


async def seal(event: Event, stream_id: str, keys: Keys) -> dict[str, Any]:
    """The event's data for its envelope, every marked text a Sealed. Raises ValueError when the named subject is missing."""
    needed: dict[tuple[str, str], None] = {}

    def need(value: str | Sealed, at: _Place) -> str | Sealed:
        if isinstance(value, str):
            needed[at.subject, at.audience] = None
        return value

    _changed_event(event, stream_id, need)
    ready = {about: await keys.sealing_key(*about, stream_id) for about in needed}

    def close(value: str | Sealed, at: _Place) -> str | Sealed:
        return sealed(value, at.bound_to, ready[at.subject, at.audience]) if isinstance(value, str) else value

    return _changed_event(event, stream_id, close).model_dump(mode="json", exclude_none=True)


async def open_many(items: Sequence[tuple[Event, str]], keys: Keys) -> list[Event]:
    """The events of (event, stream id), in order; every text this store may open is str, the others stay Sealed.

    All keys that are not remembered are asked for in one query.
    """
    wanted: set[str] = set()

    def want(value: str | Sealed, at: _Place) -> str | Sealed:
        if isinstance(value, Sealed) and at.audience in keys.audiences:
            wanted.add(value.k)
        return value

    for event, stream_id in items:
        _changed_event(event, stream_id, want)
    secrets = await keys.opening_keys(wanted) if wanted else {}

    def open_(value: str | Sealed, at: _Place) -> str | Sealed:
        if isinstance(value, str) or value.k not in secrets:
            return value
        text = opened(value, at.bound_to, secrets[value.k])
        return value if text is None else text

    return [_changed_event(event, stream_id, open_) for event, stream_id in items]


def sealed_with(event: Event, stream_id: str) -> dict[str, str]:
    """Id of the key of each sealed text -> whom it is about."""
    found: dict[str, str] = {}

    def note(value: str | Sealed, at: _Place) -> str | Sealed:
        if isinstance(value, Sealed):
            found[value.k] = at.subject
        return value

    _changed_event(event, stream_id, note)
    return found


# ------------------------------------------------------------------------------------------------ one text


def sealed(text: str, bound_to: bytes, key: Key) -> Sealed:
    """Encrypts one text."""
    nonce = os.urandom(12)
    ciphertext = AESGCM(key.secret).encrypt(nonce, _padded(text.encode()), bound_to)
    committed = commitment(key.secret, nonce, ciphertext, bound_to)
    return Sealed(k=key.key_id, n=_to_text(nonce), c=_to_text(ciphertext), m=_to_text(committed))


def opened(value: Sealed, bound_to: bytes, secret: bytes) -> str | None:
    """The text; None when commitment, ciphertext or place do not fit this key."""
    try:
        nonce, ciphertext, committed = _to_bytes(value.n), _to_bytes(value.c), _to_bytes(value.m)
        if not hmac.compare_digest(committed, commitment(secret, nonce, ciphertext, bound_to)):
            return None
        return _unpadded(AESGCM(secret).decrypt(nonce, ciphertext, bound_to)).decode()
    except (InvalidTag, ValueError):
        return None


def commitment(secret: bytes, nonce: bytes, ciphertext: bytes, bound_to: bytes) -> bytes:
    """32 bytes, of texts and files; the parts of varying length are told apart by hashing the one and putting the other last."""
    made = hmac.new(secret, b"commit" + nonce + hashlib.sha256(bound_to).digest(), "sha256")
    made.update(ciphertext)
    return made.digest()


def _padded(text: bytes) -> bytes:
    """One byte 0x80, then zeros up to whole buckets."""
    return text + b"\x80" + bytes(-(len(text) + 1) % BUCKET)


def _unpadded(padded: bytes) -> bytes:
    text, mark, zeros = padded.rpartition(b"\x80")
    if not mark or zeros.strip(b"\x00"):
        raise ValueError("no padding")
    return text


def _to_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _to_bytes(text: str) -> bytes:
    """Raises ValueError for anything but base64url without padding, written in the one way there is."""
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except binascii.Error as error:
        raise ValueError("no base64url") from error
    if _to_text(raw) != text:
        raise ValueError("no canonical base64url")
    return raw


# ------------------------------------------------------------------------------------------------ walking an event


@functools.cache
def _tree(event: type[Event]) -> Tree:
    tree: dict[str, Any] = {}
    for path, marker in event.text_fields():
        if isinstance(marker, SealedBy):
            *outer, name = path.split(".")
            level = tree
            for part in outer:
                level = level.setdefault(part, {})
            level[name] = marker
    return tree


def _changed_event(event: Event, stream_id: str, change: Change) -> Event:
    return _changed(event, _tree(type(event)), event.type, "", stream_id, change)


def _changed(part: M, tree: Tree, type_: str, path: str, stream_id: str, change: Change) -> M:
    """A copy of `part` with `change` applied to each text in `tree`; `part` itself when nothing became different."""

    def walk(value: Any, below: Any, at: str) -> Any:
        if isinstance(value, tuple):
            items = tuple(walk(item, below, f"{at}.{nth}") for nth, item in enumerate(value))
            return items if any(new is not old for new, old in zip(items, value, strict=True)) else value
        if isinstance(below, SealedBy):
            if not isinstance(value, str | Sealed):
                return value
            return change(value, _Place(type_, at, stream_id, _subject(part, below, stream_id), below.audience))
        if isinstance(value, BaseModel):
            return _changed(value, below, type_, f"{at}.", stream_id, change)
        return value

    update: dict[str, Any] = {}
    for name, below in tree.items():
        old = getattr(part, name, None)
        new = walk(old, below, f"{path}{name}")
        if new is not old:
            update[name] = new
    return part.model_copy(update=update) if update else part


def _subject(part: BaseModel, marker: SealedBy, stream_id: str) -> str:
    if marker.by == "stream":
        return stream_id
    named = getattr(part, marker.by, None)
    if not isinstance(named, str):
        raise ValueError(f"{type(part).__name__}.{marker.by} must name whom the sealed text is about")
    return named
