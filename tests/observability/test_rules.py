"""The alarms: promtool finds them sound and sees each fire and keep still; each says what to do, in two languages."""

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
RULES = sorted((FOLDER / "rules").glob("*.yml"))
TESTS = sorted((FOLDER / "tests").glob("*.yml"))
OPERATIONS = (ROOT / "docs" / "operations.md").read_text("utf-8")
SEVERITIES = {"critical", "warning", "info"}


def alarms() -> list[dict[str, Any]]:
    files = [yaml.safe_load(path.read_text("utf-8")) for path in RULES]
    return [rule for file in files for group in file["groups"] for rule in group["rules"]]


def headings() -> set[str]:
    return set(re.findall(r"^#+ (.+)$", OPERATIONS, re.MULTILINE))


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    assert found, "promtool is missing: make promtool (Debian's package prometheus)"
    return found


def checked(promtool: str, *words: str) -> str:
    done = subprocess.run([promtool, *words], capture_output=True, text=True, cwd=FOLDER)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_configuration_is_sound_and_takes_in_every_rule(promtool: str) -> None:
    said = checked(promtool, "check", "config", "prometheus.yml")
    assert f"{len(RULES)} rule files found" in said


def test_every_rule_is_sound(promtool: str) -> None:
    checked(promtool, "check", "rules", *(str(path) for path in RULES))


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name)
def test_every_alarm_fires_when_it_ought_to_and_keeps_still_when_not(promtool: str, path: Path) -> None:
    checked(promtool, "test", "rules", str(path))


def test_each_alarm_is_seen_to_fire_and_to_keep_still() -> None:
    fired: dict[str, set[bool]] = {}
    for path in TESTS:
        for test in yaml.safe_load(path.read_text("utf-8"))["tests"]:
            for case in test["alert_rule_test"]:
                if case["eval_time"] != "0s":
                    fired.setdefault(case["alertname"], set()).add(bool(case["exp_alerts"]))
    assert fired == {alarm["alert"]: {True, False} for alarm in alarms()}


@pytest.mark.parametrize("alarm", alarms(), ids=lambda alarm: str(alarm["alert"]))
def test_each_alarm_says_how_bad_it_is_and_where_the_remedy_stands(alarm: dict[str, Any]) -> None:
    name, said = alarm["alert"], alarm["annotations"]
    assert alarm["labels"]["severity"] in SEVERITIES
    assert re.search("[一-鿿]", said["summary_zh"]) and not re.search("[一-鿿]", said["summary"])
    assert said["runbook_url"] == f"docs/operations.md#{name.lower()}"
    assert name in headings()


def test_every_trouble_that_status_names_has_its_heading_too() -> None:
    source = (ROOT / "shared" / "findings.py").read_text("utf-8")
    kinds = set(re.findall(r'Finding\(\s*"(\w+)"', source))
    assert len(kinds) > 10
    assert kinds <= headings()
