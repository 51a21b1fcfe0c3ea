"""Signers and witnesses as programs of their own, and witnesses that misbehave."""

import asyncio
import contextlib
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.signer.folder import SignerFolder
from shared.signing import SignerAt
from shared.transparency.note import Key
from shared.witness.folder import WitnessFolder


@dataclass
class Program:
    """A child process that said that it is ready, and the rest of that line."""

    process: asyncio.subprocess.Process
    said: str

    async def kill(self) -> None:
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await self.process.wait()


@asynccontextmanager
async def _running(*words: str) -> AsyncIterator[Program]:
    process = await asyncio.create_subprocess_exec(*words, stdout=asyncio.subprocess.PIPE)
    program = Program(process, "")
    try:
        assert process.stdout is not None
        program.said = (await asyncio.wait_for(process.stdout.readline(), 30)).decode()
        assert program.said.startswith("ready "), program.said
        yield program
    finally:
        await program.kill()


@asynccontextmanager
async def a_signer(folder: Path, *logs: str) -> AsyncIterator[tuple[SignerAt, Program]]:
    """The signer of `folder`, which is made for `logs` when it is not there."""
    if not SignerFolder(folder).made:
        SignerFolder(folder).make(logs)
    async with _running(sys.executable, "-P", "-m", "shared.signer", str(folder)) as program:
        yield SignerAt(folder / "socket"), program


@asynccontextmanager
async def a_witness(folder: Path, name: str, *logs: Key) -> AsyncIterator[tuple[Key, str, Program]]:
    """The witness of `folder`, which is made when it is not there, with these logs; its key, and its address."""
    if not folder.exists():
        WitnessFolder(folder).make(name)
    (folder / "logs").write_text("".join(f"{log}\n" for log in logs), "utf-8")
    async with _running(sys.executable, "-P", "-m", "shared.witness", str(folder), "0") as program:
        _, address, vkey, *_ = program.said.split()
        yield Key.read(vkey), f"{address}/add-checkpoint", program


@asynccontextmanager
async def answering(answer: Callable[[bytes], Awaitable[Response]]) -> AsyncIterator[str]:
    """A server on loopback that gives these answers to POST /add-checkpoint; its address."""

    async def asked(request: Request) -> Response:
        return await answer(await request.body())

    app = Starlette(routes=[Route("/add-checkpoint", asked, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server, bound = uvicorn.Server(config), config.bind_socket()
    with contextlib.closing(bound):
        task = asyncio.create_task(server._serve(sockets=[bound]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield f"http://127.0.0.1:{bound.getsockname()[1]}/add-checkpoint"
        finally:
            server.should_exit = True
            await task
