"""Services as they run, each on databases of its own, in a town where the plan of 2018 is in force; spoken to by HTTP.

@pytest.fixture(scope="session")
def ground(postgres_server, nats_server): return Ground(Templates(postgres_server), nats_server)

async with a_service(ground, "intake") as town:                  # cases runs too: it publishes the plan
    tip = await town.post("/intake/v1/tips", {...}, town.headers("clerk"))
    await town.settled()
"""

import asyncio
import base64
import contextlib
import secrets
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
from starlette.types import ASGIApp, Receive, Scope, Send

from shared.clock import SimulatedClock
from shared.database import SCRATCH
from shared.decider import Actor
from shared.identity.token_keys import fresh_pair
from shared.identity.tokens import Tokens
from shared.plan.loader import LoadedPlan
from shared.plan.terms import PlanTerms
from shared.service import Service
from shared.settings import Settings
from shared.web.service_app import web_of
from tests.support.kernel import Templates
from tests.support.plans import REAL, loaded
from tests.support.servers import NatsAddress

FIRST_DAY = datetime(2018, 1, 15, 16, tzinfo=UTC)
"""2018-01-16 00:00 in the town: when the plan was adopted."""
MONDAY = datetime(2018, 1, 22, 1, tzinfo=UTC)
"""2018-01-22 09:00 in the town, where the clock stands unless a test says otherwise."""
SECRET = b"a secret for tests, long enough to be one"
MASTER_KEY = base64.b64encode(bytes(range(32))).decode()


TOKEN_PUBLIC, TOKEN_PRIVATE = fresh_pair()


@dataclass
class Ground:
    """What the towns of a session stand on. The adoption of a plan is recorded once, and copied for every town."""

    templates: Templates
    nats: NatsAddress
    _adopted: dict[str, tuple[str, str]] = field(default_factory=dict)

    async def adopted(self, plan: str) -> tuple[str, str]:
        """Names of a database `cases` in which the plan was adopted on FIRST_DAY, and of the keys that go with it."""
        if plan not in self._adopted:
            names = await self.templates.copy("cases"), await self.templates.copy("keys")
            with tempfile.TemporaryDirectory() as folder:
                settings = self.settings("cases", names[0], names[1], Path(folder), f"t{secrets.token_hex(4)}")
                service = Service(_described("cases"), settings, SimulatedClock(FIRST_DAY), frozenset())
                await service.open()
                try:
                    await import_module("services.cases.main").adopt(service.app, loaded(plan))
                finally:
                    await service.close()
            self._adopted[plan] = names
        return self._adopted[plan]

    def settings(self, service: str, database: str, keys: str, folder: Path, town: str, **more: Any) -> Settings:
        custodian = self._dsn(keys, "keys_custodian") if service == "intake" else None
        return Settings(
            service=service,
            jurisdiction=town,
            app_dsn=self._dsn(database, f"{service}_app"),
            log_dsn=self._dsn(database, f"{service}_log"),
            keys_dsn=self._dsn(keys, "keys_office"),
            nats_url=self.nats.url,
            plans=folder,
            secret=SECRET,
            master_key=MASTER_KEY,
            token_public=TOKEN_PUBLIC,
            token_private=TOKEN_PRIVATE,
            clients=folder / "clients.json",
            **({"scratch_dsn": self._dsn("postgres", SCRATCH), "keys_custodian_dsn": custodian} | more),
        )

    def _dsn(self, database: str, role: str) -> str:
        return self.templates.dsn(database, role)


def _described(name: str) -> Any:
    return import_module(f"services.{name}.main").describe()


