"""`minewatch status`: what needs a person is said with its remedy, and the exit code says whether there is anything."""

import json
import subprocess
import sysconfig
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import nats
import nats.errors

from shared.cli.status import asked_nats
from shared.embedded.ports import free_port
from shared.stream import inbox_of
from tests.integration.notify.campaign import Campaign
from tests.integration.operations.refusing import a_refused_reaction
from tests.support.commands import command, environment_of
from tests.support.kernel import pause_at, until

APPOINTMENT = {
    "person": "p-new-keeper", "post": "keeper", "unit": "dulan", "village": "140181101207", "from_on": "2018-01-22",
    "name": "新任", "channels": ["in_app"],
}  # fmt: skip


@asynccontextmanager
async def a_deaf_nats() -> AsyncIterator[str]:
    """A server without JetStream: it takes connections, and no question about a stream is answered."""
    program, port = Path(sysconfig.get_path("scripts")) / "nats-server", free_port()
    server = subprocess.Popen([program, "--addr", "127.0.0.1", "--port", str(port)], stderr=subprocess.DEVNULL)
    try:
        await until(lambda: _takes_connections(f"nats://127.0.0.1:{port}"))
        yield f"nats://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait()


async def _takes_connections(url: str) -> bool:
    try:
        nc = await nats.connect(url, allow_reconnect=False, connect_timeout=1)
    except (nats.errors.Error, OSError):
        return False
    await nc.close()
    return True


def environment(campaign: Campaign, **changed: str) -> dict[str, str]:
    return environment_of(*(service.settings for service in campaign.town.services.values())) | changed


async def told(campaign: Campaign, *words: str, **changed: str) -> dict[str, Any]:
    """Service -> its part of the JSON. The campaign's clock stands in 2018, so every deadline of it is overdue here."""
    said = await command(environment(campaign, **changed), "status", "--json", *words)
    services = {one["service"]: one for one in json.loads(said.text)}
    assert said.code == any(one["findings"] for one in services.values())
    return services


def kinds(one: dict[str, Any]) -> dict[str, str | None]:
    found = {finding["kind"]: finding["command"] for finding in one["findings"]}
    found.pop("TimerOverdue", None)
    return found


async def test_services_whose_databases_are_named_are_looked_at(untouched: Campaign) -> None:
    seen = await told(untouched)
    assert sorted(seen) == ["cases", "notify"]
    assert kinds(seen["cases"]) == kinds(seen["notify"]) == {}
    notify, cases = seen["notify"]["database"], seen["cases"]["database"]
    assert (notify["step"], cases["sessions"] > 0) == (seen["notify"]["newest_step"], True)
    assert seen["cases"]["stream"]["last"] == cases["head"] > 0
    behind = {(f["follower"], f["source"]): (f["position"], f["behind"]) for f in seen["notify"]["followers"]}
    assert behind["receiver", "cases"] == behind["projection:plan", "cases"] == (cases["head"], 0)
    assert list(await told(untouched, "notify")) == ["notify"]


async def test_on_paper_it_says_what_to_do(campaign: Campaign) -> None:
    await a_refused_reaction(campaign)
    said = await command(environment(campaign), "status", "notify")
    assert said.code == 1
    assert "EventsParked" in said.text and "minewatch parked list notify" in said.text
    assert f"minewatch {(await told(campaign))['notify']['minewatch']}" in said.text


async def test_a_follower_that_stands_still_is_found_by_looking_twice(campaign: Campaign) -> None:
    hold = pause_at("projection plan: before the commit")
    for projection in campaign.notify.projections:
        if (projection.group, projection.walk.source) == ("plan", "cases"):
            projection.points = hold
    await campaign.town.post("/cases/v1/appointments", APPOINTMENT, campaign.headers("office_director"))
    await hold.reached.wait()
    seen = await told(campaign, "notify")
    assert kinds(seen["notify"]) == {"FollowerLags": "minewatch serve notify --only follower"}
    hold.go_on.set()
    await campaign.town.settled()
    assert kinds((await told(campaign, "notify"))["notify"]) == {}


async def test_what_does_not_answer_is_said_and_the_rest_is_looked_at(untouched: Campaign) -> None:
    nobody = "nats://127.0.0.1:9"
    seen = await told(untouched, "notify", MINEWATCH_NATS_URL=nobody)
    assert list(kinds(seen["notify"])) == ["NatsAway"]
    assert seen["notify"]["database"]["head"] == 0 and seen["notify"]["stream"] is None
    gone = "postgresql://notify_app:x@127.0.0.1:9/notify"
    seen = await told(untouched, MINEWATCH_NOTIFY_APP_DSN=gone)
    assert list(kinds(seen["notify"])) == ["DatabaseAway"] and kinds(seen["cases"]) == {}


async def test_a_database_of_an_earlier_version_is_sent_to_migrate(campaign: Campaign) -> None:
    database = campaign.notify.settings.app_dsn.rsplit("/", 1)[1]
    await campaign.intake.place.templates.run("REVOKE SELECT ON public.schema_version FROM notify_app", database)
    seen = await told(campaign, "notify")
    assert kinds(seen["notify"]) == {"SchemaOld": "minewatch migrate"}


async def test_without_any_setting_it_says_what_is_wanted() -> None:
    said = await command({"PATH": "/usr/bin:/bin"}, "status")
    assert said.code == 2 and "--data DIR" in said.text


async def test_it_asks_below_the_inbox_that_its_user_may_read(untouched: Campaign) -> None:
    url = untouched.notify.settings.nats_url
    async with asked_nats(url) as nc:
        assert nc is not None and nc.new_inbox().startswith(f"{inbox_of(url)}.")


async def test_nats_that_takes_connections_and_gives_no_answer_is_away_and_no_stream_is_called_behind(
    untouched: Campaign,
) -> None:
    """As with a permission that is missing."""
    async with a_deaf_nats() as url:
        seen = await told(untouched, "notify", MINEWATCH_NATS_URL=url)
    assert list(kinds(seen["notify"])) == ["NatsAway"]
    assert seen["notify"]["nats"] is None
