"""A replay that can be looked at: a service's pages and reading API on a copy of its past, each marked, nothing to be done."""

import hmac
import secrets
from collections.abc import Mapping
from http.cookies import CookieError, SimpleCookie

import asyncpg
from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.app import App
from shared.audit.moment import Moment
from shared.audit.past import Readable
from shared.clock import SimulatedClock
from shared.decider import Actor
from shared.files import Files
from shared.identity.clients import Clients
from shared.identity.tokens import Tokens
from shared.plan.book import PlanBook
from shared.web.app import make_web_app
from shared.web.as_of import WHO, past_door
from shared.web.door import Door
from shared.web.service_app import event_routes

COOKIE = "minewatch_replay"
FIRST = {"cases": "/cases/hazards", "reporting": "/reporting/reports", "notify": "/notify/inbox", "intake": "/tip"}
POSTS = WHO
"""As whom a replay may be looked at."""


def replay_app(of: Readable, pool: asyncpg.Pool, moment: Moment, post: str) -> FastAPI:
    """The application of `of` on the copy behind `pool`, which shows `moment`, as a holder of `post` would see it."""
    settings, card = of.settings, of.card
    book = PlanBook(settings.plans)
    clock = SimulatedClock(moment.at)
    app = App(of.name, settings.jurisdiction, pool, card.deciders, card.inline, of.sealer, clock, book.terms)
    tokens = Tokens(settings.token_public)
    live = Door(app, of.pool, clock, Files(of.sealer), book, tokens, Clients(settings.clients), settings.secret)
    web = make_web_app(
        of.name,
        card.title,
        routers=[*card.routers, event_routes(of.name, card.closed)],
        templates=card.templates,
        rule_status=card.rule_status,
        ready=lambda: {},
    )
    web.state.door = past_door(live, pool, moment, entered=Actor("replay", post))
    web.state.replay = moment
    return web


class Front:
    """One door for the services that are replayed, for whoever has the address with the key: it is printed once."""

    def __init__(self, apps: Mapping[str, ASGIApp]) -> None:
        self._apps = dict(apps)
        self._rest = self._apps.get("intake") or next(iter(self._apps.values()))
        self.key = secrets.token_urlsafe(18)
        self.first = next(FIRST[name] for name in FIRST if name in self._apps)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        answer: ASGIApp = self._apps.get(scope["path"].split("/", 2)[1], self._rest)
        if scope["path"] == f"/enter/{self.key}":
            answer = RedirectResponse(self.first, 303)
            answer.set_cookie(COOKIE, self.key, httponly=True, samesite="strict")
        elif not hmac.compare_digest(_key_of(Headers(scope=scope)).encode(), self.key.encode()):
            text = "请打开命令行给出的地址。\nOpen the address that the command printed.\n"
            answer = PlainTextResponse(text, 401)
        await answer(scope, receive, send)


def _key_of(headers: Headers) -> str:
    """From the cookie, or for a program from the header Replay-Key."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        found = None
    return headers.get("replay-key", "") or (found.value if found is not None else "")
