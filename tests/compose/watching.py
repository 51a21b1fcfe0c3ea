"""The profile `observability`: Prometheus sees every service and every disk, and Grafana shows its dashboard."""

import json
from typing import Any
from urllib.parse import quote

import httpx

from shared.settings import SERVICES
from tests.compose.checks import must
from tests.compose.containers import Containers
from tests.compose.daemon import ROOT, Failed
from tests.compose.story import eventually

WATCHERS = ("prometheus", "grafana", "disks")
PULLING = 90
"""Seconds. Who has no image by then goes without this test."""


def lacks_images(containers: Containers) -> str:
    """Why an image is neither here nor can be fetched quickly; empty when all are here."""
    try:
        containers.compose("pull", "--quiet", "--policy", "missing", *WATCHERS, seconds=PULLING)
    except Failed as error:
        return str(error).strip().splitlines()[-1]
    return ""


def they_are_watched(containers: Containers) -> None:
    containers.compose("up", "--detach", "--no-build", *WATCHERS, seconds=300)

    def asked(path: str) -> Any:
        address = f"http://127.0.0.1:9090/api/v1/{path}"
        return json.loads(containers.compose("exec", "-T", "prometheus", "wget", "-qO-", address))["data"]

    def values(query: str) -> dict[str, float]:
        """By service."""
        found = asked(f"query?query={quote(query)}")["result"]
        return {one["metric"].get("service", ""): float(one["value"][1]) for one in found}

    everybody = dict.fromkeys((*SERVICES, "custodian", "disks"), 1.0)
    eventually("every target is up", lambda: values("up") == everybody)
    must(values("minewatch_log_head").keys() == set(SERVICES), "the custodian counts what intake counts")
    must("custodian" in values("minewatch_database_up"), "the custodian is not measured")
    disks = values('count by (service) (node_filesystem_avail_bytes{mountpoint=~"/watched/(postgres|nats|backups)"})')
    must(disks == {"disks": 3.0}, f"disks that are seen: {disks}")
    rules = [rule["name"] for group in asked("rules")["groups"] for rule in group["rules"]]
    must({"ServiceDown", "DiskLow"} <= set(rules), f"the rules are {rules}")

    settings = containers.settings
    who = ("admin", settings["MINEWATCH_GRAFANA_PASSWORD"])
    with httpx.Client(base_url=f"http://127.0.0.1:{settings['MINEWATCH_GRAFANA_PORT']}", auth=who) as grafana:
        shipped = json.loads((ROOT / "deploy/observability/grafana/dashboards/minewatch.json").read_text("utf-8"))
        dashboard = f"/api/dashboards/uid/{shipped['uid']}"
        eventually("the dashboard is there", lambda: grafana.get(dashboard).is_success)
        source = "/api/datasources/proxy/uid/minewatch-prometheus/api/v1/query"
        seen = grafana.get(source, params={"query": "up"})
        must(seen.is_success and bool(seen.json()["data"]["result"]), f"Grafana sees nothing: {seen.text[:300]}")
