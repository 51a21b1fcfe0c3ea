"""The other side of the mail: a real SMTP server that takes letters, dawdles, or refuses, as the drill wants it.

async with a_mailbox() as mailbox: ...
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Literal
from uuid import UUID

from aiosmtpd.smtp import SMTP, Envelope, Session

Mode = Literal["ok", "slow", "refuse_temporary", "refuse_for_good"]

SLOW = 3.0
"""Seconds until a slow server answers; below the limit of a call."""
REPLIES = {"refuse_temporary": "451 4.3.0 try again later", "refuse_for_good": "550 5.1.1 no such mailbox"}


@dataclass(frozen=True)
class Taken:
    """One letter that came in and was not refused. `message_id` without its brackets."""

    message_id: str
    to: str


@dataclass
class Mailbox:
    """`mode` may be changed at any time; who needs one for a while holds `alone`. `met`: what each letter met that came while not
    all was well, and its Message-ID."""

    port: int = 0
    mode: Mode = "ok"
    slow: float = SLOW
    taken: list[Taken] = field(default_factory=list)
    met: list[tuple[Mode, str]] = field(default_factory=list)
    alone: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def address(self) -> str:
        """For MINEWATCH_MAIL."""
        return f"smtp://127.0.0.1:{self.port}?from=minewatch@example.org"

    def refused_for_good(self, since: int = 0) -> list[UUID]:
        """The deliveries, behind the first `since` in `met`."""
        return [UUID(one.partition("@")[0]) for mode, one in self.met[since:] if mode == "refuse_for_good"]

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Taken before the reply goes out: a caller that dies or gives up meanwhile does not know, and sends it again."""
        mode = self.mode
        head = BytesHeaderParser().parsebytes(envelope.original_content or b"")
        message_id = str(head["Message-ID"]).strip().strip("<>")
        if mode != "ok":
            self.met.append((mode, message_id))
        if reply := REPLIES.get(mode):
            return reply
        self.taken.append(Taken(message_id, ",".join(envelope.rcpt_tos)))
        if mode == "slow":
            await asyncio.sleep(self.slow)
        return "250 2.0.0 taken"


@asynccontextmanager
async def a_mailbox() -> AsyncIterator[Mailbox]:
    """Listens on a free port of 127.0.0.1 in this very loop; quick enough for hundreds of letters a second."""
    made = Mailbox()
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(made, enable_SMTPUTF8=True), "127.0.0.1", 0)
    made.port = server.sockets[0].getsockname()[1]
    try:
        yield made
    finally:
        server.close()
