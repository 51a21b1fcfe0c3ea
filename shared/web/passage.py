"""What every request passes through: correlation, language, trace, measurement, security headers, a limit on size."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from re import compile as pattern
from typing import Any
from urllib.parse import parse_qs
from uuid import uuid4

from fastapi import Request
from opentelemetry import context, trace
from opentelemetry.trace import Span, SpanKind, Status, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from shared.telemetry import REQUESTS, correlation, log, places
from shared.web.language import COOKIE as LANGUAGE_COOKIE
from shared.web.language import LANGUAGES, chosen, language
from shared.web.problems import broken

MOST_BYTES = 9_000_000
"""Of a request's body: a GPX file of 4 MB inside JSON, every character escaped."""
CORRELATION = "x-correlation-id"
_CORRELATION = pattern(r"(?=.*[A-Za-z])[A-Za-z0-9][A-Za-z0-9._:-]{0,63}")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_W3C = TraceContextTextMapPropagator()

CSP = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' data:",
        "font-src 'self'",
        "connect-src 'self'",
        "manifest-src 'self'",
        "worker-src 'self'",
        "form-action 'self'",
        "base-uri 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS: Mapping[str, str] = {
    "content-security-policy": CSP,
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(self), geolocation=(self), microphone=()",
}


@dataclass
class Passage:
    """ASGI middleware. Unless a route says otherwise, nothing it answers is stored by anybody (Cache-Control: no-store)."""

    app: ASGIApp
    service: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        wished = _wished_language(scope)
        correlation_mark = correlation.set(_correlation_of(headers))
        language_mark = language.set(chosen(wished, _cookie(headers, LANGUAGE_COOKIE)))
        parent = _W3C.extract({"traceparent": headers.get("traceparent", "")}, context=context.Context())
        tracer = trace.get_tracer("minewatch")
        began = time.monotonic()
        try:
            with tracer.start_as_current_span(
                scope["method"],
                context=parent,
                kind=SpanKind.SERVER,
                attributes={"minewatch.service": self.service, "http.request.method": scope["method"]},
                record_exception=False,  # an exception's text may repeat what was sent
                set_status_on_exception=False,
            ) as span:
                status = await self._answer(scope, receive, send, wished)
                _describe(span, scope, status)
            method = scope["method"] if scope["method"] in _METHODS else "other"
            REQUESTS.labels(self.service, method, str(status)).observe(time.monotonic() - began)
        finally:
            language.reset(language_mark)
            correlation.reset(correlation_mark)

    async def _answer(self, scope: Scope, receive: Receive, send: Send, wished: str | None) -> int:
        """Runs the application; the status it answered with."""
        begun: list[int] = []

        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                begun.append(message["status"])
                _add_headers(MutableHeaders(scope=message), wished)
            await send(message)

        try:
            await self.app(scope, _limited(scope, receive), with_headers)
        except Exception as error:
            log("web", service=self.service).error("broken", route=_route(scope), **_where(error))
            if begun:
                raise
            await broken(Request(scope))(scope, receive, with_headers)
        return begun[0] if begun else 500


def _add_headers(headers: MutableHeaders, wished: str | None) -> None:
    for name, value in HEADERS.items():
        headers.setdefault(name, value)
    headers.setdefault("cache-control", "no-store")
    headers[CORRELATION] = correlation.get() or ""
    if wished in LANGUAGES:
        headers.append("set-cookie", f"{LANGUAGE_COOKIE}={wished}; Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax")


def _limited(scope: Scope, receive: Receive) -> Receive:
    """`receive`, but for bodies beyond MOST_BYTES, whether they say so or not. Raises HTTPException 413 inside the route."""
    said = Headers(scope=scope).get("content-length", "")
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        if said.isdigit() and int(said) > MOST_BYTES:
            raise HTTPException(413)
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MOST_BYTES:
            raise HTTPException(413)
        return message

    return counting


def _describe(span: Span, scope: Scope, status: int) -> None:
    """Named after the route: what it says under `x-span`, else its function's name. Never the address asked for."""
    route = scope.get("route")
    name = getattr(route, "name", None)
    if isinstance(name, str):
        extra: dict[str, Any] = getattr(route, "openapi_extra", None) or {}
        span.update_name(str(extra.get("x-span") or name.replace("_", "-")))
        span.set_attribute("http.route", _route(scope))
    span.set_attribute("http.response.status_code", status)
    if status >= 500:
        span.set_status(Status(StatusCode.ERROR))


def _route(scope: Scope) -> str:
    return str(getattr(scope.get("route"), "path", "none"))


def _where(error: Exception) -> dict[str, str]:
    """Kind of error and the places it passed, without its text and without values."""
    return {"error": type(error).__name__, "at": places(error)}


def _correlation_of(headers: Headers) -> str:
    """The caller's, if it is a system that signs in, and no bare number: it stands in every event, and may be a telephone's."""
    given = headers.get(CORRELATION, "") if "authorization" in headers else ""
    return given if _CORRELATION.fullmatch(given) else str(uuid4())


def _wished_language(scope: Scope) -> str | None:
    wishes = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("lang", [None])
    return wishes[-1] if wishes[-1] in LANGUAGES else None


def _cookie(headers: Headers, name: str) -> str | None:
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return None
    return found.value if found is not None else None
