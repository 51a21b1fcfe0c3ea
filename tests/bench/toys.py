"""A service of one toy aggregate, on real keys and behind a real door: `python -m tests.bench.toys` serves it by HTTP."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated, Any
from uuid import UUID

import uvicorn
from fastapi import APIRouter, Depends, Response
from pydantic import BaseModel, ConfigDict

from shared.clock import SystemClock
from shared.reaction import Reactions
from shared.service import Service, ServiceCard
from shared.settings import Settings
from shared.telemetry import start_logging, start_tracing
from shared.timers import Timers
from shared.web.door import Accepted, Call, Door, accepted, door, open_call
from shared.web.service_app import web_of
from tests.bench.ground import Store
from tests.support.services import MASTER_KEY, SECRET, TOKEN_PRIVATE, TOKEN_PUBLIC
from tests.support.toy import LINES, TOY, OpenSite, no_terms

router = APIRouter(prefix="/cases/v1")
PATH = "/cases/v1/toys"


class ToyBody(BaseModel):
    model_config = ConfigDict(extra="forbid")

    site: UUID
    no: int
    name: str


@router.post("/toys", status_code=201)
async def open_toy(
    body: ToyBody,
    response: Response,
    at: Annotated[Door, Depends(door)],
    call: Annotated[Call, Depends(open_call)],
) -> Accepted:
    command = OpenSite(site=str(body.site), no=body.no, name=body.name)
    return accepted(await at.app.handle(command, call.cause), response)


CARD = ServiceCard("cases", "toy", (TOY,), (LINES,), {}, Reactions(), Timers(), (router,))


async def toys(store: Store, nats: str, pool: int, port: int = 0) -> Service:
    """Opened, nothing started. A plan is asked for once a second in a real service, so here it is never asked for."""
    settings = Settings(
        service=store.service,
        jurisdiction=store.jurisdiction,
        app_dsn=store.app,
        log_dsn=store.log,
        keys_dsn=store.keys,
        nats_url=nats,
        plans=Path("/nonexistent"),
        secret=SECRET,
        master_key=MASTER_KEY,
        token_public=TOKEN_PUBLIC,
        token_private=TOKEN_PRIVATE,
        pool=pool,
        port=port,
    )
    service = Service(CARD, settings, SystemClock(), frozenset())
    await service.open()
    service.app.terms = no_terms
    return service


async def serve(told: dict[str, Any]) -> None:
    """As `minewatch serve` does it, until the input ends."""
    service = await toys(Store(**told["store"]), told["nats"], told["pool"], told["port"])
    config = uvicorn.Config(web_of(service), host="127.0.0.1", port=told["port"], log_config=None, lifespan="off")
    server = uvicorn.Server(config)
    running = asyncio.create_task(server._serve())
    while not server.started and not running.done():
        await asyncio.sleep(0.01)
    print("ready", flush=True)
    await asyncio.to_thread(sys.stdin.read)
    server.should_exit = True
    await running
    await service.close()


if __name__ == "__main__":
    start_logging("WARNING")
    start_tracing("bench", None)
    asyncio.run(serve(json.loads(sys.stdin.readline())))
