"""What a service's store asks of the keys: seal what the contract seals, open what this service may read."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from shared.contracts.envelope import Recorded
from shared.contracts.event import Event
from shared.identity import sealing
from shared.identity.key_store import KeyStore
from shared.identity.sealed_file import SealedFile

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
        """As it is kept (SealedFile), under the key of the stream."""
        key = await self.keys.sealing_key(stream_id, FILES, stream_id)
        return bytes(SealedFile.of(content, stream_id, key))

    async def open_bytes(self, content: bytes, stream_id: str) -> bytes | None:
        """The plain bytes; None when the key is gone or does not fit."""
        file = SealedFile.read(content)
        secret = (await self.keys.opening_keys([file.key_id])).get(file.key_id)
        return None if secret is None else file.opened(stream_id, secret)
