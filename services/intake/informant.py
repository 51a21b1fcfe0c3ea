"""THE STORY of an informant's data at its end, in the stream of the tip: kept back, or erased by two persons.

RequestErasure ──► ApproveErasure (a second person) ──► EraseInformant (the keys are destroyed first; timers.py)
              └──► RefuseErasure                 HoldInformant ──► ReleaseInformant: while held, nothing is erased
"""

from dataclasses import dataclass, replace
from typing import Literal, assert_never

from services.intake.rules import InformantErased as IsErased
from services.intake.rules import SamePerson, grounds_of, in_person
from shared.contracts.event import Event
from shared.contracts.intake.informant import (
    InformantErased,
    InformantErasureApproved,
    InformantErasureRefused,
    InformantErasureRequested,
    InformantHeld,
    InformantReleased,
)
from shared.decider import Actor, Command
from shared.errors import Refusal

ErasureGround = Literal["informant_wish", "retention_over", "court_order"]
ITSELF = "system:intake"
"""Who erases: the service, once two persons have decided and the keys are gone."""


class ErasureAlreadyRequested(Refusal):
    """已有人申请删除，正在等待审批。
    Somebody has asked for this erasure already; it waits for a decision."""


class NoErasureRequested(Refusal):
    """没有待审批的删除申请。
    No erasure waits for a decision here."""


class InformantIsHeld(Refusal):
    """已要求保全，解除之前不能删除。
    This informant's data is held for a proceeding; it cannot be erased before it is released."""


class NobodyErasesByHand(Refusal):
    """删除由系统在批准后执行。
    The system erases, once it is approved."""


class _InformantCommand(Command):
    """`tip`: the tip's id, a uuid."""

    tip: str

    @property
    def stream_id(self) -> str:
        return f"tip-{self.tip}"


class HoldInformant(_InformantCommand):
    reason: str


class ReleaseInformant(_InformantCommand):
    reason: str


class RequestErasure(_InformantCommand):
    ground: ErasureGround
    grounds: str


class ApproveErasure(_InformantCommand):
    pass


class RefuseErasure(_InformantCommand):
    reason: str


class EraseInformant(_InformantCommand):
    """After the keys are destroyed. `openings`: streams of the readings of this tip, whose keys went with them."""

    openings: tuple[str, ...] = ()


InformantCommand = HoldInformant | ReleaseInformant | RequestErasure | ApproveErasure | RefuseErasure | EraseInformant
InformantEvent = (
    InformantHeld
    | InformantReleased
    | InformantErasureRequested
    | InformantErasureApproved
    | InformantErasureRefused
    | InformantErased
)


@dataclass(frozen=True)
class Identity:
    """`informant`: the random id that stands for them; `asked_by`: who waits for a decision on an erasure."""

    informant: str = ""
    held: bool = False
    asked_by: str | None = None
    approved: bool = False
    erased: bool = False

    @property
    def gone(self) -> bool:
        """Erased, or as good as."""
        return self.approved or self.erased


def decide_on_informant(command: InformantCommand, of: Identity, actor: Actor) -> list[Event]:
    """Raises the refusals above, SamePerson, ActsForAnother, GroundsNeeded and InformantErased."""
    if isinstance(command, EraseInformant):
        return _erase(command, of, actor)
    who = in_person(actor)
    match command:
        case ApproveErasure() if of.gone:
            return []
        case _ if of.gone:
            raise IsErased()
        case HoldInformant(reason=reason):
            held = InformantHeld(informant=of.informant, held_by=who, reason=grounds_of(reason))
            return [] if of.held else [held]
        case ReleaseInformant(reason=reason):
            released = InformantReleased(informant=of.informant, released_by=who, reason=grounds_of(reason))
            return [released] if of.held else []
        case RequestErasure():
            return _request(command, of, who)
        case ApproveErasure():
            _second_person(of, who)
            _not_held(of)
            return [InformantErasureApproved(approved_by=who)]
        case RefuseErasure(reason=reason):
            _second_person(of, who)
            return [InformantErasureRefused(informant=of.informant, refused_by=who, reason=grounds_of(reason))]
        case _:
            assert_never(command)


def _request(command: RequestErasure, of: Identity, who: str) -> list[Event]:
    grounds = grounds_of(command.grounds)
    if of.asked_by is not None:
        raise ErasureAlreadyRequested()
    _not_held(of)
    asked = InformantErasureRequested(informant=of.informant, requested_by=who, ground=command.ground, grounds=grounds)
    return [asked]


def _second_person(of: Identity, who: str) -> None:
    if of.asked_by is None:
        raise NoErasureRequested()
    if of.asked_by == who:
        raise SamePerson()


def _not_held(of: Identity) -> None:
    if of.held:
        raise InformantIsHeld()


def _erase(command: EraseInformant, of: Identity, actor: Actor) -> list[Event]:
    if actor.person != ITSELF:
        raise NobodyErasesByHand()
    if of.erased:
        return []
    if not of.approved:
        raise NoErasureRequested()
    return [InformantErased(subject=subject) for subject in (of.informant, *command.openings)]


def after(of: Identity, event: InformantEvent) -> Identity:
    """Sees codes and ids only."""
    match event:
        case InformantHeld():
            return replace(of, held=True)
        case InformantReleased():
            return replace(of, held=False)
        case InformantErasureRequested():
            return replace(of, asked_by=event.requested_by)
        case InformantErasureApproved():
            return replace(of, approved=True)
        case InformantErasureRefused():
            return replace(of, asked_by=None)
        case InformantErased():
            return replace(of, erased=True)
        case _:
            assert_never(event)
