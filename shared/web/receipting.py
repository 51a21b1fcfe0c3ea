"""Every answer to a request that recorded a fact carries the receipt for it, whichever route it came by: Signed-Receipt.

For whoever sees no headers, a page may show it as well; and where a form leads on to another page, a cookie takes it there, for a
minute and for that one page. Who is not signed in is given no cookie.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.receipts import Fact, Receipts, recorded

HEADER = "Signed-Receipt"
COOKIE = "minewatch_receipt"
KEPT_FOR = 60
"""Seconds."""
MOST_COOKIE = 3_800
"""Characters; browsers drop a cookie of more than 4096 with its name and attributes."""


@dataclass
class Receipting:
    """ASGI middleware. `receipts`: the service's, or None while its log cannot say its name."""

    app: ASGIApp
    receipts: Callable[[], Awaitable[Receipts | None]]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        facts: list[Fact] = []
        mark = recorded.set(facts)
        scope.setdefault("state", {})["receipts"] = self.receipts

        async def with_receipt(message: Message) -> None:
            if facts and message["type"] == "http.response.start":
                receipts = await self.receipts()
                if receipts is not None:
                    headers, receipt = MutableHeaders(scope=message), receipts.header(facts)
                    headers[HEADER] = receipt
                    if message["status"] == 303 and scope["state"].get("reader") and len(receipt) <= MOST_COOKIE:
                        headers.append("set-cookie", f"{COOKIE}={receipt}; {_secure(scope)}Max-Age={KEPT_FOR}")
            await send(message)

        try:
            await self.app(scope, receive, with_receipt)
        finally:
            recorded.reset(mark)


def _secure(scope: Scope) -> str:
    return f"Path=/; HttpOnly; SameSite=Strict; {'Secure; ' if scope['scheme'] == 'https' else ''}"


async def signed_receipt(request: Request) -> str | None:
    """What the header will say of the facts that this request has recorded so far; None when there are none, or no receipts."""
    if not (facts := recorded.get()):
        return None
    receipts: Receipts | None = await request.state.receipts()
    return receipts.header(facts) if receipts is not None else None
