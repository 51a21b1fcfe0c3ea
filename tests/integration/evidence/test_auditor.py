"""The auditor sees everything's trail in all services, changes nothing, and learns nothing of who sent a tip.

Every route of every service stands in one of these tables: a new one fails here until somebody has decided.
"""

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts

from shared.web.service_app import web_of
from tests.integration.evidence.story import CONTACT, NAME, WORDS, Told

SERVICES = ("intake", "cases", "reporting", "notify")

READS = {
    "intake": """
        /intake/v1/tips  /intake/v1/tips/{tip}  /intake/v1/patrols  /intake/v1/patrols/{patrol}
        /intake/v1/patrols/{patrol}/route.gpx  /intake/v1/patrols/{patrol}/route.geojson
        /intake/patrols  /intake/patrols/{patrol}
        /intake/v1/disclosures  /intake/v1/disclosures/{disclosure}  /intake/v1/erasures  /intake/v1/retention
        /intake/v1/words-erasures  /intake/v1/words-erasures/{record}
        /intake/informants  /intake/informants/tips/{tip}  /intake/informants/disclosures/{disclosure}
        /intake/words  /intake/words/{record}
    """,
    "cases": """
        /cases/v1/hazards  /cases/v1/hazards/{hazard}  /cases/v1/hazards/{hazard}/timeline
        /cases/hazards  /cases/hazards/{hazard}
        /cases/v1/sites  /cases/v1/sites/{site}  /cases/v1/campaign  /cases/v1/appointments
    """,
    "reporting": """
        /reporting/v1/periods  /reporting/v1/reports  /reporting/v1/reports/{report}  /reporting/v1/reports/{report}/preview
        /reporting/v1/reports/{report}/figures/{figure}  /reporting/v1/late-recorded
        /reporting/reports  /reporting/reports/{report}  /reporting/reports/{report}/figures/{figure}
        /reporting/v1/reports/{report}/content
        /reporting/v1/reports/{report}/as-known  /reporting/reports/{report}/as-known
    """,
    "notify": """
        /notify/v1/messages  /notify/v1/messages/{message}  /notify/v1/outcomes  /notify/v1/dead-letters
        /notify/inbox  /notify/messages/{message}  /notify/dead-letters
    """,
}
READS_EVERYWHERE = "/v1/events/{event_id}  /v1/status  /status  /v1/openings  /openings"
"""Shown with 200. Parked events stand on the status."""

FOR_ALL = {
    "intake": """
        /  /tip  /tip/receipt  /tip/status  /sign-in  /intake/v1/public/channels
        /intake/patrols/{patrol}/opening
        /intake/informants/{kind}  /intake/informants/disclosures/{disclosure}/{step}  /intake/informants/tips/{tip}/{step}
        /intake/words/{record}/{step}
    """,
    "cases": "/cases/hazards/{hazard}/{step}",
}
FOR_ALL_EVERYWHERE = """
    /health/live  /health/ready  /static/{file}  /metrics  /openapi.json
    /v1/log  /v1/log/checkpoint  /v1/log/tile/{level}/{address:path}
"""
"""Without signing in: nothing about anybody. A refused form's address leads back to its page."""

ELSEWHERE = "/v1/log/events  /v1/log/tile/entries/{address:path}"
"""Between services; and the auditor's copy, which is begun with a reason first (tests of log_api)."""

FOR_THE_PUBLIC = {
    "intake": """
        /intake/v1/public/tips  /intake/v1/public/tips/status  /intake/v1/public/tips/supplements
        /tip/receipt  /tip/status  /tip/supplements  /sign-in  /sign-out
    """
}
"""Posted as anybody may, without a post."""

ORDERS = "/v1/evidence-packs  /evidence-packs  /v1/log/copies"
ORDERS_HERE = {"intake": "/intake/v1/patrols/{patrol}/opening  /intake/patrols/{patrol}/opening"}
"""What an auditor asks for; it is recorded as an opening."""


def listed(table: dict[str, str], everywhere: str, service: str) -> set[str]:
    return {*table.get(service, "").split(), *(f"/{service}{path}" for path in everywhere.split())}


def routes_of(app: FastAPI) -> Iterator[tuple[str, str]]:
    """(method, path), HEAD left out."""
    for route in iter_route_contexts(app.routes):
        for method in route.methods or ():
            if method != "HEAD":
                yield method, str(route.path)


