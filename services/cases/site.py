"""A site: a place that can be mined illegally, and the two who keep watch over it, the village and the department."""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from services.cases.rules import must_know, plan_of
from shared.contracts.cases import site as facts
from shared.contracts.event import Code, Event, Id
from shared.contracts.parts import Place, Value
from shared.decider import Command, Decider
from shared.errors import Refusal, StreamExists, StreamNotFound
from shared.plan.terms import Terms

KeeperKind = Literal["territorial", "departmental"]

OFFICE = frozenset({"office_director", "clerk"})
"""Posts that may mark a record as entered in error."""

CORRECTABLE = {"name": "text", "category": "code", "village": "code", "place": "place", "key": "number"}
"""Field → the part of Value that holds it. `key` is 0 or 1."""


class OfSite(Command):
    """A wish about the site with the bare id `site` (without "site-")."""

    site: Id

    @property
    def stream_id(self) -> str:
        return f"site-{self.site}"


class RegisterSite(OfSite):
    site_no: int
    category: Code
    village: Code
    place: Place | None = None
    name: str
    key: bool = False


class AssignKeeper(OfSite):
    """`unit` answers for the site; `person`, when given, by name."""

    kind: KeeperKind
    unit: Code
    person: Id | None = None


class CorrectSite(OfSite):
    field: Code
    value: Value
    reason: str | None = None


class EnterSiteInError(OfSite):
    reason: str | None = None


SiteCommand = RegisterSite | AssignKeeper | CorrectSite | EnterSiteInError


class SiteNeedsName(Refusal):
    """站点必须有名称。
    A site needs a name."""


class SiteMarkedAsError(Refusal):
    """该站点已标记为登记有误，只能查看。
    The site was entered in error and can only be read."""


class SiteUnknown(Refusal):
    """没有登记这个站点，或其登记有误。
    No such site is registered, or it was entered in error."""


class SiteReasonMissing(Refusal):
    """必须写明理由。
    A reason must be given."""


class SiteFieldNotCorrectable(Refusal):
    """站点的该项内容不能更正。
    This field of a site cannot be corrected."""


class SiteValueDoesNotFit(Refusal):
    """更正内容与该项的类型不符。
    The value is not of the field's kind."""


class SiteErrorMarkNeedsOffice(Refusal):
    """只有领导组办公室可以标记登记有误。
    Only the campaign office marks a record as entered in error."""


@dataclass(frozen=True)
class Site:
    """`keepers`: kind → (unit, person)."""

    registered: bool = False
    in_error: bool = False
    keepers: tuple[tuple[str, str, str | None], ...] = ()


def decide(command: SiteCommand, state: Site, terms: Terms) -> list[Event]:
    """Raises Refusal, named after the rule that forbids it."""
    if not state.registered and not isinstance(command, RegisterSite):
        raise StreamNotFound
    if state.in_error and not isinstance(command, EnterSiteInError):
        raise SiteMarkedAsError
    match command:
        case RegisterSite():
            return _register(command, state, terms)
        case AssignKeeper(kind=kind, unit=unit, person=person):
            must_know(plan_of(terms), unit=unit)
            if (kind, unit, person) in state.keepers:
                return []
            return [facts.SiteKeeperAssigned(kind=kind, unit=unit, person=person)]
        case CorrectSite():
            return _correct(command, terms)
        case EnterSiteInError(reason=reason):
            if terms.actor.post not in OFFICE:
                raise SiteErrorMarkNeedsOffice
            return [] if state.in_error else [facts.SiteEnteredInError(reason=_reason(reason))]
        case _:
            assert_never(command)


def _register(wish: RegisterSite, state: Site, terms: Terms) -> list[Event]:
    if state.registered:
        raise StreamExists
    must_know(plan_of(terms), category=wish.category, village=wish.village)
    if not wish.name.strip():
        raise SiteNeedsName
    return [facts.SiteRegistered(**wish.model_dump(exclude={"occurred_at", "site"}))]


def _correct(wish: CorrectSite, terms: Terms) -> list[Event]:
    part = CORRECTABLE.get(wish.field)
    if part is None:
        raise SiteFieldNotCorrectable(field=wish.field)
    if wish.value.model_dump(exclude_none=True).keys() != {part}:
        raise SiteValueDoesNotFit(field=wish.field, kind=part)
    must_know(plan_of(terms), **{wish.field: wish.value.code})
    return [facts.SiteCorrected(field=wish.field, value=wish.value, reason=_reason(wish.reason))]


def _reason(reason: str | None) -> str:
    if not (reason or "").strip():
        raise SiteReasonMissing
    return reason or ""


def evolve(state: Site, event: Event) -> Site:
    match event:
        case facts.SiteRegistered():
            return replace(state, registered=True)
        case facts.SiteKeeperAssigned(kind=kind, unit=unit, person=person):
            others = tuple(keeper for keeper in state.keepers if keeper[0] != kind)
            return replace(state, keepers=(*others, (kind, unit, person)))
        case facts.SiteEnteredInError():
            return replace(state, in_error=True)
    return state


SITE = Decider(
    category="site",
    initial=Site,
    decide=decide,
    evolve=evolve,
    commands=(RegisterSite, AssignKeeper, CorrectSite, EnterSiteInError),
    events=facts.EVENTS,
)
