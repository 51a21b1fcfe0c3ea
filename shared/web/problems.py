"""Every error as an answer: application/problem+json (RFC 9457) for programs, a page for people."""

import re
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Any

from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel
from starlette.exceptions import HTTPException

from shared.errors import (
    AuditorChangesNothing,
    IdempotencyMismatch,
    MinewatchError,
    NotFound,
    NotPermitted,
    NotReady,
    NotSignedIn,
    Refusal,
    StreamNotFound,
    TooMuchForOneRecord,
    VersionConflict,
    own_words,
)
from shared.telemetry import correlation, log, places
from shared.web.language import says
from shared.web.remedies import Complaint, complaints_of
from shared.web.rendering import page, wants_page

MEDIA_TYPE = "application/problem+json"
AGAIN_AFTER = "5"
"""Seconds after which whoever met a 503 may ask again."""

STATUS: Mapping[type[MinewatchError], int] = {
    StreamNotFound: 404,
    AuditorChangesNothing: 403,
    TooMuchForOneRecord: 422,
    Refusal: 409,
    NotSignedIn: 401,
    NotPermitted: 403,
    NotFound: 404,
    VersionConflict: 409,
    IdempotencyMismatch: 409,
    NotReady: 503,
}
HTTP: Mapping[int, tuple[str, str]] = {
    400: ("请求有误。", "The request is not valid."),
    401: ("请先登录。", "Sign in first."),
    403: ("无权进行此操作。", "This is not permitted."),
    404: ("没有找到这个页面。", "There is no such page."),
    405: ("这个地址不支持这种请求方式。", "This address does not take that method."),
    413: ("发送的内容太大。", "What was sent is too large."),
    415: ("不支持这种内容类型。", "This content type is not taken."),
    429: ("请求太频繁，请稍后再试。", "Too many requests. Wait a moment and try again."),
    500: ("系统出错，这次操作没有完成。请稍后再试。", "Something broke, and this was not done. Try again later."),
    503: ("服务暂时不能办理，请稍后再试。", "The service cannot do this at the moment. Try again shortly."),
}

UNFIT = (
    "有一项内容不能保存：数字太大，或文字中含有不可见的控制符。",
    "Something that was sent cannot be kept: a number is too large, or a text holds an invisible control character.",
)


class BadRequest(MinewatchError):
    """A header or parameter that cannot be read; names it, and says in Chinese and English what to send."""

    def __init__(self, field: str, message: str, message_en: str, where: str = "body") -> None:
        super().__init__(field)
        self.complaint = Complaint(field=field, where=where, message=message, message_en=message_en)


class Problem(BaseModel):
    """RFC 9457, with the English beside the Chinese. `rule` and `facts` of a refusal; `errors` names fields and remedies."""

    type: str
    title: str
    title_en: str
    status: int
    detail: str
    rule: str | None = None
    facts: dict[str, Any] | None = None
    errors: list[Complaint] | None = None
    correlation_id: str | None = None


def words_of(error: MinewatchError) -> tuple[str, str]:
    """(Chinese, English) for whoever sent the request."""
    return own_words(type(error)) or (HTTP[503] if isinstance(error, NotReady) else HTTP[500])


async def on_minewatch_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MinewatchError)
    if isinstance(error, BadRequest):
        return _answer(request, 400, "malformed-request", HTTP[400], errors=[error.complaint])
    status = status_of(request, error)
    headers = {}
    if (seconds := getattr(error, "seconds", None)) is not None or status == 503:
        headers["Retry-After"] = str(seconds or AGAIN_AFTER)
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    rule, facts = (error.rule, error.facts) if isinstance(error, Refusal) else (None, {})
    return _answer(
        request,
        status,
        _slug(type(error).__name__),
        words_of(error),
        rule=rule,
        facts={k: _plain(v) for k, v in facts.items()},
        headers=headers,
    )


def status_of(request: Request, error: MinewatchError) -> int:
    """What the service says about the error's rule or a parent of it; else what stands above."""
    own: Mapping[str, int] = request.app.state.rule_status
    if isinstance(error, VersionConflict) and "if-match" in request.headers:
        return 412
    for kind in type(error).__mro__:
        if kind.__name__ in own:
            return own[kind.__name__]
        if kind in STATUS:
            return STATUS[kind]
    return 500


async def on_invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = complaints_of(error.errors())
    title = ("所填内容有误，请按说明修改。", "What was sent is not valid; change it as described.")
    status = 400 if any(e["type"] == "json_invalid" for e in error.errors()) else 422
    return _answer(request, status, "invalid-request", title, errors=found)


async def on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = dict(error.headers or {})
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=headers)
    words = HTTP.get(error.status_code) or HTTP[400 if error.status_code < 500 else 500]
    return _answer(request, error.status_code, f"http-{error.status_code}", words, headers=headers)


async def on_lost_connection(request: Request, error: Exception) -> Response:
    """The database went away under a reading route, or took its transaction; writing routes try again by themselves."""
    log("web").warning("lost", error=type(error).__name__)
    return _answer(request, 503, "not-ready", HTTP[503], headers={"Retry-After": AGAIN_AFTER})


async def on_unfit_value(request: Request, error: Exception) -> Response:
    """A number too large or a text with a NUL, which only the database minded. Which field it was is not known here."""
    log("web").warning("unfit", error=type(error).__name__, at=places(error))
    return _answer(request, 422, "unfit-value", UNFIT)


def broken(request: Request) -> Response:
    """The answer to an exception nobody expected; what it was stands in the log."""
    return _answer(request, 500, "broken", HTTP[500])


def _answer(
    request: Request,
    status: int,
    slug: str,
    words: tuple[str, str],
    *,
    rule: str | None = None,
    facts: dict[str, Any] | None = None,
    errors: Sequence[Complaint] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    if wants_page(request):
        told = [(c.field, says(c.message, c.message_en)) for c in errors or ()]
        return page(
            request, "error.html", status_code=status, headers=headers, status=status, said=says(*words), told=told
        )
    problem = Problem(
        type=f"urn:minewatch:problem:{slug}",
        title=words[0],
        title_en=words[1],
        status=status,
        detail=_detail(words, errors),
        rule=rule,
        facts=facts or None,
        errors=list(errors) if errors else None,
        correlation_id=correlation.get(),
    )
    return JSONResponse(problem.model_dump(exclude_none=True), status, headers, media_type=MEDIA_TYPE)


def _detail(words: tuple[str, str], errors: Sequence[Complaint] | None) -> str:
    if not errors:
        return " ".join(words)
    return " ".join([f"{c.field}：{c.message}" for c in errors] + [f"{c.field}: {c.message_en}" for c in errors])


def _slug(name: str) -> str:
    """ThreeFixNeedsDeadline → three-fix-needs-deadline."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "-", name).lower()


def _plain(value: object) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    return value if isinstance(value, str | int | bool | list | dict | None) else str(value)


_AS_PROBLEM = {MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
DESCRIBED: dict[int | str, dict[str, Any]] = {
    "4XX": {"description": "Refused: `rule` says why.", "content": _AS_PROBLEM},
    422: {"description": "A field is wrong: `errors` names it and the remedy.", "content": _AS_PROBLEM},
    503: {"description": "Not ready; see Retry-After.", "content": _AS_PROBLEM},
}
"""What the API description says about errors, for every route."""
