"""Where a form leads on to another page, whoever is signed in takes the receipt there in a cookie; nobody else is given one."""

from datetime import UTC, datetime

import httpx
import pytest
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.decider import Actor
from shared.receipts import Fact, Receipts, note_recorded, receipt_key
from shared.web.receipting import HEADER, Receipting

RECEIPTS = Receipts("140181101/cases/aaaa", receipt_key(b"a secret for tests, long enough to be one", "cases"))
FACT = Fact(bytes(32), datetime(2018, 1, 22, 1, tzinfo=UTC))


async def receipts() -> Receipts:
    return RECEIPTS


def recording(status: int, facts: int, reader: Actor | None) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        scope["state"]["reader"] = reader
        note_recorded([FACT] * facts)
        await Response(status_code=status)(scope, receive, send)

    return app


@pytest.mark.parametrize(
    ("status", "facts", "signed_in", "scheme", "cookie"),
    [
        (303, 1, True, "http", "; Path=/; HttpOnly; SameSite=Strict; Max-Age=60"),
        (303, 1, True, "https", "; Path=/; HttpOnly; SameSite=Strict; Secure; Max-Age=60"),
        (303, 1, False, "https", None),
        (303, 0, True, "https", None),
        (201, 1, True, "https", None),
        (303, 64, True, "https", None),  # more than a browser would keep
    ],
)
async def test_who_is_signed_in_takes_it_to_the_next_page(
    status: int, facts: int, signed_in: bool, scheme: str, cookie: str | None
) -> None:
    reader = Actor("p-clerk-1", "clerk") if signed_in else None
    transport = httpx.ASGITransport(Receipting(recording(status, facts, reader), receipts))
    async with httpx.AsyncClient(transport=transport, base_url=f"{scheme}://town.example") as http:
        answer = await http.post("/")
    assert (HEADER in answer.headers) == (facts > 0)
    kept = answer.headers.get("set-cookie")
    assert kept == (cookie and f"minewatch_receipt={answer.headers[HEADER]}{cookie}")
