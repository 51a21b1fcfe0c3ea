"""Which sources decide what a log, its proofs and its export look like, and for which state of them others last agreed.

A fresh checkout knows nothing of earlier runs, so the crosscheck leaves a digest of the sources that it checked, to be committed
with them. When they change, a test fails and says what to run, and .ci/run runs it. `python -m tests.crosscheck.sources` leaves
with 1 when it is time.
"""

import hashlib
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
AGREED = Path(__file__).with_name("agreed")
SOURCES = (
    "shared/transparency", "shared/verifier", "shared/signer", "shared/witness", "shared/audit", "shared/proving.py",
    "shared/sequencer.py", "shared/checkpoints.py", "shared/checkpointer.py", "shared/cosigning.py", "shared/receipts.py",
    "shared/contracts/envelope.py", "shared/web/log_api.py", "shared/migrations/versions/0001_kernel.py",
    "shared/migrations/versions/0003_tree.py", "shared/migrations/versions/0004_checkpoints.py",
    "tests/crosscheck",
)  # fmt: skip
REMEDY = "the log's code changed since other people's verifiers last agreed with it: run make audit-crosscheck, commit agreed"


def digest(root: Path = ROOT) -> str:
    """SHA-256 over path and content of each of them."""
    whole = hashlib.sha256()
    for path in sorted(each for name in SOURCES for each in _files(root / name)):
        content = path.read_bytes()
        whole.update(f"{path.relative_to(root).as_posix()} {len(content)}\n".encode() + content)
    return whole.hexdigest()


def fresh() -> bool:
    return AGREED.exists() and AGREED.read_text("utf-8").strip() == digest()


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path] if path.exists() else []
    found = [each for each in path.rglob("*") if each.is_file()]
    return [each for each in found if each.suffix in (".py", ".go", ".mjs", ".json")]


if __name__ == "__main__":
    if not fresh():
        sys.exit(REMEDY)
