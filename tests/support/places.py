"""Where a town keeps bytes: every table, every file, every process, and what it says to the outside.

A place is a name and its contents, as they are at this moment. Nothing in the town's folder belongs to no place.
"""

import os
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

from shared.settings import SERVICES
from tests.support.searching import Content, Search
from tests.support.town import Town

DATABASES = (*SERVICES, "keys", "postgres")
"""Those of every town; whatever else lies on its server is searched as well."""

FILES = {
    "postgres/cluster/pg_wal/": "WAL",
    "postgres/cluster/base/pgsql_tmp/": "temporary files",
    "postgres/cluster/base/": "heap",
    "postgres/cluster/global/": "heap",
    "postgres/cluster/": "cluster",
    "postgres/logs/": "Postgres log",
    "postgres/": "cluster",
    "nats/": "JetStream",
    "run/nats.log": "NATS log",
    "run/": "run",
    "logs/minewatch.jsonl": "program log",
    "logs/traces.jsonl": "traces",
    "temp/": "temp",
    "keys/": "keys folder",
    "plans/": "plans",
    "": "the rest of the folder",
}
"""Beginning of a path in the town's folder -> the place it belongs to; the first that fits."""

TABLES = """
SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast') ORDER BY 1
"""
LOOKS = ("pg_catalog.pg_stats", "pg_catalog.pg_stat_activity", "pg_catalog.pg_largeobject", "pg_catalog.pg_description")
"""Beside the tables: samples that ANALYZE keeps of columns, statements that run, large objects."""


COPIES = r"SELECT datname FROM pg_database WHERE datname LIKE 'minewatch\_scratch\_%'"


@dataclass
class Places:
    """`outside`: what the town sent or answered, place -> contents; `taken`: a folder of what was taken out of it, one folder a
    place; `processes`: pids to look at beside the town's own.

    `seen`: place -> bytes of it that the last search went through.
    """

    town: Town
    taken: Path
    outside: dict[str, list[bytes]] = field(default_factory=dict)
    processes: list[int] = field(default_factory=list)
    seen: Counter[str] = field(default_factory=Counter)

    def sent(self, place: str, content: bytes) -> None:
        self.outside.setdefault(place, []).append(content)

    async def found(self, search: Search) -> dict[str, set[str]]:
        """place -> what is found there and in what, for the places where anything is."""
        self.seen.clear()
        return await self._found(search, self._all())

    async def copies(self) -> set[str]:
        """Databases in which a moment of the past is kept for those who ask of it: searched like the town's own."""
        async with self.town.database("postgres") as db:
            return {row[0] for row in await db.fetch(COPIES)}

    async def found_in_databases(self, search: Search) -> dict[str, set[str]]:
        """As found(), in the tables of every database and the files that they lie in."""
        self.seen.clear()
        return await self._found(search, self._of_databases())

    async def found_in_processes(self, search: Search) -> set[str]:
        return (await self._found(search, self._of_processes())).get("processes", set())

    async def _found(
        self, search: Search, contents: AsyncIterator[tuple[str, str, Content | Path]]
    ) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        async for place, where, content in contents:
            if isinstance(content, Path):
                with suppress(FileNotFoundError):  # a live server clears up behind itself
                    self.seen[place] += content.stat().st_size
                    found.setdefault(place, set()).update(f"{what} in {where}" for what in search.in_file(content))
            else:
                self.seen[place] += len(content)
                found.setdefault(place, set()).update(f"{what} in {where}" for what in search.in_bytes(content))
        return {place: what for place, what in found.items() if what}

    async def _all(self) -> AsyncIterator[tuple[str, str, Content | Path]]:
        if self.town.program.returncode is None:
            async for each in self._while_it_lives():
                yield each
        else:
            for path in self._files():
                yield self.place_of(path), path.name, path
        for path in _files_in(self.taken):
            yield path.relative_to(self.taken).parts[0], path.name, path
        yield "said", "standard output", "".join(self.town.said).encode()
        for place, contents in self.outside.items():
            for nth, content in enumerate(contents):
                yield place, f"number {nth}", content

    async def _while_it_lives(self) -> AsyncIterator[tuple[str, str, Content | Path]]:
        async for each in self._of_processes():
            yield each
        async with self.town.database("intake") as db:
            # First the WAL as it was written, for the checkpoint throws it away; then what the checkpoint brought to the heap.
            await db.execute("SELECT pg_switch_wal()")
            for path in self._files():
                if self.place_of(path) == "WAL":
                    yield "WAL", path.name, path
            await db.execute("CHECKPOINT")
            async with spilling(db):
                for path in self._files():
                    if self.place_of(path) not in ("WAL", "heap"):
                        yield self.place_of(path), path.name, path
        async for each in self._of_databases():
            yield each

    async def _of_databases(self) -> AsyncIterator[tuple[str, str, Content | Path]]:
        async with self.town.database("postgres") as db:
            await db.execute("CHECKPOINT")
            for path in self._files():
                if self.place_of(path) == "heap":
                    yield "heap", path.name, path
            names = [row[0] for row in await db.fetch("SELECT datname FROM pg_database WHERE datallowconn")]
        for name in names:
            with suppress(asyncpg.InvalidCatalogNameError):  # a copy of the past that was let go meanwhile
                async with self.town.database(name) as db:
                    await db.execute("ANALYZE")
                    async for where, content in rows(db):
                        yield f"tables of {name}", where, content

    async def _of_processes(self) -> AsyncIterator[tuple[str, str, Content | Path]]:
        for pid in self.pids():
            for where, content in of_process(pid):
                yield "processes", f"{pid} {where}", content

    def _files(self) -> Iterator[Path]:
        return _files_in(self.town.folder)

    def place_of(self, path: Path) -> str:
        """Which of FILES a file in the town's folder belongs to."""
        within = str(path.relative_to(self.town.folder))
        return next(place for beginning, place in FILES.items() if within.startswith(beginning))

    def pids(self) -> list[int]:
        """The town's program, its servers, and all that they started."""
        roots = {self.town.program.pid, *(int(f.read_text()) for f in (self.town.folder / "run").glob("*.pid"))}
        parents = {pid: parent for pid, parent in _parents()}
        return sorted({*self.processes, *(pid for pid in parents if roots & set(_line(pid, parents)))})


