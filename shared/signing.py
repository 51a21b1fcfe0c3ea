"""A service's way to the signer: the socket that the file system lets it open."""

import asyncio
import base64
from dataclasses import dataclass
from pathlib import Path

from shared.errors import MinewatchError
from shared.signer.door import KEY, short
from shared.signer.signer import Request
from shared.transparency.note import MOST_BYTES
from shared.witness.cosigner import Answer

PATIENCE = 10.0
"""Seconds for one answer."""


class SignerAway(MinewatchError):
    """签名程序没有应答。
    The signer does not answer."""


@dataclass(frozen=True)
class SignerAt:
    """The signer whose door is `socket`."""

    socket: Path

    async def public(self) -> bytes:
        """Its public key, 32 bytes. Raises SignerAway."""
        answer = await self._answer(KEY)
        if answer.status != 200:
            raise SignerAway(answer.body.strip())
        return base64.b64decode(answer.body)

    async def ask(self, request: Request) -> Answer:
        """As shared.signer.signer says. Raises SignerAway."""
        return await self._answer(bytes(request))

    async def _answer(self, body: bytes) -> Answer:
        try:
            async with asyncio.timeout(PATIENCE):
                with short(self.socket) as address:
                    reader, writer = await asyncio.open_unix_connection(address)
                try:
                    writer.write(body)
                    writer.write_eof()
                    said = await reader.read(MOST_BYTES)
                    while more := await reader.read(MOST_BYTES):
                        said += more
                finally:
                    writer.close()
        except OSError as error:  # TimeoutError too
            raise SignerAway(f"{self.socket.name}: {type(error).__name__}") from error
        status, _, text = said.decode("utf-8", "replace").partition("\n")
        if not status.isdigit():
            raise SignerAway(f"{self.socket.name}: it hung up")
        return Answer(int(status), text)