@dataclass(repr=False)  # pytest's loop writes out what a fixture returned, twice a test, and this is long
class Town:
    """Some of the four services behind one door; `http` speaks to it without a network."""

    services: dict[str, Service]
    http: httpx.AsyncClient
    clock: SimulatedClock
    loaded: LoadedPlan
    tokens: Tokens
    folder: Path
    door: ASGIApp

    @property
    def plan(self) -> PlanTerms:
        return PlanTerms(self.loaded.plan, self.loaded.version)

    def token_for(
        self, post: str, unit: str | None = None, person: str | None = None, on_behalf_of: str | None = None
    ) -> str:
        """Of whoever holds `post` (in `unit`) by the plan. Raises StopIteration when nobody does."""
        holder = next(
            p
            for p in self.loaded.plan.people
            if p.post == post and unit in (None, p.unit) and person in (None, p.person)
        )
        ground = "no_phone" if on_behalf_of else None
        actor = Actor(holder.person, holder.post, holder.unit, holder.village, on_behalf_of, ground)
        return self.tokens.issue(actor, timedelta(hours=1))

    def headers(self, post: str, unit: str | None = None, **who: str) -> dict[str, str]:
        """The token of `token_for` and a fresh Idempotency-Key."""
        return {"Authorization": f"Bearer {self.token_for(post, unit, **who)}", "Idempotency-Key": str(uuid4())}

    async def post(self, path: str, body: dict[str, Any], who: dict[str, str] | None = None) -> Any:
        """The JSON answer. Raises AssertionError when it is no success."""
        answer = await self.http.post(path, json=body, headers=who or {"Idempotency-Key": str(uuid4())})
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def get(self, path: str, who: dict[str, str] | None = None, **query: Any) -> Any:
        answer = await self.http.get(path, params=query, headers=who)
        assert answer.is_success, f"{path}: {answer.status_code} {answer.text}"
        return answer.json()

    async def settled(self, seconds: float = 60.0) -> None:
        """Waits until every service has nothing left to do. Raises AssertionError with what still waits, if that has been the
        same for so long, or if there is no end to it."""
        until, last, end = 0.0, list[str](), asyncio.get_running_loop().time() + 10 * seconds
        while behind := await self._behind():
            now = asyncio.get_running_loop().time()
            if behind != last:
                until, last = now + seconds, behind
            assert now < min(until, end), behind
            await asyncio.sleep(0.02)

    async def _behind(self) -> list[str]:
        at = {name: await service.standing() for name, service in self.services.items()}
        behind = [f"{name}: {wait}" for name in at for wait in at[name].waits]
        for name, service in self.services.items():
            for source in self.services.keys() & service.card.consumes().keys():
                if at[name].received.get(source, 0) != at[source].head:
                    behind.append(f"{name} has {at[name].received.get(source, 0)} of {at[source].head} from {source}")
        return behind


class Door:
    """The first part of the path chooses the service, as in a whole town; the rest goes to intake, or to the first there is.

    A service's application is made when it is first asked for: many tests never ask some of theirs.
    """

    def __init__(self, services: dict[str, Service]) -> None:
        self._services = services
        self._apps: dict[str, ASGIApp] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        rest = "intake" if "intake" in self._services else next(iter(self._services))
        first = scope["path"].split("/", 2)[1]
        name = first if first in self._services else rest
        if name not in self._apps:
            self._apps[name] = web_of(self._services[name])
        await self._apps[name](scope, receive, send)


@asynccontextmanager
async def a_service(
    ground: Ground, *names: str, now: datetime = MONDAY, plan: str = REAL, town: str | None = None, **settings: Any
) -> AsyncIterator[Town]:
    """The services `names`, and cases, running in a town of their own. `town`: its code, else any; `settings`: more of
    shared.settings.Settings for all."""
    folder = Path(tempfile.mkdtemp(prefix="minewatch-town-"))
    shutil.copy(loaded(plan).path, folder)
    town = town or f"t{secrets.token_hex(4)}"
    adopted, keys = await ground.adopted(plan)
    async with contextlib.AsyncExitStack() as stack:
        stack.callback(shutil.rmtree, folder)

        async def lent(template: str) -> str:
            name = await ground.templates.lend(template)
            stack.push_async_callback(ground.templates.give_back, template, name)
            return name

        of_keys = await lent(keys)
        clock = SimulatedClock(now)
        services: dict[str, Service] = {}
        for name in dict.fromkeys(("cases", *names)):
            database = await lent(adopted if name == "cases" else name)
            given = ground.settings(name, database, of_keys, folder, town, **settings)
            service = services[name] = Service(_described(name), given, clock)
            await service.open()
            stack.push_async_callback(_close, service)
        for service in services.values():
            service.start()
        door = Door(services)
        client = httpx.AsyncClient(transport=httpx.ASGITransport(door), base_url="http://town.example")
        http = await stack.enter_async_context(client)
        made = Town(services, http, clock, loaded(plan), Tokens(TOKEN_PUBLIC, TOKEN_PRIVATE), folder, door)
        await made.settled()
        yield made


async def _close(service: Service) -> None:
    """Raises TimeoutError when a part does not stop."""
    async with asyncio.timeout(20):
        await service.close()
