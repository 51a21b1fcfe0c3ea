"""The services as programs of their own, the way a county runs them: migrated, a plan adopted, each started alone."""

import asyncio
import base64
import json
import os
import secrets
import shutil
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import httpx
import pytest

from shared.database import dsn_of
from shared.decider import Actor
from shared.embedded.ports import free_port
from shared.identity.token_keys import fresh_pair
from shared.identity.tokens import Tokens
from shared.settings import SERVICES
from tests.support.plans import loaded
from tests.support.servers import nats_from_wheel, postgres_from_wheel
from tests.support.town import eventually

MINEWATCH = str(Path(sys.executable).parent / "minewatch")
PLAN = Path(__file__).parents[2] / "deploy" / "plans" / "zhenchengdi-2018.yaml"


@pytest.fixture(scope="module")
def county(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The environment of every program: own servers, keys, a folder with the plan; passwords as `migrate` will make them."""
    folder = tmp_path_factory.mktemp("county")
    (folder / "plans").mkdir()
    shutil.copy(PLAN, folder / "plans")
    public, private = fresh_pair()
    with postgres_from_wheel() as postgres, nats_from_wheel() as nats:
        yield {
            "PATH": os.environ["PATH"],
            "MINEWATCH_SERVER_DSN": postgres.superuser_dsn,
            "MINEWATCH_PASSWORDS": str(folder / "passwords.json"),
            "MINEWATCH_NATS_URL": nats.url,
            "MINEWATCH_JURISDICTION": loaded().plan.jurisdiction,
            "MINEWATCH_PLANS": str(folder / "plans"),
            "MINEWATCH_SECRET": secrets.token_urlsafe(48),
            "MINEWATCH_MASTER_KEY": base64.b64encode(secrets.token_bytes(32)).decode(),
            "MINEWATCH_TOKEN_PUBLIC": public,
            "MINEWATCH_TOKEN_PRIVATE": private,
        }


async def run(environment: dict[str, str], *words: str) -> str:
    """What the command says. Raises AssertionError when it fails."""
    program = await asyncio.create_subprocess_exec(
        MINEWATCH, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said = (await program.communicate())[0].decode()
    assert program.returncode == 0, said
    return said


class Programs:
    """Started programs, and where the web ones listen."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.environment = environment
        self.running: list[asyncio.subprocess.Process] = []
        self.port = {service: free_port() for service in SERVICES}

    async def serve(self, service: str, only: str | None = None) -> asyncio.subprocess.Process:
        words = ["serve", service, *(["--only", only] if only else [])]
        environment = self.environment | {"MINEWATCH_PORT": str(self.port[service])}
        program = await asyncio.create_subprocess_exec(
            MINEWATCH, *words, env=environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
        )
        self.running.append(program)
        assert program.stdout is not None
        line = await asyncio.wait_for(program.stdout.readline(), 60)
        assert line.startswith(b"ready "), line
        return program

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self.port[service]}/{service}/v1"

    async def stop(self) -> list[int | None]:
        for program in self.running:
            if program.returncode is None:
                program.send_signal(signal.SIGTERM)
        return [await asyncio.wait_for(program.wait(), 30) for program in self.running]


@pytest.fixture
async def programs(county: dict[str, str]) -> AsyncIterator[Programs]:
    await run(county, "migrate", "--prepare")
    assert "newest step" in await run(county, "migrate")
    passwords = json.loads(Path(county["MINEWATCH_PASSWORDS"]).read_text())
    server = county["MINEWATCH_SERVER_DSN"]
    for service in SERVICES:
        for role in ("app", "log"):
            name = f"{service}_{role}"
            county[f"MINEWATCH_{name.upper()}_DSN"] = dsn_of(server, service, name, passwords[name])
    county["MINEWATCH_KEYS_DSN"] = dsn_of(server, "keys", "keys_office", passwords["keys_office"])
    first = await run(county, "plan", "adopt", str(PLAN))
    assert loaded().sha256 in first
    assert await run(county, "plan", "adopt", str(PLAN)) == first
    started = Programs(county)
    try:
        yield started
    finally:
        await started.stop()


async def test_services_started_alone_carry_a_tip_to_a_listed_hazard(programs: Programs) -> None:
    web = await programs.serve("intake", "web")
    await programs.serve("intake", "sequencer,relay,receiver,follower,timers,jobs")
    for service in ("cases", "reporting", "notify"):
        await programs.serve(service)
    county = programs.environment
    tokens = Tokens(county["MINEWATCH_TOKEN_PUBLIC"], county["MINEWATCH_TOKEN_PRIVATE"])

    def headers(post: str) -> dict[str, str]:
        holder = next(p for p in loaded().plan.people if p.post == post)
        actor = Actor(holder.person, holder.post, holder.unit, holder.village)
        return {"Authorization": f"Bearer {tokens.issue(actor, timedelta(hours=1))}", "Idempotency-Key": str(uuid4())}

    async with httpx.AsyncClient(timeout=30) as http:
        open_to_all = f"{programs.url('intake')}/public/tips"

        async def sent() -> bool:
            answer = await http.post(open_to_all, json={"words": "有人挖煤"}, headers={"Idempotency-Key": "one"})
            return answer.status_code == 201  # 409 until the plan has come by NATS

        await eventually(sent)
        tip = (await http.get(f"{programs.url('intake')}/tips", headers=headers("clerk"))).json()["items"][0]["tip"]
        verified = {"category": "abandoned_shaft", "violation": "unlicensed_digging", "village": "140181101207"}
        for step, body, post in (
            ("screening", {"outcome": "to_verify", "summary": "井口附近"}, "clerk"),
            ("verification", {"result": "substantiated", "summary": "属实", **verified}, "inspector"),
        ):
            answer = await http.post(f"{programs.url('intake')}/tips/{tip}/{step}", json=body, headers=headers(post))
            assert answer.status_code == 201, answer.text

        async def listed() -> bool:
            hazards = await http.get(f"{programs.url('cases')}/hazards", headers=headers("clerk"))
            return bool(hazards.json()["items"])

        await eventually(listed)
    web.kill()
    await web.wait()
    assert [code for code in await programs.stop() if code not in (0, -signal.SIGKILL)] == []


async def test_a_missing_setting_is_named(county: dict[str, str]) -> None:
    bare = {name: value for name, value in county.items() if name != "MINEWATCH_NATS_URL"}
    with pytest.raises(AssertionError, match="set MINEWATCH_"):
        await run(bare, "serve", "cases")
