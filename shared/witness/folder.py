"""A witness's folder: its key, its memory, and the logs it knows.

DIR/key.pem (0600)   the private key         DIR/logs          a log's vkey a line, # before remarks
DIR/state.sqlite     its memory              DIR/name          its name on the lines it signs
"""

import time
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency.note import LOG, WITNESS, Key, NoteRefused
from shared.witness.cosigner import Cosigner
from shared.witness.key_file import keep_key, read_key
from shared.witness.memory import WitnessMemory
from shared.witness.state import StateMissing


class FolderRefused(RuntimeError):
    """The folder holds no witness, or one that cannot work; says the file."""


@dataclass(frozen=True)
class WitnessFolder:
    path: Path

    def make(self, name: str) -> Key:
        """A new witness with a key of its own; the public key. Raises FolderRefused where there is one already, NoteRefused for a
        name that cannot stand on a line."""
        private = Ed25519PrivateKey.generate()
        key = Key(name, WITNESS, private.public_key().public_bytes_raw())
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(self.path.iterdir()):
            raise FolderRefused(f"{self.path} is not empty; every witness has a folder and a key of its own")
        keep_key(self.path / "key.pem", private)
        (self.path / "name").write_text(name, "utf-8")
        (self.path / "logs").write_text("# the vkey of a log a line, as its operator gives it\n", "utf-8")
        WitnessMemory.make(self.path / "state.sqlite").close()
        return key

    def open(self) -> tuple[Cosigner, Key]:
        """Raises FolderRefused."""
        try:
            name = (self.path / "name").read_text("utf-8").strip()
            private = read_key(self.path / "key.pem")
            key = Key(name, WITNESS, private.public_key().public_bytes_raw())
            cosigner = Cosigner(name, private, self._logs(), self.state(), lambda: int(time.time()))
        except (OSError, ValueError, StateMissing) as error:
            raise FolderRefused(f"{self.path} holds no witness that can work: {error}") from error
        return cosigner, key

    def state(self) -> WitnessMemory:
        """Raises StateMissing."""
        return WitnessMemory(self.path / "state.sqlite")

    def _logs(self) -> dict[str, list[Key]]:
        logs: dict[str, list[Key]] = {}
        for line in (self.path / "logs").read_text("utf-8").splitlines():
            if line.strip() and not line.startswith("#"):
                key = Key.read(line)
                if key.kind != LOG:
                    raise NoteRefused(f"{key.name} is no key of a log")
                logs.setdefault(key.name, []).append(key)
        return logs
