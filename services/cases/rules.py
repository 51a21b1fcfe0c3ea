"""Rules that site, hazard and appointments share: a plan must be in force, and codes must stand in it."""

from shared.errors import NoPlanInForce, Refusal
from shared.plan.terms import PlanTerms, Terms


class NotInPlan(Refusal):
    """实施方案中没有这个代码。请从名单中选择。
    The plan knows no such code. Choose one from the list."""


def plan_of(terms: Terms) -> PlanTerms:
    """The plan in force. Raises NoPlanInForce."""
    if terms.plan is None:
        raise NoPlanInForce
    return terms.plan


def must_know(plan: PlanTerms, **codes: str | None) -> None:
    """Every code given stands in the plan's list of its kind. Raises NotInPlan, naming kind and code."""
    for kind, code in codes.items():
        if code is not None and not plan.knows(kind, code):
            raise NotInPlan(kind=kind, code=code)