@pytest.fixture(scope="module")
def apps(story: Told) -> dict[str, FastAPI]:
    return {name: web_of(story.town.services[name]) for name in SERVICES}


def address(path: str, story: Told, **more: Any) -> str:
    values = {
        name: getattr(story, name)
        for name in ("tip", "patrol", "hazard", "site", "message", "report", "disclosure", "record")
    }
    return path.format(**values, figure="patrols", step="approval", assignment="a-clerk-1", channel="email", **more)


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_been_decided(apps: dict[str, FastAPI], service: str) -> None:
    found = set(routes_of(apps[service]))
    gets = listed(READS, READS_EVERYWHERE, service) | listed(FOR_ALL, FOR_ALL_EVERYWHERE, service)
    gets |= listed({}, ELSEWHERE, service)
    assert {path for method, path in found if method == "GET"} == gets
    assert {method for method, _ in found} <= {"GET", "POST"}
    posts = {path for method, path in found if method == "POST"}
    assert listed(FOR_THE_PUBLIC, ORDERS, service) | listed(ORDERS_HERE, "", service) <= posts


@pytest.mark.parametrize("service", SERVICES)
async def test_the_auditor_reads_every_list_file_timeline_report_and_message(story: Told, service: str) -> None:
    event = await story.town.services[service].pool.fetchval(
        "SELECT event_id FROM record.log ORDER BY position LIMIT 1"
    )
    for path in sorted(listed(READS, READS_EVERYWHERE, service)):
        for at in (
            address(path, story, event_id=event),
            f"{address(path, story, event_id=event)}?everybody=true&limit=20",
        ):
            answer = await story.town.http.get(
                at, headers={**story.who("auditor"), "Accept": "text/html, application/json"}
            )
            assert answer.status_code == 200, f"{at}: {answer.status_code} {answer.text[:300]}"
            for secret in (NAME, CONTACT, WORDS, WORDS[:6], WORDS[-6:]):
                assert secret not in answer.text, f"{at} shows {secret}"


async def test_the_words_are_there_for_whoever_screens_and_the_name_for_a_leader(story: Told) -> None:
    """Or the search above would find nothing whatever was shown."""
    shown = await story.town.get(f"/intake/v1/tips/{story.tip}", story.who("clerk"))
    assert WORDS in str(shown)
    for at in ("/intake/v1/openings?limit=200", "/intake/openings"):
        headers = story.who("group_leader") | {"Accept": "text/html, application/json"}
        assert NAME in (await story.town.http.get(at, headers=headers)).text, at


@pytest.mark.parametrize("service", SERVICES)
async def test_every_command_of_the_auditor_is_refused(story: Told, apps: dict[str, FastAPI], service: str) -> None:
    before = await events(story)
    asked = 0
    for method, path in sorted(routes_of(apps[service])):
        if method != "POST" or path in listed(FOR_THE_PUBLIC, ORDERS, service) | listed(ORDERS_HERE, "", service):
            continue
        asked += 1
        at = address(path, story)
        more = {"json": {}} if "/v1/" in path else {"data": {"command_id": "1f0c1c3e-0000-4000-8000-000000000001"}}
        answer = await story.town.http.post(at, headers=story.who("auditor"), **more)
        assert answer.status_code == 403, f"{at}: {answer.status_code} {answer.text[:300]}"
        if not path.startswith(REFUSED_BY_THEIR_OWN_RULE):
            assert answer.json()["rule"] == "AuditorChangesNothing", at
            assert "审计" in answer.json()["title"]
    assert asked >= 4
    after = await events(story)
    changed = {name: after[name] - before[name] for name in SERVICES if after[name] != before[name]}
    assert all(type_ == "intake.disclosure.opening_refused.v1" for added in changed.values() for _, type_ in added)


REFUSED_BY_THEIR_OWN_RULE = ("/intake/v1/routes", "/intake/v1/disclosures/{disclosure}/opening", "/intake/informants/")
"""A file is no command; a try to open an identity is refused by the disclosure itself, which records the try; the desk's forms
show themselves again."""


async def events(story: Told) -> dict[str, set[tuple[Any, str]]]:
    sql = "SELECT event_id, type FROM record.event"
    return {
        name: {(row["event_id"], row["type"]) for row in await story.town.services[name].pool.fetch(sql)}
        for name in SERVICES
    }
