"""Whether all that the lock files name installs on 64-bit ARM: `python -m tests.release.wheels [LOCK …]`, or `make check-arm64`.

pip itself answers, from whatever index it is set up with: it resolves each lock for CPython on Linux aarch64, as on Debian 12,
takes wheels only and checks their hashes against the lock. Nothing is installed; wheels land in pip's cache.
"""

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements.lock", "deploy/requirements.lock", "requirements-bench.lock")
PYTHONS = ("3.11", "3.12", "3.13")
GLIBC = range(17, 37)
"""Minor versions of the C library that a wheel may ask for; Debian 12 has 2.36."""
PLATFORMS = ("linux_aarch64", "manylinux2014_aarch64", *(f"manylinux_2_{minor}_aarch64" for minor in GLIBC))
NONE_FOUND = re.compile(r"No matching distribution found for ([A-Za-z0-9._-]+)")
OTHER_HASH = re.compile(r"^\s+([A-Za-z0-9._-]+)==\S+ from ", re.MULTILINE)


def wanted(lock: str, python: str) -> dict[str, str]:
    """name → its lines of the lock, hashes included, for those that ARM needs; markers are judged for there, not for here."""
    there = {
        "implementation_name": "cpython",
        "os_name": "posix",
        "platform_machine": "aarch64",
        "platform_python_implementation": "CPython",
        "platform_system": "Linux",
        "python_full_version": f"{python}.0",
        "python_version": python,
        "sys_platform": "linux",
    }
    found = {}
    for entry in re.split(r"\n(?=\S)", lock.strip()):
        head, *hashes = (line.strip().removesuffix("\\").strip() for line in entry.splitlines())
        one = Requirement(head)
        if one.marker is None or one.marker.evaluate(there):
            found[one.name] = " ".join((f"{one.name}{one.specifier}", *hashes))
    return found


def missing(lock: str, python: str) -> tuple[list[str], list[str]]:
    """(file names of the wheels found, packages that have none with a hash of the lock). Raises RuntimeError when pip fails."""
    left = wanted(lock, python)
    without: list[str] = []
    while True:
        with tempfile.TemporaryDirectory() as folder:
            asked = Path(folder, "asked.txt")
            asked.write_text("\n".join(left.values()) + "\n", "utf-8")
            words = [
                "install",
                "--quiet",
                "--dry-run",
                "--ignore-installed",
                "--no-deps",
                "--report",
                f"{folder}/report",
            ]
            words += ["--require-hashes", "--only-binary", ":all:", "--target", f"{folder}/nothing"]
            words += ["--implementation", "cp", "--python-version", python]
            words += [word for platform in PLATFORMS for word in ("--platform", platform)]
            words += ["--requirement", str(asked)]
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *words]
            done = subprocess.run(pip, capture_output=True, text=True, check=False)
            if done.returncode == 0:
                told = json.loads(Path(folder, "report").read_text("utf-8"))
                return [one["download_info"]["url"].rsplit("/", 1)[-1] for one in told["install"]], without
        names = {each.group(1) for each in (*NONE_FOUND.finditer(done.stderr), *OTHER_HASH.finditer(done.stderr))}
        gone = [name for name in left if name.lower() in {each.lower() for each in names}]
        if not gone:
            raise RuntimeError(done.stderr)
        without += [left.pop(name).split(" ", 1)[0] for name in gone]


def main() -> int:
    parser = argparse.ArgumentParser(description="Is there a wheel for ARM64 for everything the lock files name?")
    parser.add_argument("locks", nargs="*", type=Path, metavar="LOCK")
    locks = parser.parse_args().locks or [ROOT / lock for lock in LOCKS if (ROOT / lock).exists()]
    wrong = 0
    for lock in locks:
        for python in PYTHONS:
            began = time.monotonic()
            wheels, without = missing(lock.read_text("utf-8"), python)
            own = [wheel for wheel in wheels if "aarch64" in wheel]
            print(
                f"{lock.name} CPython {python} aarch64: {len(wheels)} wheels, {len(own)} of them compiled for it,"
                f" {len(without)} missing ({time.monotonic() - began:.0f} s)"
            )
            for name in without:
                print(f"  {name}: no wheel whose hash the lock lists")
            wrong += len(without)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
