"""A whole town as a program of its own: `minewatch up` on a folder, spoken to by HTTP alone."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx

from shared.decider import Actor
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.signing import EmbeddedSigner, EmbeddedWitness
from shared.identity.tokens import Tokens
from shared.plan.loader import load_plan
from shared.receiver import digest_after
from shared.settings import SERVICES


@dataclass
class Town:
    """`program` is the running `minewatch up`; `address` its one door; `said`: what it printed, whole once it has ended."""

    folder: Path
    program: asyncio.subprocess.Process
    address: str
    http: httpx.AsyncClient
    said: list[str] = field(default_factory=list)

    def headers(self, post: str, unit: str | None = None, on_behalf_of: str | None = None) -> dict[str, str]:
        """A fresh Idempotency-Key and the token of whoever holds `post` (in `unit`) by the plan."""
        home = Home(self.folder)
        plan = load_plan(home.plans / (home.plans / "current").read_text("utf-8").strip()).plan
        holder = next(p for p in plan.people if p.post == post and unit in (None, p.unit))
        actor = Actor(holder.person, holder.post, holder.unit, holder.village)
        if on_behalf_of is not None:
            actor = Actor(holder.person, holder.post, holder.unit, holder.village, on_behalf_of, "no_phone")
        token = Tokens(home.secrets["token_public"], home.secrets["token_private"]).issue(actor, timedelta(hours=1))
        return {"Authorization": f"Bearer {token}", "Idempotency-Key": str(uuid4())}

    async def post(self, path: str, body: dict[str, Any], who: dict[str, str] | None = None) -> Any:
        """The JSON answer. Raises AssertionError when it is no success."""
        headers = who or {"Idempotency-Key": str(uuid4())}
        answer = await self.http.post(path, json=body, headers=headers)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def get(self, path: str, who: dict[str, str] | None = None, **query: Any) -> Any:
        answer = await self.http.get(path, params=query, headers=who)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    def pid(self, name: str) -> int:
        """From DIR/run: postgres, nats or minewatch."""
        return int((self.folder / "run" / f"{name}.pid").read_text())

    async def stop(self) -> int:
        """SIGTERM; its exit code."""
        if self.program.returncode is None:
            self.program.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.program.wait(), 60)

    @asynccontextmanager
    async def database(self, name: str) -> AsyncIterator[asyncpg.Connection]:
        """As superuser; while the town's Postgres runs."""
        server = EmbeddedPostgres(self.folder / "postgres", self.folder / "run")
        await server.start()  # adopts the one that runs
        connection = await asyncpg.connect(server.superuser_dsn.rsplit("/", 1)[0] + f"/{name}")
        try:
            yield connection
        finally:
            await connection.close()

    async def faults(self) -> list[str]:
        """What is not as it must be: gaps, other checksums, marks behind their source, anything parked."""
        wrong: list[str] = []
        logs: dict[str, list[str]] = {}
        for name in SERVICES:
            async with self.database(name) as db:
                rows = await db.fetch("SELECT position, event_id FROM record.log ORDER BY position")
                events, pending = (
                    await db.fetchval("SELECT count(*) FROM record.event"),
                    await db.fetchval("SELECT count(*) FROM work.pending"),
                )
                if [r[0] for r in rows] != list(range(1, len(rows) + 1)) or events != len(rows) + pending:
                    wrong.append(f"{name}: {events} events, {len(rows)} positions, {pending} pending")
                logs[name] = [str(r[1]) for r in rows]
                if waiting := await db.fetchval("SELECT count(*) FROM work.parked WHERE state <> 'done'"):
                    wrong.append(f"{name}: {waiting} parked")
        for name in SERVICES:
            async with self.database(name) as db:
                for row in await db.fetch("SELECT source, position, digest FROM work.mark WHERE follower = 'receiver'"):
                    digest = bytes.fromhex(EMPTY)
                    for event_id in logs[row["source"]][: row["position"]]:
                        digest = digest_after(digest, event_id)
                    if digest != row["digest"]:
                        wrong.append(f"{name}: other checksum of {row['source']} at {row['position']}")
                    if row["position"] != len(logs[row["source"]]):
                        wrong.append(f"{name}: at {row['position']} of {len(logs[row['source']])} of {row['source']}")
        return wrong


EMPTY = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
"""SHA-256 of nothing: where every digest begins."""


@asynccontextmanager
async def a_town(folder: Path, *options: str, environment: Mapping[str, str] | None = None) -> AsyncIterator[Town]:
    """`minewatch up --data folder --port 0`, stopped at the end with its servers. `environment` is added to this one."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("MINEWATCH_")} | dict(environment or {})
    program = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).parent / "minewatch"), "up", "--data", str(folder), "--port", "0", *options,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, env=environment,
    )  # fmt: skip
    said: list[str] = []
    assert program.stdout is not None
    try:
        async with asyncio.timeout(90):
            while line := (await program.stdout.readline()).decode():
                said.append(line)
                if line.startswith("ready "):
                    break
            else:
                raise AssertionError(f"minewatch up ended: {''.join(said)}")
        drain = asyncio.create_task(_hear(program.stdout, said))
        async with httpx.AsyncClient(base_url=said[-1].split()[1], timeout=30) as http:
            town = Town(folder, program, said[-1].split()[1], http, said)
            yield town
            await town.stop()
        await drain
    finally:
        if program.returncode is None:
            program.kill()
            await program.wait()


async def _hear(stream: asyncio.StreamReader, said: list[str]) -> None:
    while piece := await stream.read(65536):
        said.append(piece.decode(errors="replace"))


async def stop_servers(folder: Path) -> None:
    """What a killed program left running on this folder."""
    for server in (
        EmbeddedNats(folder / "nats", folder / "run"),
        EmbeddedPostgres(folder / "postgres", folder / "run"),
        EmbeddedSigner(folder / "signer", folder / "run", []),
        EmbeddedWitness(folder / "witness", folder / "run", ""),
    ):
        await server.stop()


async def eventually(check: Callable[[], Awaitable[Any]], seconds: float = 60) -> Any:
    """The first true answer of `check`. Raises AssertionError with its last answer after `seconds`."""
    until = asyncio.get_running_loop().time() + seconds
    while not (answer := await check()):
        assert asyncio.get_running_loop().time() < until, f"not within {seconds} s, last: {answer!r}"
        await asyncio.sleep(0.1)
    return answer


async def well(town: Town, seconds: float = 90) -> None:
    """Waits until nothing is wrong. Raises AssertionError with what still is."""
    until = asyncio.get_running_loop().time() + seconds
    while wrong := await town.faults():
        assert asyncio.get_running_loop().time() < until, wrong
        await asyncio.sleep(0.5)
