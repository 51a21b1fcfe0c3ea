"""The logs of a whole demo, exported, with proofs of some of their events and sizes from the database."""

import asyncio
import base64
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.audit.folder import LogFolder
from shared.cli.stopped import reached
from shared.database import open_pool
from shared.proving import consistency_proof, inclusion_proof, root_at
from shared.settings import SERVICES
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint, proof_file
from shared.transparency.note import Note
from shared.transparency.policy import Policy

MINEWATCH = str(Path(sys.executable).parent / "minewatch")


@dataclass(frozen=True)
class Exported:
    """One service's folder; `log` and `witness`: the keys that signed it."""

    name: str
    folder: Path
    log: str
    witness: str
    policy: Path


def exported_demo(work: Path) -> Iterator[Exported]:
    """Lives through the campaign (some minutes), exports its logs, and gives them one after another."""
    data, export = work / "town", work / "export"
    _minewatch("demo", "--exit", "--data", str(data), "--port", "0")
    policy = data / "policy"  # from now on only what the witness signed as well
    policy.write_text(policy.read_text("utf-8").replace("\nquorum none\n", "\nquorum own\n"), "utf-8")
    why = ("--reason", "crosscheck", "--as", "p-auditor-1", "--wait", "0")
    _minewatch("audit", "export", "--to", str(export), "--data", str(data), *why)
    # The verifier takes no quorum that counts the town's own; Go still checks the witness.
    policy.write_text(policy.read_text("utf-8").replace("\nquorum own\n", "\nquorum none\n"), "utf-8")
    asyncio.run(_with_proofs(data, export))
    trusted = Policy.read(policy.read_text("utf-8"))
    for name in SERVICES:
        checkpoint = LogFolder(export / name).checkpoint()
        assert checkpoint is not None
        log = next(key for key in trusted.logs if key.name == checkpoint.origin)
        yield Exported(name, export / name, str(log), str(trusted.witnesses["own"]), policy)


def _minewatch(*words: str) -> None:
    done = subprocess.run([MINEWATCH, *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(
            f"minewatch {' '.join(words)} left with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
        )


async def _with_proofs(data: Path, export: Path) -> None:
    async with reached(data) as settings_of:
        for name in SERVICES:
            pool = await open_pool(settings_of(name).app_dsn, 1)
            try:
                async with pool.acquire() as connection:
                    note = LogFolder(export / name).note()
                    assert note is not None
                    await _write_proofs(Tx(connection), export / name, note)
            finally:
                await pool.close()


async def _write_proofs(tx: Tx, folder: Path, note: Note) -> None:
    """As logs.py writes them, but from what the sequencer kept."""
    size = Checkpoint.read(note.text).size
    for kind in ("inclusion", "consistency"):
        (folder / kind).mkdir()
    for index in {0, 1, size // 3, 255, 256, size - 1} & set(range(size)):
        path = await inclusion_proof(tx, index + 1, size)
        (folder / "inclusion" / f"{index}.tlog-proof").write_text(proof_file(index, path, note), "utf-8")
    for old in {1, 2, 255, 256, size // 2, size} & set(range(1, size + 1)):
        proof = [await root_at(tx, old), *await consistency_proof(tx, old, size)]
        lines = ["consistency", f"index {old}", *(base64.b64encode(hashed).decode() for hashed in proof)]
        (folder / "consistency" / str(old)).write_text("\n".join(lines), "utf-8")
