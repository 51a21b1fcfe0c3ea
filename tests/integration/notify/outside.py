"""The other side: a real SMTP server and a real HTTP receiver, which do what the test tells them to."""

import asyncio
import base64
import hashlib
import hmac
import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import uvicorn
from aiosmtpd.smtp import SMTP, Envelope, Session
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


@dataclass
class MailServer:
    """`answers`: replies to the next letters, one each, taken when the letter has come in; then 250 again. `rcpt` likewise."""

    port: int = 0
    answers: list[str] = field(default_factory=list)
    rcpt: list[str] = field(default_factory=list)
    came: list[Envelope] = field(default_factory=list)

    @property
    def address(self) -> str:
        return f"smtp://127.0.0.1:{self.port}?from=minewatch@example.org"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if self.rcpt and not (reply := self.rcpt.pop(0)).startswith("250"):
            return reply
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        self.came.append(envelope)
        return self.answers.pop(0) if self.answers else "250 OK"

    @property
    def letters(self) -> list[EmailMessage]:
        """Everything that came, taken or not."""
        return [message_from_bytes(e.original_content or b"", policy=policy.default) for e in self.came]


@asynccontextmanager
async def a_mail_server() -> AsyncIterator[MailServer]:
    made = MailServer()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(made, enable_SMTPUTF8=True), "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()


@dataclass
class Receiver:
    """`answers`: status codes for the next calls, then 204. `delay`: seconds before it answers at all."""

    port: int = 0
    answers: list[int] = field(default_factory=list)
    delay: float = 0.0
    calls: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    async def hook(self, request: Request) -> Response:
        self.calls.append((dict(request.headers), await request.body()))
        await asyncio.sleep(self.delay)
        status = self.answers.pop(0) if self.answers else 204
        return Response(status_code=status, headers={"Location": "/elsewhere"} if status == 302 else {})

    def file(self, folder: Path) -> Path:
        """webhooks.json for the settings of notify."""
        path = folder / "webhooks.json"
        posts = ["police_officer"]
        hook = {"name": "police", "url": f"http://127.0.0.1:{self.port}/hook", "secret": SECRET, "posts": posts}
        path.write_text(json.dumps({"hooks": [hook]}), "utf-8")
        return path

    def verified(self, nth: int) -> dict[str, Any]:
        """The body of the nth call, its signature reckoned here as the standard has it."""
        headers, body = self.calls[nth]
        signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
        wanted = base64.b64encode(hmac.digest(bytes(range(32)), signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{wanted}"
        told: dict[str, Any] = json.loads(body)
        return told


@asynccontextmanager
async def a_receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    app = Starlette(routes=[Route("/hook", made.hook, methods=["POST"])])
    config = uvicorn.Config(app, log_config=None, lifespan="off", timeout_graceful_shutdown=1)
    server = uvicorn.Server(config)
    with socket.create_server(("127.0.0.1", 0)) as listening:
        made.port = listening.getsockname()[1]
        task = asyncio.create_task(server._serve(sockets=[listening]))
        while not server.started:
            await asyncio.sleep(0.01)
        try:
            yield made
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)
