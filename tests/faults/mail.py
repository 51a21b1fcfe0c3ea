"""The other side of the mail: a real SMTP server that takes letters, dawdles, or refuses, as the drill wants it.

async with a_mailbox() as mailbox: ...
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from email.parser import BytesHeaderParser
from typing import Literal

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
    """`mode` may be changed at any time. `refused` counts letters that were not taken."""

    port: int = 0
    mode: Mode = "ok"
    slow: float = SLOW
    taken: list[Taken] = field(default_factory=list)
    refused: int = 0

    @property
    def address(self) -> str:
        """For MINEWATCH_MAIL."""
        return f"smtp://127.0.0.1:{self.port}?from=minewatch@example.org"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        """Taken before the reply goes out: a caller that dies or gives up meanwhile does not know, and sends it again."""
        mode = self.mode
        if reply := REPLIES.get(mode):
            self.refused += 1
            return reply
        head = BytesHeaderParser().parsebytes(envelope.original_content or b"")
        self.taken.append(Taken(str(head["Message-ID"]).strip().strip("<>"), ",".join(envelope.rcpt_tos)))
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
