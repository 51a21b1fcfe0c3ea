"""Rules and dashboard ask for nothing that the running services do not export."""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.integration.notify.campaign import Campaign
from tests.observability.test_rules import FOLDER, alarms

SELECTOR = re.compile(r"\b(minewatch_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)\s*(=~|=)\s*"([^"]*)"')
GRAFANA = FOLDER / "grafana"


def dashboard() -> dict[str, Any]:
    made: dict[str, Any] = json.loads((GRAFANA / "dashboards" / "minewatch.json").read_text("utf-8"))
    return made


def expressions() -> Iterator[str]:
    for alarm in alarms():
        yield alarm["expr"]
    for panel in dashboard()["panels"]:
        yield from (target["expr"] for target in panel["targets"])
    yield from (variable["query"]["query"] for variable in dashboard()["templating"]["list"])


async def exported(campaign: Campaign) -> list[tuple[str, dict[str, str]]]:
    """(name, labels) of every sample of cases and notify, after a letter was given up and requests were answered."""
    await campaign.live_tip()
    texts = [(await campaign.town.http.get(f"/{service}/metrics")).text for service in ("cases", "notify") * 2]
    families = [family for text in texts for family in text_string_to_metric_families(text)]
    return [(sample.name, sample.labels) for family in families for sample in family.samples]


def fits(labels: dict[str, str], matchers: list[tuple[str, str, str]]) -> bool:
    """Patterns and Grafana's variables need the label alone; they choose among values."""
    return all(name in labels and (how == "=~" or labels[name] == value) for name, how, value in matchers)


async def test_every_metric_and_label_that_is_asked_for_is_exported(campaign: Campaign) -> None:
    samples = await exported(campaign)
    asked = {found.groups() for expression in expressions() for found in SELECTOR.finditer(expression)}
    assert len(asked) > 20
    missing = [
        (name, selected)
        for name, selected in asked
        if not any(name == n and fits(labels, MATCHER.findall(selected or "")) for n, labels in samples)
    ]
    assert missing == []


@pytest.mark.parametrize("name", ["minewatch_no_such_thing", 'minewatch_timers{state="asleep"}'])
async def test_what_is_not_exported_would_be_found(campaign: Campaign, name: str) -> None:
    samples = await exported(campaign)
    [(metric, selected)] = SELECTOR.findall(name)
    assert not any(metric == n and fits(labels, MATCHER.findall(selected)) for n, labels in samples)


def test_every_panel_has_a_title_in_both_languages_and_asks_the_provisioned_source() -> None:
    source = (GRAFANA / "datasources" / "prometheus.yml").read_text("utf-8")
    for panel in dashboard()["panels"]:
        assert re.search("[一-鿿].* [A-Za-z]", panel["title"]), panel["title"]
        assert f"uid: {panel['datasource']['uid']}," in source
    assert len({panel["id"] for panel in dashboard()["panels"]}) == len(dashboard()["panels"])
