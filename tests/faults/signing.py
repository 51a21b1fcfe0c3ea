"""Who signs the town's logs: a signer and a witness, each a process of its own with a folder of its own, and what a person tells
them. What they remember is read here, for the checks."""

import sqlite3
from collections.abc import Iterable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from shared.checkpoints import origin_of
from shared.embedded.processes import write_private
from shared.settings import SERVICES
from shared.signer.folder import SignerFolder
from shared.sql import Tx
from shared.transparency.note import LOG, Key
from shared.witness.folder import WitnessFolder
from shared.witness.key_file import read_key
from tests.faults.town import Town

POLICE = "police.example"

SIGNED = "SELECT origin, size, root FROM signed JOIN log ON log.id = signed.log"
LATEST = "SELECT origin, size, root FROM latest"
REFUSED = "SELECT why FROM refused ORDER BY rowid"
KEPT = "SELECT why FROM kept WHERE why NOT LIKE 'what was signed last has size %' AND why NOT LIKE 'old %' ORDER BY at"
"""Of the witness. Two who ask at once contradict nothing: one of them knows an older size."""


@dataclass(frozen=True)
class Signing:
    """What signer and witness remember. `signed`: (origin, size) -> root, all of them; `cosigned`: origin -> (size, root), the
    last of each; the reasons of what they refused."""

    signer: bytes
    witness: Key
    signed: dict[tuple[str, int], bytes]
    cosigned: dict[str, tuple[int, bytes]]
    refused: tuple[str, ...]


def make(folder: Path, jurisdiction: str, port: int) -> None:
    """Both, and the policy by which the services ask them; the witness knows no log yet."""
    SignerFolder(folder / "signer").make(f"{jurisdiction}/{service}" for service in SERVICES)
    key = WitnessFolder(folder / "witness").make(POLICE)
    (folder / "policy").write_text(f"witness police {key} http://127.0.0.1:{port}\nquorum police\n", "utf-8")


async def introduce(town: Town) -> None:
    """Tells the witness every log under its present name; it reads that when it starts. Raises OSError and PostgresError."""
    keys = []
    for service in town.services:
        async with town.database(service) as connection:
            origin = await origin_of(Tx(connection), town.jurisdiction, service)
        keys.append(Key(origin, LOG, public_of(town.folder / "signer")))
    runs = "witness" in town.supervisor.running
    if told(town.folder / "witness", keys) and runs:
        await town.supervisor.hold(["witness"], polite=True)
        await town.supervisor.want(["witness"])


def told(witness: Path, keys: Iterable[Key]) -> bool:
    """Whether any of them was new to the witness in this folder."""
    known = (witness / "logs").read_text("utf-8")
    lines = "".join(f"{key}\n" for key in keys if str(key) not in known)
    if lines:
        write_private(witness / "logs", known + lines)
    return bool(lines)


def public_of(signer: Path) -> bytes:
    return read_key(signer / "key.pem").public_key().public_bytes_raw()


def read_signing(signer: Path, witness: Path) -> Signing:
    """Of the folders; both programs may run."""
    with (
        closing(sqlite3.connect(signer / "state.sqlite")) as memory,
        closing(sqlite3.connect(witness / "state.sqlite")) as state,
    ):
        return Signing(
            signer=public_of(signer),
            witness=WitnessFolder(witness).open()[1],
            signed={(origin, size): root for origin, size, root in memory.execute(SIGNED)},
            cosigned={origin: (size, root) for origin, size, root in state.execute(LATEST)},
            refused=tuple(why for (why,) in (*memory.execute(REFUSED), *state.execute(KEPT))),
        )
