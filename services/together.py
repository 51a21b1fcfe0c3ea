"""All four services in one process, behind one port, over an embedded Postgres and NATS: a town in a folder."""

import asyncio
import contextlib
import shutil
import signal
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send

from services.cases import main as cases
from services.intake import main as intake
from services.notify import main as notify
from services.reporting import main as reporting
from shared.clock import Clock, SystemClock
from shared.database import migrate, prepare_server
from shared.deliveries import BACK_OFF
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.embedded.processes import PidFile, ServerDidNotStart, keep_running
from shared.embedded.signing import EmbeddedSigner, EmbeddedWitness, introduced, signed_to_the_end, started_and_kept
from shared.ending import ended
from shared.errors import MinewatchError, NotReady
from shared.half_restored import refuse_half_town
from shared.parts import Points, no_points
from shared.plan.calendar import TOWN_TIME
from shared.plan.loader import LoadedPlan, load_plan
from shared.plan.shift import default_first_day, moved_to
from shared.service import Service
from shared.settings import SERVICES
from shared.telemetry import start_logging, start_tracing
from shared.web.service_app import KEEP_ALIVE, web_of

DESCRIBE = {
    "intake": intake.describe,
    "cases": cases.describe,
    "reporting": reporting.describe,
    "notify": notify.describe,
}
FIRST_PLAN = "zhenchengdi-2018.yaml"

HEARD = "SELECT count(*) FROM work.mark WHERE source = 'cases' AND follower = ANY($1::text[]) AND position >= $2"


class NoPlan(MinewatchError):
    """The folder holds no plan and none was given."""


class Front:
    """One door for four services: the first part of the path chooses; what belongs to none goes to intake's pages."""

    def __init__(self, apps: dict[str, ASGIApp]) -> None:
        self._apps = apps

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            return
        first = scope["path"].split("/", 2)[1]
        await self._apps.get(first, self._apps["intake"])(scope, receive, send)


@dataclass
class Together:
    """A running town."""

    home: Home
    plan: LoadedPlan
    services: dict[str, Service]
    apps: dict[str, ASGIApp]
    postgres: EmbeddedPostgres
    nats: EmbeddedNats
    front: Front = field(init=False)

    def __post_init__(self) -> None:
        self.front = Front(self.apps)

    async def quiet(self) -> bool:
        """Nothing pending, every mark at its head everywhere, no deadline due, no delivery open."""
        looks = {name: await service.standing() for name, service in self.services.items()}
        return all(look.quiet for look in looks.values()) and all(
            looks[name].received.get(source, 0) == looks[source].head
            for name, service in self.services.items()
            for source in service.card.consumes()
        )


def adopted_plan(home: Home, given: Path | None) -> LoadedPlan:
    """The plan to run by: the given file (kept in the folder), else the one kept there, else the shipped example, moved so that
    its campaign runs now. Raises NoPlan, PlanFileError."""
    home.plans.mkdir(parents=True, exist_ok=True)
    current = home.plans / "current"
    if given is not None:
        loaded = load_plan(given)
        kept = home.plans / f"{loaded.version.replace('@', '-')}.yaml"
        if not kept.exists():
            shutil.copyfile(given, kept)
        current.write_text(kept.name, "utf-8")
    elif not current.exists():
        kept = home.plans / "example.yaml"
        today = datetime.now(TOWN_TIME).date()
        kept.write_text(moved_to(load_plan(shipped(FIRST_PLAN)), default_first_day(today)), "utf-8")
        current.write_text(kept.name, "utf-8")
    return load_plan(home.plans / current.read_text("utf-8").strip())


def shipped(name: str) -> Path:
    """A plan file that comes with minewatch. Raises NoPlan."""
    path = Path(__file__).parent.parent / "deploy" / "plans" / name
    if not path.exists():
        raise NoPlan(f"give a plan file with --plan; {path} is not there")
    return path


