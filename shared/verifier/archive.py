"""The verifier as one file, `minewatch-verify.pyz`: the sources of this package and of what it stands on, readable, and the same
bytes for the same sources.
"""

import io
import zipfile
from importlib import resources

NAME = "minewatch-verify.pyz"
FORMATS = ("note", "checkpoint", "checking", "policy")
"""The modules of shared.transparency that this package stands on."""
DAY = (2026, 1, 1, 0, 0, 0)
START = '''\
"""python minewatch-verify.pyz PATH --policy FILE: verifies an export, an evidence pack, a proof or a receipt. See --help."""

import sys


def say(chinese, english):
    sys.stderr.write(chinese + "\\n" + english + "\\n")
    raise SystemExit(2)


if __name__ == "__main__":
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(encoding="utf-8", errors="backslashreplace")
    if sys.version_info < (3, 11):
        say("需要 Python 3.11 或更新版本", "Python 3.11 or later is needed")
    try:
        import cryptography.hazmat.primitives.asymmetric.ed25519
    except ImportError:
        say("需要程序包 cryptography：pip install cryptography", "the package cryptography is needed: pip install cryptography")
    from shared.verifier.program import main

    raise SystemExit(main(sys.argv[1:]))
'''


def sources() -> dict[str, bytes]:
    """Name in the archive -> content."""
    shared = resources.files("shared")
    found = {"shared/__init__.py": b"", "shared/transparency/__init__.py": b"", "__main__.py": START.encode()}
    for name in FORMATS:
        found[f"shared/transparency/{name}.py"] = shared.joinpath(f"transparency/{name}.py").read_bytes()
    for each in shared.joinpath("verifier").iterdir():
        if each.name.endswith(".py"):
            found[f"shared/verifier/{each.name}"] = each.read_bytes()
    return dict(sorted(found.items()))


def build() -> bytes:
    """The archive; write it to a file of any name and start it with Python."""
    written = io.BytesIO()
    with zipfile.ZipFile(written, "w", zipfile.ZIP_STORED) as archive:
        for name, content in sources().items():
            entry = zipfile.ZipInfo(name, DAY)
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, content)
    return written.getvalue()
