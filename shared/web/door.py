"""Where HTTP meets the kernel: who is calling, which command id, what a route may touch.

call(*posts)      a writing route: signed in, holding one of the posts now, Idempotency-Key given; never the auditor, unless named
reader(*posts)    a reading route of the API; without posts: anybody signed in
page_reader(...)  the same for pages: a browser is sent to sign in first
form_call(...)    a form: the same as call, the command id in a hidden field, sent from our own pages only
open_call         the public: no token, an Idempotency-Key all the same
visitor           a public page: who is signed in, if anybody is
"""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import date
from typing import Annotated
from urllib.parse import urlencode
from uuid import UUID, uuid4

import asyncpg
from fastapi import Depends, Header, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel
from starlette.datastructures import FormData
from starlette.exceptions import HTTPException as StarletteHTTPException

from shared.app import Answer, App, Cause
from shared.clock import Clock
from shared.decider import Actor
from shared.errors import AuditorChangesNothing, NotPermitted, NotSignedIn
from shared.files import Files
from shared.identity import posts as post_book
from shared.identity.clients import Clients
from shared.identity.key_store import KeyStore
from shared.identity.tokens import Tokens
from shared.ids import derived
from shared.plan.book import PlanBook
from shared.plan.calendar import town_day
from shared.plan.terms import PlanTerms
from shared.read_model import reading
from shared.sql import Tx
from shared.telemetry import correlation
from shared.web.preconditions import etag, expected_version, idempotency_key
from shared.web.problems import BadRequest
from shared.web.rendering import wants_page

COOKIE = "minewatch_token"


@dataclass
class Door:
    """What a service lends its routes; stands in `app.state.door`. `custodian`: the custodian's keys, if they are here.

    `entered`: who reads here without a token; in a replay on somebody's own machine only.
    """

    app: App
    pool: asyncpg.Pool
    clock: Clock
    files: Files
    book: PlanBook
    tokens: Tokens
    clients: Clients
    root_secret: bytes
    custodian: KeyStore | None = None
    entered: Actor | None = None

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[Tx]:
        """One consistent view of this service's tables."""
        async with reading(self.pool, self.app.inline) as tx:
            yield tx

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[Tx]:
        """For what is no event: kept files, counters."""
        async with self.pool.acquire() as connection, connection.transaction():
            yield Tx(connection)

    async def terms(self, tx: Tx) -> PlanTerms | None:
        return await self.book.in_force(tx)

    def secret(self, name: str) -> bytes:
        """32 bytes for one purpose, derived from the service's root secret."""
        return hmac.new(self.root_secret, name.encode(), hashlib.sha256).digest()

    async def visible(self, answer: Answer, seconds: float = 1.0) -> None:
        """Waits until what the command recorded is in every projection of this service, or `seconds` are over."""
        if not answer.events:
            return
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            if await self.pool.fetchval(_VISIBLE, answer.events[-1], self.app.service):
                return
            await asyncio.sleep(0.01)

    async def holds(self, actor: Actor) -> bool:
        """Whether the actor holds the post they act in, today."""
        async with self.reading() as tx:
            return await post_book.holds(tx, actor, self.today())

    def today(self) -> date:
        """The campaign's day, town time."""
        return town_day(self.clock.now())


_VISIBLE = """
SELECT coalesce((SELECT position FROM record.log WHERE event_id = $1)
    <= ALL (SELECT position FROM work.mark WHERE follower LIKE 'projection:%' AND source = $2), false)
"""


async def door(request: Request) -> Door:
    """The dependency that hands a route its door, of the present or of the moment asked for (as_of.py).

    Async, or each request would be sent through a thread for it.
    """
    found: Door = getattr(request.state, "door", None) or request.app.state.door
    return found


BEARER = HTTPBearer(auto_error=False, description="A person's token, or a client key (mwk_…).")


async def who_calls(
    request: Request,
    at: Annotated[Door, Depends(door)],
    bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
) -> Actor | None:
    """The actor of the bearer token, client key or sign-in cookie; None without any. Raises NotSignedIn for a bad one."""
    token = bearer.credentials if bearer is not None else request.cookies.get(COOKIE)
    if not token and at.entered is None:
        return None
    actor = signed_in_by(at, token) if token else at.entered
    request.state.reader = actor
    return actor


def signed_in_by(at: Door, token: str) -> Actor:
    """Whose token or client key it is. Raises NotSignedIn."""
    return at.clients.check(token) if token.startswith("mwk_") else at.tokens.read(token)


async def visitor(request: Request, at: Annotated[Door, Depends(door)]) -> Actor | None:
    """For public pages, which everybody sees: who is signed in here; None also for a token that has expired."""
    try:
        return await who_calls(request, at, None)
    except NotSignedIn:
        return None


def caller(request: Request) -> str:
    """The address it came from, to count tries by; kept nowhere else."""
    return request.client.host if request.client is not None else ""


async def _in_post(at: Door, actor: Actor | None, posts: tuple[str, ...]) -> Actor:
    if actor is None:
        raise NotSignedIn
    if posts and actor.post not in posts:
        raise NotPermitted(actor.post)
    if not actor.person.startswith("client:") and not await at.holds(actor):
        raise NotPermitted(f"{actor.in_role} is not held today")
    return actor


