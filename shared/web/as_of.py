"""`?as_of=T&clock=recorded|occurred` on every reading route of the API: the same answer as of another moment.

It is given to the office, the leaders and the auditor. The answer says in headers what it is as of; the first question about a
moment waits while its read models are built, and is told to ask again when that takes long.
"""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import asyncpg
from fastapi import Request
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.app import LOST
from shared.audit.copies import Copies
from shared.audit.moment import CLOCKS, Clock, Moment, NoSuchMoment, read_moment
from shared.clock import SimulatedClock
from shared.decider import Actor
from shared.errors import MinewatchError, NotPermitted, NotSignedIn
from shared.files import Files
from shared.plan.calendar import TOWN_TIME
from shared.sql import Tx
from shared.web import problems
from shared.web.door import COOKIE, Door, signed_in_by
from shared.web.problems import BadRequest

WHO = ("auditor", "group_leader", "deputy_leader", "office_director", "clerk")


class ReplayIsReadOnly(NotPermitted):
    """这是回放，只能查看，不能办理。
    This is a replay: it is to be looked at, and nothing can be done in it."""


@dataclass(frozen=True)
class KeptFiles(Files):
    """A file is named by its content, so that the live record's are those of every moment."""

    pool: asyncpg.Pool

    async def get(self, tx: Tx, sha256: str) -> tuple[str, bytes]:
        async with self.pool.acquire() as connection:
            return await super().get(Tx(connection), sha256)


@dataclass
class PastDoor(Door):
    """A door to a copy. Who may pass is what the `present` says, unless the door stands alone. `used` when a route has read from
    the copy."""

    present: Door | None = None
    used: bool = field(default=False)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        self.used = True
        async with super().reading() as tx:
            yield tx

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        raise ReplayIsReadOnly
        yield  # so that it is a generator

    async def holds(self, actor: Actor) -> bool:
        if actor == self.entered:
            return True
        return await (super().holds(actor) if self.present is None else self.present.holds(actor))


def past_door(live: Door, pool: asyncpg.Pool, moment: Moment, **more: Any) -> PastDoor:
    """`pool` only reads; the clock stands at the moment, and the plan is the one in force then."""
    clock, book = SimulatedClock(moment.at), live.book.apart()
    app = replace(live.app, pool=pool, clock=clock, terms=book.terms)
    files = KeptFiles(live.files.sealer, live.pool)
    told = {name: getattr(live, name) for name in ("tokens", "clients", "root_secret")}
    return PastDoor(app=app, pool=pool, clock=clock, files=files, book=book, **told, **more)


def headers_of(moment: Moment) -> dict[str, str]:
    return {
        "As-Of": moment.at.astimezone(TOWN_TIME).isoformat(),
        "As-Of-Clock": moment.clock,
        "As-Of-Vector": moment.vector,
    }


@dataclass
class AsOf:
    """ASGI middleware: in a service for questions with `as_of`, in a replay for every request.

    The application's state holds `copies` in a service, and `replay` (the Moment shown) in a replay.
    """

    app: ASGIApp
    service: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        request = Request(scope, receive)
        shown: Moment | None = getattr(request.app.state, "replay", None)
        if shown is None and "as_of" not in request.query_params:
            await self.app(scope, receive, send)
            return
        async with AsyncExitStack() as stack:
            try:
                marked = await self._marked(request, receive, send, shown, stack)
            except MinewatchError as error:
                answer = await problems.on_minewatch_error(request, error)
            except LOST as error:
                answer = await problems.on_lost_connection(request, error)
            else:
                await self.app(scope, receive, marked)
                return
        await answer(scope, receive, send)

    async def _marked(
        self, request: Request, receive: Receive, send: Send, shown: Moment | None, stack: AsyncExitStack
    ) -> Send:
        """Puts the door to the copy in the present one's place; `send`, with the headers that say what the answer is as of."""
        if shown is not None:
            if request.method not in ("GET", "HEAD"):
                raise ReplayIsReadOnly
            return _marked(send, headers_of(shown))
        present: Door = request.app.state.door
        copies: Copies = request.app.state.copies
        api, path = f"/{self.service}/v1/", request.url.path
        if request.method not in ("GET", "HEAD") or not path.startswith(api) or path.startswith(f"{api}log"):
            raise _not_here()
        at, clock = _asked(request.query_params, present.clock.now())
        await _may_ask(request, present)
        moment = await copies.moment(at, clock, present.clock.now())
        pool = await stack.enter_async_context(copies.use(moment))
        request.state.door = past_door(present, pool, moment, present=present)
        return _unless_unused(request, receive, send, request.state.door, headers_of(moment))