def _files_in(folder: Path) -> Iterator[Path]:
    """Of folders that go while they are looked through, such as a dropped database's, what is still there."""
    every = (Path(within, name) for within, _, names in os.walk(folder) for name in names)
    return (path for path in every if path.is_file() and not path.is_symlink())


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                yield int(entry.name), int((entry / "stat").read_text().rpartition(")")[2].split()[1])


def _line(pid: int, parents: dict[int, int]) -> Iterator[int]:
    while pid in parents:
        yield pid
        pid = parents[pid]


def of_process(pid: int) -> Iterator[tuple[str, bytes]]:
    """What others may see of it (command line, environment), and files it holds open that have no name any more.

    Where the process may not be looked into, not even by its own user, there is nothing to be seen.
    """
    proc = Path(f"/proc/{pid}")
    for name in ("cmdline", "environ"):
        with suppress(PermissionError, FileNotFoundError, ProcessLookupError):
            yield name, (proc / name).read_bytes()
    with suppress(PermissionError, FileNotFoundError, ProcessLookupError):
        for open_file in (proc / "fd").iterdir():
            with suppress(OSError):
                if "(deleted)" in os.readlink(open_file) and open_file.stat().st_size:
                    yield "a file without a name", open_file.read_bytes()


async def rows(db: asyncpg.Connection) -> AsyncIterator[tuple[str, bytes]]:
    """(schema.table, its rows): bytes as they are, the rest as text. TOAST, compressed in the heap, is unpacked here."""
    asked = {row[0]: f"SELECT * FROM {row[0]}" for row in await db.fetch(TABLES)}
    for table, question in (asked | {look: f"SELECT t::text FROM {look} t" for look in LOOKS}).items():
        kept = await db.fetch(question)
        yield table, b"\n".join(v if isinstance(v, bytes) else str(v).encode() for row in kept for v in row.values())


@asynccontextmanager
async def spilling(db: asyncpg.Connection) -> AsyncIterator[None]:
    """While a query sorts every row there is with too little memory, so that it writes temporary files."""
    tables = [row[0] for row in await db.fetch(TABLES)]
    everything = " UNION ALL ".join(f"SELECT t::text AS line FROM {table} t" for table in tables)
    async with db.transaction():
        await db.execute("SET LOCAL work_mem = '64kB'")
        cursor = await db.cursor(f"SELECT line FROM ({everything}) all_rows, generate_series(1, 5) ORDER BY md5(line)")
        assert await cursor.fetch(1)
        yield
