"""What a service's store asks of the keys: seal what the contract seals, open what this service may read."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.identity import sealing
from shared.identity.key_store import KeyStore

FILES = "office"


@dataclass(frozen=True)
class ServiceSealer:
    keys: KeyStore

    async def seal(self, event: Event, stream_id: str) -> dict[str, Any]:
        """The event's data as it will stand in the bytes. New keys are committed before this returns."""
        return await sealing.seal(event, stream_id, self.keys)

    async def open(self, recorded: Sequence[Recorded[Any]]) -> list[Recorded[Any]]:
        """The same events with every text opened that this service's audience may read."""
        opened = await sealing.open_many([(r.event, r.stream_id) for r in recorded], self.keys)
        return [replace(r, event=event) for r, event in zip(recorded, opened, strict=True)]

    async def seal_bytes(self, content: bytes, stream_id: str) -> bytes:
        """Key id (36 bytes), nonce (12), ciphertext; bound to the stream."""
        key = await self.keys.sealing_key(stream_id, FILES, stream_id)
        nonce = os.urandom(12)
        return key.key_id.encode() + nonce + AESGCM(key.secret).encrypt(nonce, content, stream_id.encode())

    async def open_bytes(self, content: bytes, stream_id: str) -> bytes | None:
        """The plain bytes; None when the key is gone or does not fit."""
        key_id = content[:36].decode("ascii", "replace")
        secret = (await self.keys.opening_keys([key_id])).get(key_id)
        if secret is None:
            return None
        try:
            return AESGCM(secret).decrypt(content[36:48], content[48:], stream_id.encode())
        except (InvalidTag, ValueError):
            return None