@asynccontextmanager
async def town(
    folder: Path,
    plan: Path | None = None,
    clock: Clock | None = None,
    mail: str | None = None,
    points: Points = no_points,
    back_off: Sequence[timedelta] = BACK_OFF,
    say: Callable[[str], None] = lambda _: None,
) -> AsyncIterator[Together]:
    """Starts everything in `folder` and stops it again; `back_off` as in deliveries.

    Raises AlreadyRunning, ServerDidNotStart, PlanFileError, NotReady.
    """
    home = Home(folder.resolve())
    refuse_half_town(home.folder, home.known)
    home.folder.mkdir(parents=True, exist_ok=True)
    PidFile(home.run / "minewatch.pid", home.folder).claim()
    home.keep_mail(mail)
    loaded = adopted_plan(home, plan)
    start_logging(file=home.logs / "minewatch.jsonl")
    provider = start_tracing("minewatch", home.logs / "traces.jsonl")
    postgres = EmbeddedPostgres(home.folder / "postgres", home.run)
    nats = EmbeddedNats(home.folder / "nats", home.run)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(PidFile(home.run / "minewatch.pid", home.folder).remove)
        stack.callback(provider.shutdown)
        for server, name in ((postgres, "Postgres"), (nats, "NATS")):
            say(f"{name} …")
            await server.start()
            stack.push_async_callback(server.stop)
        signer = EmbeddedSigner(home.signer, home.run, [f"{loaded.plan.jurisdiction}/{name}" for name in SERVICES])
        witness = EmbeddedWitness(home.folder / "witness", home.run, loaded.plan.jurisdiction)
        with contextlib.suppress(ServerDidNotStart):  # it is said when it is started
            signer.make()
        for program in (signer, witness):
            stack.push_async_callback(program.stop)
        watches = [asyncio.create_task(keep_running(server)) for server in (postgres, nats)]
        stack.push_async_callback(ended, watches)
        watches.append(asyncio.create_task(started_and_kept(signer)))
        passwords = home.secrets["passwords"]
        await prepare_server(postgres.superuser_dsn, passwords)
        await migrate(postgres.superuser_dsn, passwords)
        say("intake, cases, reporting, notify …")
        services: dict[str, Service] = {}
        for name in SERVICES:
            settings = home.settings(name, loaded.plan.jurisdiction, postgres.superuser_dsn, nats.url)
            service = services[name] = Service(
                DESCRIBE[name](), settings, clock or SystemClock(), points=points, back_off=back_off
            )
            await service.open()
            stack.push_async_callback(service.close)
        await introduced(services.values(), signer, witness, home.policy)
        watches.append(asyncio.create_task(started_and_kept(witness)))
        for service in services.values():
            if service.outgrown:
                say(f"{service.name}: read models of an earlier version are built anew …")
                await service.rebuild()
        for service in services.values():
            service.start()
        await cases.adopt(services["cases"].app, loaded)
        await _obeyed(services)
        apps: dict[str, ASGIApp] = {name: web_of(service) for name, service in services.items()}
        stack.push_async_callback(signed_to_the_end, services.values())
        yield Together(home, loaded, services, apps, postgres, nats)


async def _obeyed(services: dict[str, Service]) -> None:
    """Waits until every service has heard of plan and posts, so that nobody is refused for want of them. Raises NotReady."""
    cases = services["cases"].pool
    try:
        async with asyncio.timeout(60):
            while await cases.fetchval("SELECT EXISTS (SELECT FROM work.pending)"):
                await asyncio.sleep(0.02)
            head = await cases.fetchval("SELECT position FROM work.head")
            for service in services.values():
                followers = [p.follower for p in service.projections if p.walk.source == "cases"]
                while await service.pool.fetchval(HEARD, followers, head) < len(followers):
                    await asyncio.sleep(0.02)
    except TimeoutError as error:
        raise NotReady("the services did not hear of the plan within a minute; see logs/minewatch.jsonl") from error


@asynccontextmanager
async def listening(together: Together, port: int, host: str = "127.0.0.1") -> AsyncIterator[str]:
    """The town's one door open on `port` (0: any free one); its address."""
    config = uvicorn.Config(
        together.front,
        host=host,
        port=port,
        log_config=None,
        lifespan="off",
        timeout_graceful_shutdown=5,
        timeout_keep_alive=KEEP_ALIVE,
    )
    server = uvicorn.Server(config)
    with contextlib.ExitStack() as sockets:
        socket = sockets.enter_context(contextlib.closing(config.bind_socket()))
        task = asyncio.create_task(server._serve(sockets=[socket]))
        while not server.started and not task.done():
            await asyncio.sleep(0.01)
        try:
            yield f"http://{host}:{socket.getsockname()[1]}"
        finally:
            server.should_exit = True
            await asyncio.gather(task, return_exceptions=True)


async def stopped() -> None:
    """Returns at SIGTERM or SIGINT."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, event.set)
    await event.wait()


async def up(folder: Path, port: int, plan: Path | None, mail: str | None, say: Callable[[str], None]) -> None:
    """Runs a town until it is told to stop."""
    async with town(folder, plan, mail=mail, say=say) as together, listening(together, port) as address:
        say(f"ready {address}")
        await stopped()
        say("stopping …")


def run(folder: Path, port: int, plan: Path | None, mail: str | None, say: Callable[[str], None]) -> None:
    """The entry point of `minewatch up`."""
    asyncio.run(up(folder, port, plan, mail, say))