def reader(*posts: str) -> Callable[..., Awaitable[Actor]]:
    """Anybody signed in who holds one of `posts` now (any post when none is named)."""

    async def check(at: Annotated[Door, Depends(door)], actor: Annotated[Actor | None, Depends(who_calls)]) -> Actor:
        return await _in_post(at, actor, posts)

    return check


def page_reader(*posts: str) -> Callable[..., Awaitable[Actor]]:
    """The same for pages. A browser that is not signed in goes to /sign-in and comes back; the plan gives codes names."""

    async def check(
        request: Request,
        at: Annotated[Door, Depends(door)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    ) -> Actor:
        try:
            known = await _in_post(at, await who_calls(request, at, bearer), posts)
        except NotSignedIn:
            if not wants_page(request):
                raise
            back = request.url.path + (f"?{request.url.query}" if request.url.query else "")
            raise HTTPException(303, headers={"Location": f"/sign-in?{urlencode({'next': back})}"}) from None
        async with at.reading() as tx:
            request.state.plan = await at.terms(tx)
        return known

    return check


@dataclass(frozen=True)
class Call:
    who: Actor
    cause: Cause

    @property
    def command_id(self) -> UUID:
        return self.cause.command_id


PUBLIC = Actor(person="public", post="public")


def _cause(request: Request, at: Door, actor: Actor, key: str, body: bytes, expected: int | None) -> Cause:
    route = f"{request.method} {request.url.path}"
    # On whose behalf is part of the question: the same key for another person is another command.
    caller = f"{actor.person}|{actor.in_role}|{actor.on_behalf_of or ''}"
    return Cause(
        command_id=derived("http", caller, route, key),
        actor=actor,
        correlation_id=correlation.get() or str(uuid4()),
        # keyed, so that nobody with a copy of the database can try out who said what
        body_hash=hmac.digest(at.secret("body"), body, hashlib.sha256),
        expected_version=expected,
    )


AUDITOR = "auditor"


def may_write(actor: Actor | None, posts: tuple[str, ...], tries: bool = False) -> Actor | None:
    """Raises AuditorChangesNothing, also where any post may write, unless the route names the auditor or is one of `tries`."""
    if actor is not None and actor.post == AUDITOR and AUDITOR not in posts and not tries:
        raise AuditorChangesNothing()
    return actor


def call(*posts: str, tries: bool = False) -> Callable[..., Awaitable[Call]]:
    """A writing route for whoever holds one of `posts` now. `tries`: the rule behind it refuses, and records who tried."""

    async def check(
        request: Request,
        at: Annotated[Door, Depends(door)],
        actor: Annotated[Actor | None, Depends(who_calls)],
        key: Annotated[str, Depends(idempotency_key)],
        if_match: Annotated[
            str | None, Header(description="The ETag of what was read; 412 when it has moved on.")
        ] = None,
    ) -> Call:
        known = await _in_post(at, may_write(actor, posts, tries), posts)
        return Call(known, _cause(request, at, known, key, await request.body(), expected_version(if_match)))

    return check


async def open_call(
    request: Request, at: Annotated[Door, Depends(door)], key: Annotated[str, Depends(idempotency_key)]
) -> Call:
    """A writing route for the public."""
    return Call(PUBLIC, _cause(request, at, PUBLIC, key, await request.body(), None))


def form_call(*posts: str, public: bool = False) -> Callable[..., Awaitable[Call]]:
    """A posted form; its hidden field `command_id` takes the place of the Idempotency-Key, `version` that of If-Match."""

    async def check(
        request: Request,
        at: Annotated[Door, Depends(door)],
        bearer: Annotated[HTTPAuthorizationCredentials | None, Depends(BEARER)],
    ) -> Call:
        from_our_own_page(request)
        known = PUBLIC if public else await _in_post(at, may_write(await who_calls(request, at, bearer), posts), posts)
        form = await form_of(request)
        key = str(form.get("command_id") or uuid4())
        version = str(form.get("version") or "")
        body = repr(sorted((k, v) for k, v in form.multi_items() if isinstance(v, str))).encode()
        return Call(known, _cause(request, at, known, key, body, int(version) if version.isdecimal() else None))

    return check


async def form_of(request: Request) -> FormData:
    """The posted fields. A form with a file is refused before any of it is kept: a large one would be laid down in /tmp.

    Raises BadRequest.
    """
    try:
        return await request.form(max_files=0)
    except StarletteHTTPException as error:
        raise BadRequest(
            "form",
            "表单不收照片和文件，每一项不超过 1 MB。请去掉后再提交。",
            "The form takes no photos or files, and no field above 1 MB. Leave them out and send it again.",
        ) from error


def from_our_own_page(request: Request) -> None:
    """Raises NotPermitted for a form that another site sends in the reader's name. The cookie is SameSite=Strict besides."""
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise NotPermitted("a form of another site")


class Accepted(BaseModel):
    """What every writing route answers: the record, its stream and version, the events added."""

    id: str
    stream: str
    version: int
    events: list[UUID]
    repeated: bool = False


def accepted(answer: Answer, response: Response) -> Accepted:
    """The answer for HTTP, with the stream's version as ETag."""
    response.headers["ETag"] = etag(answer.version)
    record = answer.stream_id.split("-", 1)[-1]
    return Accepted(
        id=record, stream=answer.stream_id, version=answer.version, events=answer.events, repeated=answer.repeated
    )
