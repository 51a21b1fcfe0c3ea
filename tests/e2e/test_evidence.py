"""A hazard as evidence: taken from a running town, verified where there is nothing but Python and `cryptography`."""

import asyncio
import json
import sys
import zipfile
from datetime import UTC, datetime, timedelta
from importlib.metadata import files
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from shared.embedded.home import Home
from shared.plan.loader import load_plan
from tests.support.town import Town, eventually

GPX = """<?xml version="1.0"?><gpx version="1.1" creator="phone" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>
<trkpt lat="37.9" lon="112.1"><time>2018-01-22T00:00:00Z</time></trkpt>
<trkpt lat="37.901" lon="112.101"><time>2018-01-22T00:20:00Z</time></trkpt></trkseg></trk></gpx>"""
BARE = "import runpy, sys; sys.path.append(sys.argv.pop(1)); sys.argv.pop(0); runpy.run_path(sys.argv[0], run_name='__main__')"
"""`python -I -S -c BARE SITE verify.pyz …`: the standard library, and what lies in SITE."""


async def a_hazard(town: Town) -> str:
    """From a patrol of just now; its stream."""
    home = Home(town.folder)
    plan = load_plan(home.plans / (home.plans / "current").read_text("utf-8").strip()).plan
    head = next(p for p in plan.people if p.post == "village_head")
    now = datetime.now(UTC)
    kind = {"category": plan.categories[0].code, "violation": plan.violations[0].code}
    body: dict[str, Any] = {
        "village": head.village, "unit": head.unit, "patrol_class": plan.patrols.classes[0].code, "gpx": GPX,
        "started_at": (now - timedelta(hours=1)).isoformat(), "ended_at": now.isoformat(), "members": [head.person],
        "findings": [{**kind, "summary": "封堵墙被扒开。"}], "handling": plan.patrols.handling[0].code,
    }  # fmt: skip
    patrol = f"patrol-{uuid4()}"
    who = town.headers("village_head", head.unit)
    await town.post(f"/intake/v1/patrols/{patrol.removeprefix('patrol-')}/record", body, who)

    async def listed() -> str | None:
        auditor = town.headers("auditor")
        for line in (await town.get("/cases/v1/hazards", auditor, limit=200))["items"]:
            whole = await town.get(f"/cases/v1/hazards/{line['hazard']}", auditor)
            if patrol in {source["ref"] for source in whole["sources"]}:
                return f"hazard-{line['hazard']}"
        return None

    found: str = await eventually(listed)
    return found


async def run(*words: str, cwd: Path | None = None) -> tuple[int, str]:
    done = await asyncio.create_subprocess_exec(
        *words, cwd=cwd, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    said, _ = await done.communicate()
    assert done.returncode is not None
    return done.returncode, said.decode()


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A folder with `cryptography` and what it needs, and nothing else."""
    site = tmp_path / "site"
    site.mkdir()
    for package in ("cryptography", "cffi", "pycparser"):
        for top in {Path(str(file)).parts[0] for file in files(package) or () if not str(file).startswith("..")}:
            target = Path(sys.prefix) / "lib" / f"python3.{sys.version_info.minor}" / "site-packages" / top
            if target.exists():
                (site / top).symlink_to(target)
    return tmp_path


async def test_a_hazard_taken_as_evidence_verifies_elsewhere_and_fails_with_one_event_removed(
    running_town: Town, machine: Path
) -> None:
    hazard = await a_hazard(running_town)
    pack = machine / "pack.zip"
    minewatch = str(Path(sys.executable).parent / "minewatch")
    taken = ("audit", "pack", "cases", hazard, "--to", str(pack), "--reason", "核对这一隐患。", "--as", "p-auditor-1")
    code, said = await run(minewatch, *taken, "--data", str(running_town.folder))
    assert code == 0, said
    assert {line.split(":")[0] for line in said.splitlines()} >= {"cases", "intake"}, "what it came from is in it too"
    with zipfile.ZipFile(pack) as archive:
        archive.extract("minewatch-verify.pyz", machine)
        names = archive.namelist()
        assert any(name.startswith("intake/files/") for name in names), "and the route that was walked"
    (machine / "my-policy").write_bytes(Home(running_town.folder).policy.read_bytes())

    async def verified(path: Path) -> tuple[int, str]:
        words = (
            "-I",
            "-S",
            "-c",
            BARE,
            str(machine / "site"),
            "minewatch-verify.pyz",
            path.name,
            "--policy",
            "my-policy",
        )
        return await run(sys.executable, *words, cwd=machine)

    code, said = await verified(pack)
    assert (code, "Result: all proven" in said) == (0, True), said
    for service in ("cases", "intake"):
        less = machine / f"less-{service}.zip"
        gone = next(name for name in names if name.startswith(f"{service}/events/"))
        without(pack, less, service, gone)
        code, said = await verified(less)
        assert code == 1 and "all proven" not in said and service in said, said
        one_part_less(pack, less, service)
        code, said = await verified(less)
        assert code == 1 and f"the pack has a part of {service}, and it is not there" in said, said


def one_part_less(pack: Path, less: Path, service: str) -> None:
    with zipfile.ZipFile(pack) as whole, zipfile.ZipFile(less, "w") as part:
        for name in whole.namelist():
            if not name.startswith(f"{service}/"):
                part.writestr(name, whole.read(name))


def without(pack: Path, less: Path, service: str, gone: str) -> None:
    """The pack without one event and its proof, and without a word about either."""
    position = int(gone[-13:-5])
    with zipfile.ZipFile(pack) as whole, zipfile.ZipFile(less, "w") as part:
        for name in whole.namelist():
            content = whole.read(name)
            if name == f"{service}/pack.json":
                index = json.loads(content)
                index["events"].remove(position)
                content = json.dumps(index).encode()
            if name not in (gone, f"{service}/proofs/{position:08}.tlog-proof"):
                part.writestr(name, content)
