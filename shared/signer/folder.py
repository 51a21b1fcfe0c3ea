"""A signer's folder: its key, its memory, the logs it signs for, and the door at which it is asked.

DIR/key.pem (0600)   the private key         DIR/logs          JURISDICTION/SERVICE a line, # before remarks
DIR/state.sqlite     what it signed          DIR/socket (0600) where services ask

Who may open the socket may ask: the file system says who that is, so there is no secret to hand out and no port. Where services
run in containers of their own, the socket lies in a folder that is lent to them (`serve --socket`), and the key is not in it.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.signer.memory import Memory
from shared.signer.signer import Signer
from shared.witness.folder import FolderRefused
from shared.witness.key_file import keep_key, read_key
from shared.witness.state import StateMissing

REMARK = "# the logs that are signed here, JURISDICTION/SERVICE a line\n"


@dataclass(frozen=True)
class SignerFolder:
    path: Path

    @property
    def socket(self) -> Path:
        return self.path / "socket"

    @property
    def made(self) -> bool:
        return (self.path / "key.pem").exists()

    def make(self, logs: Iterable[str]) -> None:
        """A new signer with a key of its own. Raises FolderRefused where there is one already, or where there is no log."""
        wanted = list(logs)
        if not wanted or any(log.count("/") != 1 or not all(log.split("/")) for log in wanted):
            raise FolderRefused(f"a log is JURISDICTION/SERVICE, not {' '.join(wanted) or 'nothing'}")
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        if any(self.path.iterdir()):
            raise FolderRefused(f"{self.path} is not empty; every signer has a folder and a key of its own")
        self.path.chmod(0o700)
        Memory.make(self.path / "state.sqlite").close()
        (self.path / "logs").write_text(REMARK + "".join(f"{log}\n" for log in wanted), "utf-8")
        keep_key(self.path / "key.pem", Ed25519PrivateKey.generate())  # last: with it the folder is whole

    def open(self) -> Signer:
        """Raises FolderRefused."""
        try:
            private = read_key(self.path / "key.pem")
            lines = (self.path / "logs").read_text("utf-8").splitlines()
            logs = {line.strip() for line in lines if line.strip() and not line.startswith("#")}
            return Signer(private, logs, Memory(self.path / "state.sqlite"), lambda: int(time.time()))
        except (OSError, ValueError, StateMissing) as error:
            raise FolderRefused(f"{self.path} holds no signer that can work: {error}") from error