def _not_here() -> BadRequest:
    return BadRequest(
        "as_of",
        "只有查询接口（/v1/ 下的 GET）能按时刻查询，这个地址不能。",
        "Only reading routes of the API (GET under /v1/) answer as of a moment, and this one does not.",
        where="query",
    )


def moment_asked(text: str | None, field: str = "moment") -> datetime | None:
    """Raises BadRequest, naming the field and what to send."""
    try:
        return read_moment(text) if text is not None else None
    except NoSuchMoment as error:
        raise BadRequest(field, error.zh, error.en, where="query") from None


def _asked(query: Mapping[str, str], now: datetime) -> tuple[datetime, Clock]:
    """Raises BadRequest."""
    at = moment_asked(query["as_of"], "as_of")
    assert at is not None
    if at > now:
        raise BadRequest("as_of", "时刻还没有到。", "That moment has not come yet.", where="query")
    for clock in CLOCKS:
        if query.get("clock", "recorded") == clock:
            return at, clock
    raise BadRequest("clock", "只能是 recorded 或 occurred。", "Send recorded or occurred.", where="query")


async def _may_ask(request: Request, present: Door) -> None:
    """Before anything is built for them. Raises NotSignedIn, NotPermitted."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    token = token.strip() if scheme.lower() == "bearer" else request.cookies.get(COOKIE, "")
    if not token:
        raise NotSignedIn
    actor = signed_in_by(present, token)
    if actor.post not in WHO or actor.village is not None:
        raise NotPermitted("another moment is for the office, the leaders and the auditor")
    if not actor.person.startswith("client:") and not await present.holds(actor):
        raise NotPermitted(f"{actor.in_role} is not held today")


def _marked(send: Send, headers: Mapping[str, str]) -> Send:
    async def marked(message: Message) -> None:
        if message["type"] == "http.response.start":
            MutableHeaders(scope=message).update(headers)
        await send(message)

    return marked


def _unless_unused(request: Request, receive: Receive, send: Send, door: PastDoor, headers: Mapping[str, str]) -> Send:
    """An answer that was not read from the copy is of now: it is not given for one of then."""
    marked, refused = _marked(send, headers), False

    async def checked(message: Message) -> None:
        nonlocal refused
        if message["type"] == "http.response.start" and message["status"] < 400 and not door.used:
            refused = True
            await (await problems.on_minewatch_error(request, _not_here()))(request.scope, receive, send)
        elif not refused:
            await marked(message)

    return checked


PARAMETERS = (
    {
        "name": "as_of",
        "in": "query",
        "required": False,
        "description": "Answer as of this moment: 2018-02-09T17:00 (town time), or with its offset. For the office, the leaders "
        "and the auditor. The headers As-Of, As-Of-Clock and As-Of-Vector say what the answer is as of; 503 with "
        "Retry-After while that moment is being built.",
        "schema": {"type": "string"},
    },
    {
        "name": "clock",
        "in": "query",
        "required": False,
        "description": "With as_of: what was recorded by then, or what had happened by then as it is known today.",
        "schema": {"type": "string", "enum": list(CLOCKS), "default": "recorded"},
    },
)


def describe(made: dict[str, Any], service: str) -> None:
    """Adds the two parameters to every reading route of an API description."""
    for path, operations in made.get("paths", {}).items():
        known = {parameter["name"] for parameter in operations.get("get", {}).get("parameters", ())}
        api = f"/{service}/v1/"
        if "get" in operations and path.startswith(api) and not path.startswith(f"{api}log") and "as_of" not in known:
            operations["get"].setdefault("parameters", []).extend(dict(one) for one in PARAMETERS)
