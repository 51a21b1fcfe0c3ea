"""Signs the logs of a town as a signer and a witness would, and takes packs apart."""

import asyncio
import io
import zipfile
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.checkpoints import origin_of
from shared.ending import ended
from shared.service import Service
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, cosign, sign

HEAD = "SELECT position, root FROM work.head"
KEEP = "INSERT INTO record.checkpoint (origin, size, root, note) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING"
COSIGNED = "INSERT INTO record.cosignature (origin, size, witness, line, at) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING"


@dataclass
class Pen:
    """Signs every log as soon as it has grown; with `witnessing` a witness signs too. Whoever holds `alone` is not signed for."""

    services: Mapping[str, Service]
    witnessing: bool = True
    log: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    witness: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    origins: set[str] = field(default_factory=set)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    @asynccontextmanager
    async def signing(self) -> AsyncIterator[None]:
        task = asyncio.create_task(self._run())
        try:
            yield
        finally:
            await ended([task])

    async def _run(self) -> None:
        while True:
            async with self.alone:
                for service in self.services.values():
                    await self.once(service)
            await asyncio.sleep(0.05)

    async def once(self, service: Service) -> None:
        async with service.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            tx = Tx(connection)
            head = await tx.one(HEAD)
            assert head is not None
            if head["position"] == 0:
                return
            origin = await origin_of(tx, service.settings.jurisdiction, service.name)
            self.origins.add(origin)
            text = str(Checkpoint(origin, head["position"], head["root"]))
            await tx.run(KEEP, (origin, head["position"], head["root"], f"{text}\n{sign(text, origin, self.log)}"))
            if self.witnessing:
                line = cosign(text, "witness.test/police", self.witness, int(datetime.now(UTC).timestamp()))
                await tx.run(COSIGNED, (origin, head["position"], "witness.test/police", str(line), datetime.now(UTC)))

    def policy(self) -> str:
        """What somebody who has got the keys by another way writes."""
        logs = [str(Key(origin, LOG, self.log.public_key().public_bytes_raw())) for origin in sorted(self.origins)]
        witness = Key("witness.test/police", WITNESS, self.witness.public_key().public_bytes_raw())
        return "".join(f"log {key}\n" for key in logs) + f"witness police {witness}\nquorum police\n"


def unpacked(pack: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def packed(files: Mapping[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def events_of(files: Mapping[str, bytes], service: str = "cases") -> list[str]:
    return sorted(name for name in files if name.startswith(f"{service}/events/"))
