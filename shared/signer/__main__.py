"""`python -m shared.signer FOLDER [SOCKET]`: the same as `minewatch signer serve`, without the command line."""

import sys
from pathlib import Path

from shared.signer.door import serve
from shared.signer.folder import SignerFolder
from shared.witness.folder import FolderRefused


def main(folder: Path, socket: Path | None = None) -> None:
    """Raises FolderRefused."""
    signer = SignerFolder(folder).open()
    where = socket or SignerFolder(folder).socket
    for _ in serve(signer, where):
        print(f"ready {where} {len(signer.logs)} logs", flush=True)


if __name__ == "__main__":
    try:
        main(*map(Path, sys.argv[1:]))
    except FolderRefused as error:
        sys.exit(str(error))
