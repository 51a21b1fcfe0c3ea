"""The profile `observability` of docker-compose.yml: what it mounts is there, and what it measures can be reached.

The containers themselves are started by `make compose-test`.
"""

import os
import re
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.observability.test_rules import FOLDER, ROOT

TOWN: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text("utf-8"))
PROFILE = {name: one for name, one in TOWN["services"].items() if "observability" in one.get("profiles", [])}
JOBS = {
    job["job_name"]: job for job in yaml.safe_load((FOLDER / "prometheus.yml").read_text("utf-8"))["scrape_configs"]
}


def test_the_profile_has_its_three_containers() -> None:
    assert PROFILE.keys() == {"prometheus", "grafana", "disks"}


@pytest.mark.parametrize("service", PROFILE)
def test_what_is_mounted_is_there(service: str) -> None:
    for volume in PROFILE[service]["volumes"]:
        source = re.sub(r"\$\{\w+:-(\w+)\}", r"\1", volume).split(":")[0]
        assert (ROOT / source).exists() if source.startswith(".") else source in TOWN["volumes"]


def test_every_target_is_a_service_that_prometheus_reaches() -> None:
    reached = set(PROFILE["prometheus"]["networks"])
    targets = {
        target.split(":")[0]
        for job in JOBS.values()
        for config in job["static_configs"]
        for target in config["targets"]
    }
    assert {"intake", "cases", "reporting", "notify", "custodian", "disks"} == targets
    for target in targets:
        assert reached & set(TOWN["services"][target]["networks"]), target


def test_of_the_custodian_only_what_it_says_of_itself_is_kept() -> None:
    """It would count intake's rows twice."""
    keep, _ = JOBS["custodian"]["metric_relabel_configs"]
    kept = re.compile(keep["regex"])
    assert keep["action"] == "keep" and kept.fullmatch("minewatch_stopped")
    for of_database in (
        "parked_events",
        "timers",
        "log_head",
        "lag_events",
        "delivery_rows",
        "unsigned_oldest_seconds",
    ):
        assert not kept.fullmatch(f"minewatch_{of_database}")


def test_the_disks_are_seen_and_nothing_on_them_can_be_opened() -> None:
    disks = PROFILE["disks"]
    assert disks["volumes"] and all(volume.endswith(":ro") for volume in disks["volumes"])
    assert disks["cap_drop"] == ["ALL"] and disks["user"] == "65534:65534"


def test_compose_takes_the_profile() -> None:
    if not shutil.which("docker") or subprocess.run(["docker", "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker has no compose plugin here")
    names = set(re.findall(r"\$\{(MINEWATCH_\w+):\?", (ROOT / "docker-compose.yml").read_text("utf-8")))
    words = ["docker", "compose", "--env-file", "/dev/null", "--profile", "observability", "config", "--quiet"]
    done = subprocess.run(words, cwd=ROOT, env=os.environ | dict.fromkeys(names, "/x"), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
