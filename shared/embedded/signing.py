"""The signer of an embedded town, and a witness for show: child processes with folders of their own.

They are what they are elsewhere, but on the machine and in the account of whoever keeps the record: this witness shows how it is
done, and proves nothing against that person. DIR/policy says so, and is where witnesses of others are added.
"""

import asyncio
import contextlib
import logging
import signal
import sys
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import ClassVar

import httpx

from shared.checkpoints import origin_of
from shared.embedded.ports import LOOPBACK
from shared.embedded.processes import (
    Access,
    EmbeddedServer,
    ServerDidNotStart,
    keep_running,
    write_private,
)
from shared.service import Service
from shared.signer.folder import SignerFolder
from shared.signing import SignerAt, SignerAway
from shared.sql import Tx
from shared.transparency.note import LOG, Key
from shared.witness.folder import FolderRefused, WitnessFolder

LAST_CHECKPOINTS = 3.0
"""Seconds that signer and witnesses get when the town stops."""

log = logging.getLogger(__name__)

POLICY = """\
# 谁的签名算数（C2SP tlog-policy）。 Whose signatures count.
#
# 下面的见证程序与本程序在同一台机器上，由同一人保管，只作演示：它不能证明记录的保管者没有改动记录。请公安、国土、纪检等
# 部门各自运行 minewatch witness，把它们的公钥写在这里，例如三取二，并把最后一行改为 quorum outside。
# The witness below runs on this machine, in the same hands as the record: it is here for show, and proves nothing against the
# record's own owner. Have other departments run `minewatch witness`, and name their keys here, two of three for instance:
#
#   witness police VKEY https://police.example/
#   witness land   VKEY https://land.example/
#   witness county VKEY https://county.example/
#   group outside 2 police land county
#   quorum outside             instead of the line below; this town's own witness is never in the group
#
# Lines `log` are added by minewatch: one key for the checkpoints of each service, one for its receipts, anew after a restore.
"""


class EmbeddedSigner(EmbeddedServer):
    """Signs what its socket is asked for; no port, no secret: the folder is nobody else's."""

    name = "signer"
    patience = 20.0
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5.0),)

    def __init__(self, folder: Path, run_dir: Path, logs: Iterable[str]) -> None:
        super().__init__(folder, run_dir, run_dir / "signer.access.json", run_dir / "signer.log", None)
        self._logs = list(logs)

    @property
    def at(self) -> SignerAt:
        return SignerAt(SignerFolder(self.folder).socket)

    async def _prepare(self) -> None:
        self.make()

    def make(self) -> None:
        """Its folder and key, if need be. Raises ServerDidNotStart."""
        try:
            if not SignerFolder(self.folder).made:
                SignerFolder(self.folder).make(self._logs)
        except (FolderRefused, OSError) as error:
            raise ServerDidNotStart(self.name, str(error)) from error

    def _command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "shared.signer", str(self.folder)]

    async def _answers(self) -> bool:
        with contextlib.suppress(SignerAway):
            return len(await self.at.public()) == 32
        return False

    def _listen(self, known: int | None) -> None:
        """The socket lies in the folder."""

    def _listens(self) -> bool:
        return True


class EmbeddedWitness(EmbeddedServer):
    """Signs what extends what it signed for the logs that `introduce` told it of."""

    name = "witness"
    patience = 20.0
    stop_steps: ClassVar[tuple[tuple[signal.Signals, float], ...]] = ((signal.SIGTERM, 5.0),)

    def __init__(self, folder: Path, run_dir: Path, town: str) -> None:
        super().__init__(folder, run_dir, run_dir / "witness.access.json", run_dir / "witness.log", None)
        self._town = town

    @property
    def url(self) -> str:
        """Also before it runs: the port is chosen, and kept."""
        if self._access is None:
            self.run_dir.mkdir(parents=True, exist_ok=True)
            self._access = Access.kept_in(self._access_path, None)
        return f"http://{LOOPBACK}:{self._access.port}"

    def introduce(self, logs: Iterable[Key]) -> Key:
        """Makes it, if need be, and tells it of the logs, to be heard when it is started; its key. Raises FolderRefused."""
        folder = WitnessFolder(self.folder)
        if not (self.folder / "key.pem").exists():
            folder.make(f"{self._town}/own-witness")  # a name of the town's: not counted as another's
        known = (self.folder / "logs").read_text("utf-8").splitlines()
        fresh = [str(log) for log in logs if str(log) not in known]
        write_private(self.folder / "logs", "\n".join([*known, *fresh, ""]))
        return folder.open()[1]

    async def _prepare(self) -> None:
        """`introduce` did."""

    def _command(self) -> list[str]:
        return [sys.executable, "-P", "-m", "shared.witness", str(self.folder), str(self.access.port)]

    def _ran(self) -> str:
        """It reads its logs when it starts."""
        return super()._ran() + (self.folder / "logs").read_text("utf-8")

    async def _answers(self) -> bool:
        async with httpx.AsyncClient(timeout=2) as http:
            with contextlib.suppress(httpx.HTTPError):
                return (await http.get(self.url)).is_success
        return False


async def started_and_kept(server: EmbeddedServer) -> None:
    """Until cancelled. A town runs without its signer; the log waits to be signed, and status says so."""
    with contextlib.suppress(asyncio.CancelledError):
        try:
            await server.start()
        except (ServerDidNotStart, OSError) as failure:
            log.error("%s", failure)
        await keep_running(server)


async def introduced(
    services: Collection[Service], signer: EmbeddedSigner, witness: EmbeddedWitness, policy: Path
) -> None:
    """Tells the witness and the policy of every log under its present name, as far as the signer says its key."""
    logs: list[Key] = []
    receipts: list[Key] = []
    public = await _public(signer)
    for service in services:
        async with service.pool.acquire() as connection:
            origin = await origin_of(Tx(connection), service.settings.jurisdiction, service.name)
        receipts.append(service.log_signing.receipts_of(origin).key)
        if public is not None:
            logs.append(Key(origin, LOG, public))
    try:
        shown = witness.introduce(logs)
    except (FolderRefused, OSError) as failure:
        log.error("%s", failure)
        shown = None
    write_policy(policy, [*logs, *receipts], shown, witness.url)


async def _public(signer: EmbeddedSigner) -> bytes | None:
    """Its key, when it is there within some seconds."""
    for _ in range(100):
        with contextlib.suppress(SignerAway):
            return await signer.at.public()
        await asyncio.sleep(0.05)
    return None


async def signed_to_the_end(services: Collection[Service]) -> None:
    """One more checkpoint of each log before its service stops, with the lines of the witnesses that answer at once."""

    async def last(service: Service) -> None:
        signing = service.log_signing
        if signing.checkpointer is not None:
            await signing.checkpointer.once(every=0)
            await asyncio.gather(*(witness.once() for witness in signing.gatherers), return_exceptions=True)

    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(LAST_CHECKPOINTS):
            await asyncio.gather(*(last(service) for service in services), return_exceptions=True)


def write_policy(file: Path, logs: Iterable[Key], witness: Key | None, url: str) -> None:
    """The policy as it is, or a new one, with these logs and this witness in it. What a person wrote into it stays."""
    own = [f"witness own {witness} {url}"] if witness is not None else []
    lines = file.read_text("utf-8").splitlines() if file.exists() else [*POLICY.splitlines(), *own, "quorum none"]
    lines = [own[0] if own and line.split()[:2] == ["witness", "own"] else line for line in lines]
    known = {word for line in lines for word in line.split()}
    lines += [f"log {log}" for log in logs if str(log) not in known]
    write_private(file, "\n".join([*lines, ""]))
