"""Rules that the tip and the patrol share: codes must stand in the plan, and a mistake is corrected with a reason."""

from collections.abc import Mapping
from typing import Literal

from shared.contracts.event import text_of
from shared.contracts.parts import Value
from shared.decider import Actor
from shared.errors import NoPlanInForce, Refusal
from shared.plan.terms import PlanTerms, Terms

Kind = Literal["code", "at", "place", "text"]
"""Which field of a `Value` a corrected field takes."""


class UnknownChannel(Refusal):
    """实施方案没有公布这个举报渠道。请从名单中选择。
    The plan publishes no such channel. Choose one from the list."""


class UnknownVillage(Refusal):
    """没有这个村(居)。请从名单中选择。
    There is no such village. Choose one from the list."""


class UnknownUnit(Refusal):
    """实施方案中没有这个单位。请从名单中选择。
    The plan knows no such unit. Choose one from the list."""


class UnknownCategory(Refusal):
    """实施方案中没有这类点位。请从名单中选择。
    The plan knows no such site category. Choose one from the list."""


class UnknownViolation(Refusal):
    """实施方案中没有这种违法行为。请从名单中选择。
    The plan knows no such violation. Choose one from the list."""


class UnknownCode(Refusal):
    """实施方案中没有这个代码。请从名单中选择。
    The plan knows no such code. Choose one from the list."""


class UnknownAuthority(Refusal):
    """转交单位（to）不在实施方案 forward_to 的名单中。请从名单中选择；要转给别的单位，先修订方案。
    `to` stands in no list forward_to of the plan. Choose one from it; to forward to another authority, amend the plan first."""


class CorrectionNeedsReason(Refusal):
    """更正或作废必须写明理由。
    A correction, or marking a record as entered in error, needs a reason."""


class FieldNotCorrectable(Refusal):
    """这一项不能更正。
    This field cannot be corrected."""


class CorrectionDoesNotFit(Refusal):
    """更正的内容与这一项不符。
    The corrected value does not fit the field."""


class GroundsNeeded(Refusal):
    """请写明理由。
    Give the grounds in words."""


class ActsForAnother(Refusal):
    """举报人身份事项须本人办理，不能代办，也不能由系统接口办理。
    Whatever touches an informant's identity is done in person: not for somebody else, and not by a program."""


class SamePerson(Refusal):
    """须由另一人审批：申请人不能审批自己的申请。
    A second person decides: nobody decides on what they asked for themselves."""


class InformantErased(Refusal):
    """这位举报人的身份和原话已按规定删除（或已批准删除），不能再办理。
    This informant's identity and words are erased, or their erasure is approved; nothing can be added or opened."""


class PlanGivesNoTerm(Refusal):
    """实施方案没有规定这项期限，暂不能办理。请在方案的 rules 中加上这一项。
    The plan gives no such term, so this cannot be done. Add it to the plan's rules."""


_UNKNOWN: Mapping[str, type[Refusal]] = {
    "channel": UnknownChannel,
    "village": UnknownVillage,
    "unit": UnknownUnit,
    "category": UnknownCategory,
    "violation": UnknownViolation,
    "forward_to": UnknownAuthority,
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


def grounds_of(words: str) -> str:
    """The words without white space around them. Raises GroundsNeeded."""
    if not words.strip():
        raise GroundsNeeded()
    return words.strip()


def in_person(actor: Actor) -> str:
    """Who acts. Raises ActsForAnother for a program, and for whoever acts for somebody else."""
    if not acts_in_person(actor):
        raise ActsForAnother()
    return actor.person


def acts_in_person(actor: Actor) -> bool:
    return ":" not in actor.person and actor.on_behalf_of is None


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
