"""Every rule about imports fails when it is broken. A rule that nobody has seen fail may be guarding nothing."""

import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINT = Path(sys.executable).parent / "lint-imports"
BREAKS = {
    "shared": ("shared/bell.py", "import services.cases.site"),
    "services": ("services/intake/tip.py", "import services.cases.site"),
    "intake": ("services/intake/api.py", "import services.intake.public_api"),
    "cases": ("services/cases/site.py", "import services.cases.read_models.site_line"),
    "reporting": ("services/reporting/bus.py", "import services.reporting.pages"),
    "notify": ("services/notify/timers.py", "import services.notify.bus"),
    "pure": ("services/notify/rules.py", "import random"),
    "doors": ("services/cases/pages.py", "import shared.database"),
    "read-models": ("services/intake/read_models/tip_line.py", "import shared.clock"),
    "contracts": ("shared/contracts/event.py", "import shared.plan.terms"),
    "signer": ("shared/signer/memory.py", "import shared.settings"),
    "witness": ("shared/witness/state.py", "import shared.settings"),
    "transparency": ("shared/transparency/tree.py", "import shared.contracts.envelope"),
    "verifier": ("shared/verifier/roots.py", "import shared.transparency.tree"),
}
"""Rule -> the file to spoil and the line that spoils it."""
EXHAUSTIVE = ("services", "intake", "cases", "reporting", "notify")


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    copy = tmp_path_factory.mktemp("checkout")
    for part in ("services", "shared"):
        shutil.copytree(ROOT / part, copy / part, ignore=shutil.ignore_patterns("__pycache__", "locale"))
    shutil.copy(ROOT / "pyproject.toml", copy)
    return copy


def lint(checkout: Path, rule: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [str(LINT), "--contract", rule], cwd=checkout, capture_output=True, text=True, env={"PYTHONPATH": str(checkout)}
    )


def test_every_rule_is_broken_here_once() -> None:
    rules = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]["contracts"]
    assert {rule["id"] for rule in rules} == set(BREAKS)
    assert {rule["id"] for rule in rules if rule.get("exhaustive")} == set(EXHAUSTIVE)


@pytest.mark.parametrize("rule", BREAKS)
def test_a_rule_holds_and_fails_when_it_is_broken(checkout: Path, rule: str) -> None:
    before = lint(checkout, rule)
    assert before.returncode == 0, before.stdout
    spoiled, line = checkout / BREAKS[rule][0], BREAKS[rule][1]
    text = spoiled.read_text("utf-8")
    spoiled.write_text(f"{text}\n{line}\n", "utf-8")
    try:
        after = lint(checkout, rule)
    finally:
        spoiled.write_text(text, "utf-8")
    assert after.returncode == 1, after.stdout
    assert "BROKEN" in after.stdout


@pytest.mark.parametrize("rule", EXHAUSTIVE)
def test_a_module_without_a_place_is_refused(checkout: Path, rule: str) -> None:
    stray = checkout / "services" / ("" if rule == "services" else rule) / "utils.py"
    stray.write_text('"""Belongs nowhere."""\n')
    try:
        after = lint(checkout, rule)
    finally:
        stray.unlink()
    assert after.returncode == 1 and "utils" in after.stdout, after.stdout
