"""The shipped plans, read once for all tests."""

from functools import cache
from pathlib import Path

from shared.plan.loader import LoadedPlan, load_plan
from shared.plan.terms import PlanTerms

FOLDER = Path(__file__).parents[2] / "deploy" / "plans"
REAL = "zhenchengdi-2018.yaml"
SECOND = "yunlinggou-2021.yaml"
"""Another town, invented: three phases, no sealing, reports on Wednesdays."""


@cache
def loaded(name: str = REAL) -> LoadedPlan:
    return load_plan(FOLDER / name)


@cache
def plan(name: str = REAL) -> PlanTerms:
    of = loaded(name)
    return PlanTerms(of.plan, of.version)
