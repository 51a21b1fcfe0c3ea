"""`python -m tests.bench`: one run, one table, one JSON. docs/performance.md says what each row means."""

import asyncio
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

import click

from shared.telemetry import start_logging, start_tracing
from tests.bench import appending, commanding, passing, replaying, town_life, verifying
from tests.bench.ground import FULL, QUICK, Ground, fdatasync, servers
from tests.bench.rows import Row, as_markdown, keep, show

Part = Callable[[Ground], Awaitable[list[Row]]]
PARTS: dict[str, Part] = {
    "abc": appending.measured,
    "d": commanding.measured,
    "e": passing.measured,
    "f": replaying.measured,
    "gh": town_life.measured,
    "i": verifying.measured,
}


def chosen(only: str | None) -> list[Part]:
    """Raises click.BadParameter for a letter that is none."""
    letters = set((only or "".join(PARTS)).replace(",", "").replace(" ", ""))
    if unknown := letters - set("".join(PARTS)):
        raise click.BadParameter(f"no such part: {', '.join(sorted(unknown))}", param_hint="--only")
    return [part for name, part in PARTS.items() if letters & set(name)]


async def run(folder: Path, parts: list[Part], quick: bool, rows: list[Row], about: dict[str, str | float]) -> None:
    """Adds to `rows` as parts are done, and to `about` on what; what is there stands when a later part fails."""
    began = time.monotonic()
    about |= {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "size": "quick" if quick else "full",
        "cores": len(os.sched_getaffinity(0)),
        "machine": platform.machine(),
        "python": platform.python_version(),
        "minewatch": version("minewatch"),
        "fdatasync_ms": round(fdatasync(folder), 3),
    }
    async with servers(folder, QUICK if quick else FULL) as ground:
        about["postgres"] = await version_of(ground)
        for part in parts:
            rows += await part(ground)
            about["seconds"] = round(time.monotonic() - began, 1)


async def version_of(ground: Ground) -> str:
    import asyncpg

    connection = await asyncpg.connect(ground.postgres.superuser_dsn)
    try:
        on = {n: await connection.fetchval(f"SHOW {n}") for n in ("server_version", "fsync", "synchronous_commit")}
    finally:
        await connection.close()
    return f"{on['server_version']}, fsync {on['fsync']}, synchronous_commit {on['synchronous_commit']}"


@click.command()
@click.option(
    "--only", metavar="LETTERS", help="a choice of parts, for example a,b or e; a, b and c go together, as do g and h"
)
@click.option(
    "--quick", is_flag=True, help="small figures, in seconds: whether the bench works, not how fast anything is"
)
@click.option("--json", "file", type=click.Path(path_type=Path, dir_okay=False), default=Path("build/bench.json"))
@click.option("--dir", "place", type=click.Path(path_type=Path, file_okay=False), default=Path("build"))
@click.option("--markdown", is_flag=True, help="print the table as docs/performance.md holds it")
def main(only: str | None, quick: bool, file: Path, place: Path, markdown: bool) -> None:
    """Measure the kernel side by side with others. The servers' files lie in a folder in DIR, on its disk, until the end."""
    parts = chosen(only)
    start_logging("ERROR")
    start_tracing("bench", None)
    logging.getLogger("asyncio").setLevel(logging.CRITICAL)
    place.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bench-", dir=place)).resolve()
    folder.chmod(0o755)
    rows: list[Row] = []
    about: dict[str, str | float] = {}
    try:
        asyncio.run(run(folder, parts, quick, rows, about))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        keep(file, rows, about)
        said = ", ".join(f"{name} {value}" for name, value in about.items())
        if markdown:
            click.echo(f"{said}\n\n{as_markdown(rows)}", nl=False)
        else:
            show(rows, f"minewatch bench: {said}")


if __name__ == "__main__":
    main()
