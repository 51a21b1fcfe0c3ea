"""`python -m shared.witness FOLDER PORT`: the same as `minewatch witness serve` on loopback."""

import sys
from pathlib import Path

from shared.witness.folder import FolderRefused
from shared.witness.serving import serve

if __name__ == "__main__":
    try:
        serve(Path(sys.argv[1]), "127.0.0.1", int(sys.argv[2]), lambda line: print(line, flush=True))
    except FolderRefused as error:
        sys.exit(str(error))
