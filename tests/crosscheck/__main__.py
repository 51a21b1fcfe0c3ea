"""`make audit-crosscheck`: our logs, checked by code that nobody here wrote.

Go's sumdb/note and sumdb/tlog (Debian: golang-go, golang-golang-x-mod-dev) read every entry, tile and proof; @sigstore/verify
(npm) reads checkpoints and inclusion proofs. Both must accept what is right and refuse what is forged: logs of sizes where trees
and tiles change their shape, and the logs of a whole demo, exported. Those our own verifier has to judge in the same way.
Exit code 1 when anybody disagrees; when all agree, it is written down for which sources (sources.py).
"""

import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from tests.crosscheck import sources
from tests.crosscheck.demo import exported_demo
from tests.crosscheck.logs import LOG_KEY, WITNESS_KEY, Log, forged, some_entries

HERE = Path(__file__).parent
SIZES = (1, 255, 256, 257, 65_537)
GO_SOURCES = "/usr/share/gocode"


@dataclass(frozen=True)
class Shown:
    """A log to be judged, and whose signatures it must have. `policy`: the same as a file, for our own verifier; None for logs
    whose entries are no events, which it does not read."""

    what: str
    folder: Path
    log: str
    witness: str
    policy: Path | None = None


class Verifiers:
    """`unseen`: forgeries that one of them cannot see, because it does not read what was forged."""

    unseen = frozenset({
        ("@sigstore/verify", "other_entry"), ("@sigstore/verify", "other_tile"), ("minewatch", "other_proof"),
    })  # fmt: skip

    def __init__(self, work: Path) -> None:
        self._go = _go(work)
        self._environment = os.environ | {"SIGSTORE": str(_node(work))}
        self.wrong = 0

    def judge(self, log: Shown, right: bool, forgery: str = "") -> None:
        """Each of them has to say that it is right, or that it is not."""
        commands = {
            "Go sumdb": [str(self._go), str(log.folder), log.log, log.witness],
            "@sigstore/verify": ["node", str(HERE / "check.mjs"), str(log.folder), log.log],
        }
        if log.policy is not None:
            verify = ["-m", "shared.cli.main", "audit", "verify", str(log.folder), "--policy", str(log.policy)]
            commands["minewatch"] = [sys.executable, *verify]
        for name, words in commands.items():
            if (name, forgery) in self.unseen:
                continue
            done = subprocess.run(words, capture_output=True, text=True, env=self._environment)
            fits = (done.returncode == 0) == right
            said = (done.stdout or done.stderr).strip().splitlines()[-1:]
            print(
                f"{'ok   ' if fits else 'WRONG'} {name}: {log.what}{' ' + forgery if forgery else ''}: {' '.join(said)}",
                flush=True,
            )
            self.wrong += not fits

    def judge_forged(self, log: Shown, copies: Path) -> None:
        for forgery, copy in forged(log.folder, copies):
            self.judge(Shown(log.what, copy, log.log, log.witness, log.policy), right=False, forgery=forgery)


def main() -> int:
    for tool, package in (("go", "golang-go golang-golang-x-mod-dev"), ("npm", "npm"), ("node", "nodejs")):
        if shutil.which(tool) is None:
            print(f"{tool} is not there. On Debian: apt-get install --no-install-recommends {package}", file=sys.stderr)
            return 1
    before = sources.digest()
    with tempfile.TemporaryDirectory(prefix="minewatch-crosscheck-") as name:
        work = Path(name)
        verifiers = Verifiers(work)
        for size in SIZES:
            log = Log(work / f"log-{size}", some_entries(size))
            log.write()
            shown = Shown(f"{size} entries", log.folder, str(LOG_KEY), str(WITNESS_KEY))
            verifiers.judge(shown, right=True)
            if size == 257:
                verifiers.judge_forged(shown, work / "forged")
        for service in exported_demo(work):
            shown = Shown(f"the demo's {service.name}", service.folder, service.log, service.witness, service.policy)
            verifiers.judge(shown, right=True)
            if service.name == "cases":
                verifiers.judge_forged(shown, work / "forged")
    if verifiers.wrong:
        print(f"{verifiers.wrong} disagreed")
        return 1
    sources.AGREED.write_text(f"{before}\n", "utf-8")
    print(f"all agree; {sources.AGREED.name} says so, and is to be committed")
    return 0


def _go(work: Path) -> Path:
    environment = os.environ | {"GO111MODULE": "off", "GOPATH": GO_SOURCES, "GOCACHE": str(work / "go-cache")}
    subprocess.run(["go", "build", "-o", work / "check", HERE / "check.go"], env=environment, check=True)
    return work / "check"


def _node(work: Path) -> Path:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(HERE / name, work)
    subprocess.run(["npm", "ci", "--silent", "--no-audit", "--no-fund"], cwd=work, check=True)
    return work


if __name__ == "__main__":
    sys.exit(main())
