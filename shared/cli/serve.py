"""`minewatch serve SERVICE`: one service from environment settings, whole or in parts."""

import asyncio
import contextlib
import signal

import click
import uvicorn

from shared.cli.programs import service as service_of
from shared.service import Service
from shared.settings import PARTS, SERVICES
from shared.telemetry import start_logging, start_tracing
from shared.web.service_app import KEEP_ALIVE, web_of


@click.command()
@click.argument("service", type=click.Choice(SERVICES))
@click.option("--only", metavar="PARTS", help=f"a comma-separated choice of: {','.join(PARTS)}")
def serve(service: str, only: str | None) -> None:
    """Run SERVICE. Settings come from MINEWATCH_… variables; a missing one is named."""
    parts = frozenset(only.split(",")) if only else frozenset(PARTS)
    if unknown := parts - set(PARTS):
        raise click.BadParameter(f"no such part: {', '.join(sorted(unknown))}", param_hint="--only")
    asyncio.run(_serve(service_of(service, parts)))


async def _serve(service: Service) -> None:
    start_logging()
    start_tracing(service.name, None)
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    await service.open()
    try:
        service.start()
        if "web" not in service.only:
            click.echo(f"ready {service.name} {','.join(sorted(service.only))}")
            await stop.wait()
            return
        config = uvicorn.Config(
            web_of(service),
            host=service.settings.host,
            port=service.settings.port,
            log_config=None,
            lifespan="off",
            timeout_keep_alive=KEEP_ALIVE,
        )
        server = uvicorn.Server(config)
        running = asyncio.create_task(server._serve())
        click.echo(f"ready {service.name} http://{service.settings.host}:{service.settings.port}")
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({running, stopping}, return_when=asyncio.FIRST_COMPLETED)
        server.should_exit = True
        stopping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running
    finally:
        await service.close()
