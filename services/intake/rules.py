"""Rules that the tip and the patrol share: codes must stand in the plan, and a mistake is corrected with a reason."""

from collections.abc import Mapping
from typing import Literal

from shared.contracts.event import text_of
from shared.contracts.parts import Value
from shared.errors import NoPlanInForce, Refusal
from shared.plan.terms import PlanTerms, Terms

Kind = Literal["code", "at", "place", "text"]
"""Which field of a `Value` a corrected field takes."""


class UnknownChannel(Refusal):
    """实施方案没有公布这个举报渠道。
    The plan publishes no such channel."""


class UnknownVillage(Refusal):
    """没有这个村(居)。请从名单中选择。
    There is no such village. Choose one from the list."""


class UnknownUnit(Refusal):
    """实施方案中没有这个单位。
    The plan knows no such unit."""


class UnknownCategory(Refusal):
    """实施方案中没有这类点位。
    The plan knows no such site category."""


class UnknownViolation(Refusal):
    """实施方案中没有这种违法行为。
    The plan knows no such violation."""


class UnknownCode(Refusal):
    """实施方案中没有这个代码。
    The plan knows no such code."""


class CorrectionNeedsReason(Refusal):
    """更正或作废必须写明理由。
    A correction, or marking a record as entered in error, needs a reason."""


class FieldNotCorrectable(Refusal):
    """这一项不能更正。
    This field cannot be corrected."""


class CorrectionDoesNotFit(Refusal):
    """更正的内容与这一项不符。
    The corrected value does not fit the field."""


_UNKNOWN: Mapping[str, type[Refusal]] = {
    "channel": UnknownChannel,
    "village": UnknownVillage,
    "unit": UnknownUnit,
    "category": UnknownCategory,
    "violation": UnknownViolation,
}


def plan_of(terms: Terms) -> PlanTerms:
    """The plan in force. Raises NoPlanInForce."""
    if terms.plan is None:
        raise NoPlanInForce()
    return terms.plan


def must_know(plan: PlanTerms, **codes: str | None) -> None:
    """Every code given must stand in the plan's list of its kind. Raises the refusal named after the kind."""
    for kind, code in codes.items():
        if code is not None and not plan.knows(kind, code):
            raise _UNKNOWN.get(kind, UnknownCode)(kind=kind, code=code)


def must_say_why(reason: str) -> None:
    if not reason.strip():
        raise CorrectionNeedsReason()


def must_fit(field: str, value: Value, kinds: Mapping[str, Kind]) -> None:
    """`value` holds exactly the one thing that `field` takes. Raises FieldNotCorrectable, CorrectionDoesNotFit."""
    kind = kinds.get(field)
    if kind is None:
        raise FieldNotCorrectable(field=field, allowed=",".join(sorted(kinds)))
    given = value.model_dump(exclude_none=True)
    if set(given) != {kind} or (kind == "text" and not (text_of(value.text) or "").strip()):
        raise CorrectionDoesNotFit(field=field, takes=kind)
    if value.at is not None and value.at.tzinfo is None:
        raise CorrectionDoesNotFit(field=field, takes="a time with its offset")
