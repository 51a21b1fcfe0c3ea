"""A patrol by HTTP on real servers: planned, started, recorded with its GPX route, late from a phone that was offline."""

from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.support.services import Town

DULAN, BAZISHAN = "140181101207", "140181101204"
GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="Phone of Wang" xmlns="http://www.topografix.com/GPX/1/1">
<metadata><author><name>王某</name></author></metadata>
<trk><name>王某的路线</name><trkseg>
<trkpt lat="37.9000000" lon="112.1000000"><time>2018-01-22T00:00:00Z</time></trkpt>
<trkpt lat="37.9010000" lon="112.1010000"><time>2018-01-22T00:20:00Z</time></trkpt>
</trkseg></trk></gpx>"""
FINDING = {
    "category": "abandoned_shaft",
    "violation": "unlicensed_digging",
    "place": {"lat_e7": 379_000_000, "lon_e7": 1_121_000_000, "accuracy_m": 8},
    "summary": "封堵墙被扒开",
}


def record(town: Town, **changes: Any) -> dict[str, Any]:
    """What a phone sends: all five fields, one finding."""
    whole = {
        "village": DULAN,
        "unit": "dulan",
        "patrol_class": town.plan.codes("patrol_class")[0],
        "started_at": "2018-01-22T08:00:00+08:00",
        "ended_at": "2018-01-22T08:30:00+08:00",
        "members": ["p-village_head-dulan"],
        "gpx": GPX,
        "findings": [FINDING],
        "handling": town.plan.codes("handling")[0],
    }
    return {name: value for name, value in (whole | changes).items() if value is not None}


def path(step: str = "record") -> str:
    return f"/intake/v1/patrols/{uuid4()}/{step}"


async def test_a_planned_patrol_is_started_and_recorded(town: Town) -> None:
    head, patrol = town.headers("village_head", "dulan"), str(uuid4())
    plan = {"patrol": patrol, "village": DULAN, "unit": "dulan", "planned_on": "2018-01-22"}
    await town.post("/intake/v1/patrols", plan | {"patrol_class": town.plan.codes("patrol_class")[0]}, head)
    await town.post(f"/intake/v1/patrols/{patrol}/start", {}, town.headers("village_head", "dulan"))
    whole = record(town, village=None, unit=None, patrol_class=None)
    done = await town.post(f"/intake/v1/patrols/{patrol}/record", whole, town.headers("village_head", "dulan"))
    assert (done["id"], done["version"]) == (patrol, 3)
    shown = await town.get(f"/intake/v1/patrols/{patrol}", town.headers("clerk"))
    assert (shown["state"], shown["findings"], shown["village"], shown["metres"]) == ("recorded", 1, DULAN, 142)
    assert shown["found"][0]["summary"] == "封堵墙被扒开"
    assert [step["type"].split(".")[2] for step in shown["steps"]] == ["planned", "started", "recorded"]


async def test_each_of_the_five_fields_that_is_missing_is_named(town: Town) -> None:
    for field, rule in {
        "ended_at": "PatrolNeedsTime",
        "members": "PatrolNeedsMembers",
        "gpx": "PatrolNeedsRoute",
        "findings": "PatrolNeedsFindingsOrNone",
        "handling": "PatrolNeedsHandling",
    }.items():
        answer = await town.http.post(
            path(), json=record(town, **{field: None}), headers=town.headers("village_head", "dulan")
        )
        assert (answer.status_code, answer.json()["rule"]) == (422, rule)


async def test_a_finding_at_a_place_that_cases_could_not_keep_is_explained(town: Town) -> None:
    place = FINDING["place"] | {"accuracy_m": 3_000_000_000}  # type: ignore[operator]
    answer = await town.http.post(
        path(), json=record(town, findings=[FINDING | {"place": place}]), headers=town.headers("village_head", "dulan")
    )
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "findings.0.place.accuracy_m")


async def test_no_finding_is_said_and_not_left_out(town: Town) -> None:
    head = town.headers("village_head", "dulan")
    quiet = record(town, findings=None, no_finding=True)
    assert (await town.http.post(path(), json=quiet, headers=head)).status_code == 201


async def test_a_route_is_kept_without_names_and_given_back(town: Town) -> None:
    patrol = str(uuid4())
    head = town.headers("village_head", "dulan")
    await town.post(f"/intake/v1/patrols/{patrol}/record", record(town), head)
    gpx = await town.http.get(f"/intake/v1/patrols/{patrol}/route.gpx", headers=head)
    assert gpx.headers["content-type"].startswith("application/gpx+xml")
    assert 'lat="37.9010000"' in gpx.text and "王某" not in gpx.text and "Wang" not in gpx.text
    line = await town.get(f"/intake/v1/patrols/{patrol}/route.geojson", head)
    assert line["geometry"]["coordinates"][0][0] == [112.1, 37.9]


async def test_a_route_sent_before_is_named_by_its_hash(town: Town) -> None:
    head = town.headers("village_head", "dulan")
    kept = await town.http.post("/intake/v1/routes", content=GPX.encode(), headers=head)
    assert (kept.status_code, kept.json()["points"]) == (201, 2)
    named = record(town, gpx=None, route_sha256=kept.json()["sha256"])
    assert (await town.http.post(path(), json=named, headers=head)).status_code == 201
    unknown = record(town, gpx=None, route_sha256="0" * 64)
    answer = await town.http.post(path(), json=unknown, headers=town.headers("village_head", "dulan"))
    assert (answer.status_code, answer.json()["rule"]) == (422, "RouteNotKept")


async def test_a_record_from_a_phone_that_was_offline_keeps_its_own_time(town: Town) -> None:
    town.clock.move_to(town.clock.now() + timedelta(days=2))
    patrol = str(uuid4())
    head = town.headers("village_head", "dulan")
    await town.post(f"/intake/v1/patrols/{patrol}/record", record(town, offline=True), head)
    (step,) = (await town.get(f"/intake/v1/patrols/{patrol}", head))["steps"]
    assert step["occurred_at"] == "2018-01-22T00:30:00Z" and step["recorded_at"] > "2018-01-24"


async def test_a_village_records_and_sees_its_own_patrols_alone(town: Town) -> None:
    patrol = str(uuid4())
    await town.post(f"/intake/v1/patrols/{patrol}/record", record(town), town.headers("village_head", "dulan"))
    other = town.headers("village_head", "yinjiagou")
    assert (await town.http.get(f"/intake/v1/patrols/{patrol}", headers=other)).status_code == 404
    assert (await town.http.get(f"/intake/v1/patrols?village={DULAN}", headers=other)).status_code == 403
    assert {line["village"] for line in (await town.get("/intake/v1/patrols", other))["items"]} <= {BAZISHAN}
    assert (await town.http.post(path(), json=record(town), headers=other)).status_code == 403


async def test_a_clerk_records_on_somebodys_behalf_or_not_at_all(town: Town) -> None:
    answer = await town.http.post(path(), json=record(town), headers=town.headers("clerk"))
    assert answer.status_code == 403
    patrol = str(uuid4())
    for_head = town.headers("clerk", on_behalf_of="p-village_head-dulan")
    await town.post(f"/intake/v1/patrols/{patrol}/record", record(town), for_head)
    (step,) = (await town.get(f"/intake/v1/patrols/{patrol}", town.headers("clerk")))["steps"]
    assert step["on_behalf_of"] == "p-village_head-dulan;no_phone"


async def test_patrols_are_listed_page_by_page_newest_first(town: Town) -> None:
    clerk = town.headers("clerk")
    lines = (await town.get("/intake/v1/patrols", clerk, limit=200, state="recorded"))["items"]
    paged: list[Any] = []
    cursor = None
    while True:
        query = {"limit": 2, "state": "recorded"} | ({"cursor": cursor} if cursor else {})
        answer = await town.get("/intake/v1/patrols", clerk, **query)
        paged += answer["items"]
        if (cursor := answer["next"]) is None:
            break
    assert len(paged) > 4 and paged == lines
    ends = [line["ended_at"] for line in paged]
    assert ends == sorted(ends, reverse=True)


async def test_a_mistake_in_a_record_is_corrected_with_its_reason(town: Town) -> None:
    patrol = str(uuid4())
    await town.post(f"/intake/v1/patrols/{patrol}/record", record(town), town.headers("village_head", "dulan"))
    mend = {"field": "finding.1.summary", "value": {"text": "封堵墙有裂缝"}, "reason": "看错"}
    await town.post(f"/intake/v1/patrols/{patrol}/corrections", mend, town.headers("clerk"))
    shown = await town.get(f"/intake/v1/patrols/{patrol}", town.headers("clerk"))
    assert (shown["found"][0]["summary"], shown["version"]) == ("封堵墙有裂缝", 2)


async def test_a_correction_sent_again_gets_its_first_answer_though_the_patrol_has_moved_out_of_sight(
    town: Town,
) -> None:
    """The head's answer was lost; in the meantime the office says that it was another village."""
    path = f"/intake/v1/patrols/{uuid4()}"
    await town.post(f"{path}/record", record(town), town.headers("village_head", "dulan"))
    mend = {"field": "finding.1.summary", "value": {"text": "封堵墙有裂缝"}, "reason": "看错"}
    head = town.headers("village_head", "dulan")
    first = await town.post(f"{path}/corrections", mend, head)
    moved = {"field": "village", "value": {"code": BAZISHAN}, "reason": "在山的那边"}
    await town.post(f"{path}/corrections", moved, town.headers("clerk"))
    assert await town.post(f"{path}/corrections", mend, head) == first | {"repeated": True}
    other = await town.http.post(f"{path}/corrections", json=mend, headers=town.headers("village_head", "dulan"))
    assert other.status_code == 404
