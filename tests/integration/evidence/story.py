"""What happened to one hazard, told by HTTP: a named tip, a patrol with its route, the three-fix, a message, the close-out.

Last the police take the tip as evidence, and name the informant where they say why."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

from tests.integration.evidence.trail import Pen
from tests.support.services import Town

NAME, CONTACT, WORDS = "欧阳查无此", "13987650123", "磨盘沟第三棵槐树后面夜里有铲车"
VILLAGE, UNIT = "140181101207", "dulan"
GPX = """<?xml version="1.0"?>
<gpx version="1.1" creator="phone" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="37.9000000" lon="112.1000000"><time>2018-01-19T00:00:00Z</time></trkpt>
<trkpt lat="37.9010000" lon="112.1010000"><time>2018-01-19T00:20:00Z</time></trkpt>
</trkseg></trk></gpx>"""
PLACE = {"lat_e7": 379_000_000, "lon_e7": 1_121_000_000, "accuracy_m": 8}


@dataclass
class Told:
    """The town afterwards, and what there is in it. `site`, `hazard` …: ids."""

    town: Town
    pen: Pen
    tip: str
    patrol: str
    hazard: str
    site: str
    message: str
    report: str
    route: str
    disclosure: str
    record: str

    def who(self, post: str, **more: str) -> dict[str, str]:
        return self.town.headers(post, **more)

    async def pack(self, service: str, stream: str, post: str = "auditor", reason: str = "核对整改是否属实。") -> bytes:
        """Raises AssertionError when it is refused."""
        answer = await self.town.http.post(
            f"/{service}/v1/evidence-packs", json={"about": [stream], "reason": reason}, headers=self.who(post)
        )
        assert answer.status_code == 200, answer.text
        return answer.content


async def told(town: Town, pen: Pen) -> Told:
    plan = town.plan
    kind: dict[str, Any] = {
        "category": plan.codes("category")[0],
        "violation": plan.codes("violation")[0],
        "village": VILLAGE,
    }
    named = {"anonymous": False, "name": NAME, "contact": CONTACT}
    await town.post("/intake/v1/public/tips", {"words": WORDS, "village": VILLAGE, "place": PLACE, **named})
    tip = (await town.get("/intake/v1/tips", town.headers("clerk")))["items"][0]["tip"]
    tips = f"/intake/v1/tips/{tip}"
    await town.post(f"{tips}/screening", {"outcome": "to_verify", "summary": "沟里夜间有机械。"}, town.headers("clerk"))
    verified = {"result": "substantiated", "summary": "新挖坑口一处，无人。", "place": PLACE, **kind}
    await town.post(f"{tips}/verification", verified, town.headers("inspector"))
    await town.settled()
    (line,) = (await town.get("/cases/v1/hazards", town.headers("clerk")))["items"]
    hazard = f"/cases/v1/hazards/{line['hazard']}"
    head = next(p for p in town.loaded.plan.people if p.post == "village_head" and p.unit == UNIT)
    deadline = (town.clock.now() + timedelta(days=5)).isoformat()
    order = {"measure": plan.codes("measure")[0], "responsible": head.person, "responsible_unit": UNIT}
    order |= {"deadline_at": deadline, "measure_text": "封堵坑口，断电，设卡。"}
    await town.post(f"{hazard}/three-fix", order, town.headers("office_director"))
    patrol = str(uuid4())
    finding = {
        "category": kind["category"],
        "violation": kind["violation"],
        "place": PLACE,
        "summary": "坑口有新车辙。",
    }
    record = {
        "village": VILLAGE, "unit": UNIT, "patrol_class": plan.codes("patrol_class")[0], "gpx": GPX, "findings": [finding],
        "started_at": "2018-01-19T08:00:00+08:00", "ended_at": "2018-01-19T08:30:00+08:00", "members": [head.person],
        "handling": plan.codes("handling")[0],
    }  # fmt: skip
    await town.post(f"/intake/v1/patrols/{patrol}/record", record, town.headers("village_head", UNIT))
    await town.settled()
    await town.post(f"{hazard}/completion", {"report": "坑口已封堵，设备已清运。"}, town.headers("village_head", UNIT))
    await town.post(f"{hazard}/acceptance", {"note": "现场核实，合格。"}, town.headers("inspector"))
    named_site = {"category": kind["category"], "village": VILLAGE, "name": "磨盘沟坑口"}
    site = (await town.post("/cases/v1/sites", named_site, town.headers("clerk")))["id"]
    await town.settled()
    clerk = town.headers("clerk")
    messages = (await town.get("/notify/v1/messages", clerk, everybody="true", about=f"hazard-{line['hazard']}"))[
        "items"
    ]
    report = f"{plan.code}-{UNIT}-01"
    reporter = town.headers("designated_reporter", UNIT)
    await town.post(f"/reporting/v1/reports/{report}/submission", {"note": "第一期。"}, reporter)
    route = (await town.get(f"/intake/v1/patrols/{patrol}", clerk))["route_sha256"]
    grounds = {"tip": tip, "ground": "investigation", "grounds": "需要向举报人核实时间。"}
    disclosure = (await town.post("/intake/v1/disclosures", grounds, town.headers("office_director")))["id"]
    message = messages[0]["message"]
    await town.settled()
    worded = f"hazard-{line['hazard']}"
    words = {"record": worded, "ground": "names_person", "grounds": "摘要写了姓名"}
    await town.post("/intake/v1/words-erasures", words, town.headers("office_director"))
    story = Told(town, pen, tip, patrol, line["hazard"], site, message, report, route, disclosure, worded)
    await story.pack("intake", f"tip-{tip}", "police_officer", f"核对{NAME}反映的情况。")
    await town.settled()
    return story
