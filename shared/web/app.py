"""The frame of a service's web application: routes go in, and come out traced, measured, guarded and described."""

from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import asyncpg
from fastapi import APIRouter, FastAPI, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.telemetry import TelemetryConfig
from starlette.exceptions import HTTPException

from shared.app import AGAIN, LOST
from shared.errors import MinewatchError
from shared.web import as_of, problems
from shared.web.as_of import AsOf
from shared.web.assets import Assets
from shared.web.passage import Passage
from shared.web.problems import Problem
from shared.web.rendering import Frame, frame_of

VERSION = "1"
AWAY = (*(kind for kind in LOST if kind is not OSError), ConnectionError, TimeoutError, *AGAIN)
"""A missing file or template is an OSError too, and no reason to ask again later. AGAIN: a reader that met a swap of read models,
and had to give way."""
NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans hold the caller's address and the path; passage.py makes ours, which hold neither."""


def make_web_app(
    name: str,
    title: str,
    *,
    routers: Sequence[APIRouter],
    templates: Path | None,
    rule_status: Mapping[str, int],
    ready: Callable[[], dict[str, str]],
) -> FastAPI:
    """`rule_status`: an error's class name -> the status it answers with; `ready`: part -> why it is not, empty when it is."""
    app = FastAPI(
        title=title,
        version=VERSION,
        telemetry=NO_TELEMETRY,
        openapi_url=f"/{name}/openapi.json",
        docs_url=None,  # their pages come with scripts from elsewhere
        redoc_url=None,
        swagger_ui_oauth2_redirect_url=None,
        responses=problems.DESCRIBED,
        redirect_slashes=False,
    )
    assets, app.state.frame = _looks(name, templates)
    app.state.rule_status = dict(rule_status)
    app.add_middleware(AsOf, service=name)
    app.add_middleware(Passage, service=name)  # the outermost
    app.add_exception_handler(MinewatchError, problems.on_minewatch_error)
    app.add_exception_handler(RequestValidationError, problems.on_invalid_request)
    app.add_exception_handler(HTTPException, problems.on_http_exception)
    app.add_exception_handler(asyncpg.DataError, problems.on_unfit_value)
    for kind in AWAY:
        app.add_exception_handler(kind, problems.on_lost_connection)
    app.include_router(health_routes(ready), prefix=f"/{name}")
    app.include_router(assets.router(), prefix=f"/{name}")
    for router in routers:
        app.include_router(router)
    app.openapi = lambda: _described(app, name)  # type: ignore[method-assign]
    return app


@cache
def _looks(name: str, templates: Path | None) -> tuple[Assets, Frame]:
    """Files that do not change under a running process."""
    assets = Assets(name)
    return assets, frame_of(name, assets, templates)


def health_routes(ready: Callable[[], dict[str, str]]) -> APIRouter:
    router = APIRouter(prefix="/health", include_in_schema=False)

    @router.get("/live")
    async def live() -> dict[str, str]:
        """The process answers."""
        return {"status": "live"}

    @router.get("/ready")
    async def is_ready(response: Response) -> dict[str, object]:
        """503 with the reasons while a part has stopped and needs a person."""
        if reasons := ready():
            response.status_code = 503
            response.headers["Retry-After"] = problems.AGAIN_AFTER
            return {"status": "not ready", "reasons": reasons}
        return {"status": "ready"}

    return router


def _described(app: FastAPI, name: str) -> dict[str, Any]:
    """OpenAPI 3.1: with the problem's schema, Idempotency-Key as the requirement it is, and `as_of` on what is read."""
    if app.openapi_schema is None:
        made = get_openapi(title=app.title, version=app.version, openapi_version="3.1.0", routes=app.routes)
        schemas = made.setdefault("components", {}).setdefault("schemas", {})
        described = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
        schemas |= described.pop("$defs", {}) | {"Problem": described}
        for unused in ("HTTPValidationError", "ValidationError"):
            schemas.pop(unused, None)
        for operations in made.get("paths", {}).values():
            for operation in operations.values():
                for parameter in operation.get("parameters", ()):
                    if parameter["name"] == "Idempotency-Key":
                        parameter["required"] = True
        as_of.describe(made, name)
        app.openapi_schema = made
    return app.openapi_schema
