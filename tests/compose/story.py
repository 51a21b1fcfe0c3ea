"""The way of a tip through the town's containers, by HTTP through the one door, while parts of the town are killed."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from shared.decider import Actor
from shared.identity.tokens import Tokens
from shared.plan.loader import load_plan
from shared.settings import SERVICES
from tests.compose.containers import Containers
from tests.compose.daemon import Failed, docker

WORDS = "沟口那个坑昨晚又有人在挖，我认得其中一个人。"
VILLAGE, UNIT = "140181101207", "dulan"
Answer = Any


def eventually(wanted: str, check: Callable[[], Any], seconds: float = 90) -> Any:
    """The first true answer of `check`. Raises Failed, naming what was wanted."""
    until = time.monotonic() + seconds
    answer: Any = None
    while time.monotonic() < until:
        try:
            if answer := check():
                return answer
        except (httpx.HTTPError, Failed, StopIteration) as error:
            answer = error
        time.sleep(0.5)
    raise Failed(f"{wanted}: not within {seconds:.0f} s, last: {str(answer)[:500]}")


@dataclass
class Story:
    """`tips`: the receipts given so far."""

    containers: Containers
    tips: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        settings = self.containers.settings
        self.plan = load_plan(self.containers.folder / "town" / settings["MINEWATCH_PLAN"]).plan
        keys = [settings[f"MINEWATCH_TOKEN_{kind}"].replace("\\n", "\n") for kind in ("PUBLIC", "PRIVATE")]
        self.tokens = Tokens(keys[0], keys[1])
        self.http = httpx.Client(base_url=self.containers.address, timeout=30)

    def token(self, post: str, unit: str | None = None) -> dict[str, str]:
        holder = next(p for p in self.plan.people if p.post == post and unit in (None, p.unit))
        actor = Actor(holder.person, holder.post, holder.unit, holder.village)
        return {"Authorization": f"Bearer {self.tokens.issue(actor, timedelta(hours=1))}"}

    def get(self, path: str, post: str, unit: str | None = None) -> Answer:
        """Raises Failed for any answer but a success."""
        return self._good(path, self.http.get(path, headers=self.token(post, unit)))

    def post(self, path: str, body: dict[str, Any], post: str | None = None) -> Answer:
        headers = {"Idempotency-Key": str(uuid4())} | (self.token(post) if post else {})
        return self._good(path, self.http.post(path, json=body, headers=headers))

    def _good(self, path: str, answer: httpx.Response) -> Answer:
        if not answer.is_success:
            raise Failed(f"{path}: {answer.status_code} {answer.text[:500]}")
        return answer.json()

    def send_tip(self, **more: Any) -> str:
        """Its receipt."""
        body = {"words": WORDS, "village": VILLAGE, **more}
        receipt: str = self.post("/intake/v1/public/tips", body)["receipt"]
        self.tips.append(receipt)
        return receipt

    def ready(self) -> bool:
        return all(self.http.get(f"/{service}/health/ready").status_code == 200 for service in SERVICES)

    def pages_are_shown_and_measurements_are_not(self) -> None:
        page = self.http.get("/")
        sheet = next(part for part in page.text.split('"') if part.startswith("/intake/static/sheet."))
        if self.http.get(sheet).status_code != 200:
            raise Failed(f"{sheet} is not there")
        for service in SERVICES:
            if self.http.get(f"/{service}/metrics").status_code != 404:
                raise Failed(f"the measurements of {service} are shown to anybody")
            inside = f"http://{service}:8080/{service}/metrics"
            if "minewatch_log_head" not in self.containers.compose("exec", "-T", "caddy", "wget", "-qO-", inside):
                raise Failed(f"{service} does not measure itself")

    def letters(self) -> list[str]:
        return [line for line in self.containers.logs("mail").splitlines() if '"subject"' in line]

    def a_tip_is_sent(self) -> None:
        """A live one: the office is called out at once, by letter too."""
        eventually("the plan has come to intake", lambda: self.send_tip(live=True))
        calls = "/notify/v1/messages?kind=live_call_out"
        eventually("a call to the duty officer", lambda: self.get(calls, "duty_officer")["items"])
        eventually("letters at the mail server", self.letters)

    def it_is_verified_while_cases_is_dead(self) -> str:
        """The hazard that comes of it once cases is back."""
        self.containers.compose("kill", "cases")
        tip = self.get("/intake/v1/tips", "clerk")["items"][0]["tip"]
        self.post(f"/intake/v1/tips/{tip}/screening", {"outcome": "to_verify", "summary": "井口附近"}, "clerk")
        found = {"category": "abandoned_shaft", "violation": "unlicensed_digging", "village": VILLAGE}
        body = {"result": "substantiated", "summary": "属实", **found}
        self.post(f"/intake/v1/tips/{tip}/verification", body, "inspector")
        visitor = self.token("clerk") | {"X-Forwarded-For": "203.0.113.9"}
        refused = self.http.get("/cases/v1/hazards", headers=visitor)
        if refused.status_code != 502:
            raise Failed(f"cases is dead and answers {refused.status_code}")
        self.containers.start("cases")
        (line,) = eventually("the hazard is listed", lambda: self.get("/cases/v1/hazards", "clerk")["items"])
        hazard: str = line["hazard"]
        return hazard

    def it_goes_on_while_nats_is_dead(self, hazard: str) -> None:
        """Tips are taken and an order is given; the village head hears of it once NATS is back."""
        self.containers.compose("kill", "nats")
        for _ in range(5):
            self.send_tip()
        order = {"measure": "sealing", "responsible": f"p-village_head-{UNIT}", "responsible_unit": UNIT}
        order["deadline_at"] = (datetime.now(UTC) + timedelta(days=7)).isoformat()
        self.post(f"/cases/v1/hazards/{hazard}/three-fix", order, "inspector")
        if "nats" in self.containers.running():
            raise Failed("NATS was to be dead all the while")
        self.containers.start("nats")
        asked = "/notify/v1/messages?kind=assignment"
        eventually("the assignment", lambda: self.get(asked, "village_head", UNIT)["items"])

    def nats_loses_everything(self) -> None:
        """Its volume is thrown away while tips come in; what `up` does again changes nothing else."""
        self.containers.compose("rm", "--stop", "--force", "nats")
        docker("volume", "rm", f"{self.containers.project}_nats")
        for _ in range(5):
            self.send_tip()
        self.containers.compose("up", "--detach", "--no-build", seconds=300)
        eventually("everything is ready again", self.ready)

    def the_figure_opens_its_events(self) -> None:
        # The newest: on a Saturday the example's first week is over, and these tips are of the second.
        newest = max(line["report"] for line in self.get("/reporting/v1/reports?scope=town", "clerk")["items"])
        report = f"/reporting/v1/reports/{newest}"

        def figures() -> dict[str, int]:
            shown = self.get(f"{report}/preview", "clerk")["figures"]
            return {one["figure"]: one["value"] for one in shown}

        wanted = {"hazards_listed": 1, "tips_received": len(self.tips)}
        eventually(f"figures {wanted}", lambda: wanted.items() <= figures().items())
        opened = self.get(f"{report}/figures/tips_received", "clerk")["events"]
        if len({one["event_id"] for one in opened}) != len(self.tips):
            raise Failed(f"{len(self.tips)} tips were sent, the figure opens {len(opened)} events")
        for receipt in self.tips:
            self.post("/intake/v1/public/tips/status", {"receipt": receipt})

    def wrong_receipts_are_counted_by_visitor(self) -> None:
        """Whoever guesses is slowed down, by the address the door passes on; the next visitor is not."""

        def guess(address: str) -> int:
            headers = {"Idempotency-Key": str(uuid4()), "X-Forwarded-For": address}
            asked = {"receipt": "0000-0000-0000-0000"}
            return self.http.post("/intake/v1/public/tips/status", json=asked, headers=headers).status_code

        first = [guess("203.0.113.7") for _ in range(25)]
        other = guess("203.0.113.8")
        if first[-1] != 429 or other in (429, first[-1]):
            raise Failed(f"25 wrong receipts of one visitor: {first}, then another: {other}")
