"""A small web application with one route for every kind of answer, spoken to without a network."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Literal

import asyncpg
import httpx
from fastapi import APIRouter, Depends, Header, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from shared.errors import (
    IdempotencyMismatch,
    MinewatchError,
    NotFound,
    NotPermitted,
    NotReady,
    NotSignedIn,
    Refusal,
    StreamNotFound,
    VersionConflict,
)
from shared.web.app import make_web_app
from shared.web.paging import Page, page_of, read_cursor
from shared.web.preconditions import etag, expected_version, idempotency_key
from shared.web.rendering import page

LEAK = "张三 13800000000"
"""What must not come back in any answer."""


class OreNeedsCart(Refusal):
    """矿石须有车辆。
    Ore needs a cart."""


class CartTooFull(OreNeedsCart):
    """车辆超载。
    The cart is too full."""


class CartTooSlow(OreNeedsCart):
    """车辆太慢。
    The cart is too slow."""


class Tired(MinewatchError):
    """请稍后再试。
    Come again later."""

    def __init__(self) -> None:
        super().__init__()
        self.seconds = 17


ERRORS: dict[str, Callable[[], Exception]] = {
    "refusal": lambda: OreNeedsCart(missing="cart", number=3),
    "full": CartTooFull,
    "slow": CartTooSlow,
    "tired": Tired,
    "no_stream": StreamNotFound,
    "not_signed_in": lambda: NotSignedIn(LEAK),
    "not_permitted": lambda: NotPermitted(LEAK),
    "not_found": lambda: NotFound(LEAK),
    "version": lambda: VersionConflict("ore-1"),
    "idempotency": lambda: IdempotencyMismatch("key"),
    "not_ready": lambda: NotReady("plan"),
    "lost": lambda: ConnectionResetError(LEAK),
    "gave_way": lambda: asyncpg.DeadlockDetectedError(LEAK),
    "broken": lambda: ValueError(LEAK),
    "no_template": lambda: FileNotFoundError(LEAK),
}

router = APIRouter(prefix="/ores")


class Ore(BaseModel):
    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=5)]
    kind: Literal["coal", "iron"]
    found_at: AwareDatetime | None = None


@router.get("/v1/errors/{kind}")
async def fail(kind: str) -> None:
    raise ERRORS[kind]()


@router.get("/errors/{kind}", include_in_schema=False)
async def fail_on_a_page(kind: str) -> None:
    raise ERRORS[kind]()


@router.post("/v1/ores", status_code=201, openapi_extra={"x-span": "ore-post"})
async def add_ore(body: Ore, response: Response, key: Annotated[str, Depends(idempotency_key)]) -> dict[str, str]:
    response.headers["ETag"] = etag(1)
    return {"name": body.name, "key": key}


@router.get("/v1/ores")
async def list_ores(cursor: str | None = None, limit: Annotated[int, Field(ge=1, le=50)] = 2) -> Page[int]:
    after = read_cursor(cursor, int)
    rows = [n for n in range(5) if after is None or n > after[0]]
    return page_of(rows[: limit + 1], limit, lambda n: n * 10, lambda n: (n,))


@router.get("/v1/seen")
async def seen(if_match: Annotated[str | None, Header()] = None) -> dict[str, int | None]:
    return {"version": expected_version(if_match)}


@router.post("/v1/size")
async def size(request: Request) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@router.get("/page", include_in_schema=False)
async def show(request: Request) -> Response:
    return page(request, "error.html", status=404, said="<矿石>", told=[])


def a_client(
    ready: dict[str, str] | None = None, templates: Path | None = None, rule_status: dict[str, int] | None = None
) -> httpx.AsyncClient:
    app = make_web_app(
        "ores",
        "ores",
        routers=[router],
        templates=templates,
        rule_status={"CartTooFull": 422, "Tired": 429} | (rule_status or {}),
        ready=lambda: ready or {},
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://ores.example")
