"""What lies outside the town, for real and on this machine: a mail server and a receiver of webhooks. Both count what came."""

import asyncio
import base64
import json
import secrets
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from shared.embedded.processes import write_private

HOST = "127.0.0.1"


@dataclass
class MailBox:
    """The town's mail server, which takes every letter. A mailbox in `full` answers 552, for good, until it is emptied."""

    address: str = ""
    taken: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)
    full: set[str] = field(default_factory=set)
    refused: int = 0

    async def handle_RCPT(self, _: Any, __: Any, envelope: Any, address: str, ___: Any) -> str:
        if address in self.full:
            self.refused += 1
            return "552 mailbox full"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _: Any, __: Any, envelope: Any) -> str:
        text = envelope.content.decode("utf-8", "replace")
        number = next((line for line in text.splitlines() if line.lower().startswith("message-id:")), "")
        self.ids[number.partition(":")[2].strip()] += 1
        self.taken.update(envelope.rcpt_tos)
        return "250 OK"

    @property
    def letters(self) -> int:
        """Different letters; one that came twice counts once."""
        return len(self.ids)


@dataclass
class HookDesk:
    """Takes webhooks, counted by receiver's name and type; `ids` tells a repeated one."""

    taken: Counter[str] = field(default_factory=Counter)
    ids: Counter[str] = field(default_factory=Counter)

    async def take(self, request: Request) -> Response:
        told = await request.json()
        self.taken[f"{request.path_params['name']} {told['type']}"] += 1
        self.ids[request.headers.get("webhook-id", "")] += 1
        return Response(status_code=204)

    def app(self) -> Starlette:
        return Starlette(routes=[Route("/hooks/{name}", self.take, methods=["POST"])])


@dataclass
class Outside:
    mail: MailBox
    desk: HookDesk
    hooks: str
    """http://host:port of the webhook receiver."""


@asynccontextmanager
async def outside() -> AsyncIterator[Outside]:
    """Both servers on free ports of this machine."""
    mail, desk = MailBox(), HookDesk()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(
        lambda: SMTP(mail, hostname="mail.example.org", enable_SMTPUTF8=True, loop=loop), HOST, 0
    )
    port = server.sockets[0].getsockname()[1]
    mail.address = f"smtp://{HOST}:{port}?from=minewatch@example.org"
    try:
        async with _web(desk.app()) as hooks:
            yield Outside(mail, desk, hooks)
    finally:
        server.close()


@asynccontextmanager
async def _web(app: Starlette) -> AsyncIterator[str]:
    config = uvicorn.Config(app, host=HOST, port=0, log_config=None, lifespan="off", timeout_graceful_shutdown=2)
    server = uvicorn.Server(config)
    socket = config.bind_socket()
    task = asyncio.create_task(server._serve(sockets=[socket]))
    while not server.started and not task.done():
        await asyncio.sleep(0.01)
    try:
        yield f"http://{HOST}:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await asyncio.gather(task, return_exceptions=True)
        socket.close()


def write_hooks(folder: Path, hooks: str) -> None:
    """keys/webhooks.json of a town: who receives which posts' messages, each with a secret of its own."""
    receivers = {"police": ["police_officer", "deputy_leader"], "land": ["land_officer"]}
    path = folder / "keys" / "webhooks.json"
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    kept = [
        {
            "name": name,
            "url": f"{hooks}/hooks/{name}",
            "secret": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
            "posts": posts,
        }
        for name, posts in receivers.items()
    ]
    write_private(path, json.dumps({"hooks": kept}, indent=1))
