"""THE STORY of a tip: somebody tells the campaign something, and is told what became of it.

ReceiveTip ──► ScreenTip ──► VerifyTip ──► (substantiated: cases lists a hazard) │ ForwardTip │ CloseTip
     └── live: never waits for screening
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import assert_never, get_args

from services.intake.informant import Identity, InformantCommand, InformantEvent, after, decide_on_informant
from services.intake.rules import InformantErased, Kind, must_fit, must_know, must_say_why, plan_of
from services.intake.tip_commands import (
    CloseTip,
    CorrectTip,
    EnterTipInError,
    ForwardTip,
    MarkLive,
    ReceiveTip,
    ScreenTip,
    SupplementTip,
    VerifyTip,
)
from shared.contracts.event import Event
from shared.contracts.intake import informant, tip
from shared.contracts.intake.tip import (
    TipClosed,
    TipCorrected,
    TipEnteredInError,
    TipForwarded,
    TipMarkedLive,
    TipReceived,
    TipScreened,
    TipSupplemented,
    TipVerified,
)
from shared.contracts.parts import Value
from shared.decider import Decider
from shared.errors import Refusal, StreamExists, StreamNotFound
from shared.plan.terms import Terms

CODES = {"village", "category", "violation", "mineral", "modus", "pretext"}
"""Fields of a verification that hold a code of the plan."""
CORRECTABLE: dict[str, Kind] = {
    "channel": "code",
    **dict.fromkeys(CODES, "code"),
    "place": "place",
    "summary": "text",
}


class AnonymousTipHasName(Refusal):
    """匿名举报不能填写姓名或联系方式。如愿意实名，请取消“匿名”。
    An anonymous tip carries no name and no contact. Untick "anonymous" to give them."""


class NamedTipNeedsName(Refusal):
    """实名举报请填写姓名或联系方式；不愿填写，请选“匿名”。
    A named tip needs a name or a contact; otherwise choose "anonymous"."""


class TipNeedsWords(Refusal):
    """请写明您看到或听到的情况。
    Say what you saw or heard."""


class TipIsVoid(Refusal):
    """这条举报已注明为误录，不能再办理。如有新情况，请重新举报。
    This tip was marked as entered in error. If there is something new, send a new tip."""


class TipIsClosed(Refusal):
    """这条举报已办结。
    This tip is closed."""


class TipAlreadyScreened(Refusal):
    """这条举报已经筛查过，结论不同，不能再次筛查。
    This tip was screened before, with another outcome."""


class TipNotScreened(Refusal):
    """核查之前须先筛查；正在发生的除外。
    A tip is screened before it is verified, unless it is live."""


class ScreeningNeedsSummary(Refusal):
    """转核查须写去除举报人痕迹的摘要。
    A tip to be verified needs a summary cleaned of whatever points to the informant."""


class TipAlreadyVerified(Refusal):
    """这条举报已有核查结论。
    This tip has been verified already."""


class SubstantiatedTipNeedsFacts(Refusal):
    """查实的举报须写明点位类别、违法行为、所在村和摘要。
    A substantiated tip needs category, violation, village and summary."""


class ForwardNeedsOutOfArea(Refusal):
    """只有核查结论为“不属本镇管辖”的举报才能转出。
    Only a tip verified as out of area is forwarded."""


class TipAlreadyForwarded(Refusal):
    """这条举报已经转给其他单位。
    This tip has been forwarded to another authority already."""


class OutOfAreaTipNeedsForward(Refusal):
    """不属本镇管辖的举报须转出，不能直接办结。
    A tip that lies out of the area is forwarded, not closed."""


class SubstantiatedTipHasHazard(Refusal):
    """查实的举报已列为隐患，在隐患中办理，不能作为举报办结。
    A substantiated tip became a hazard and is settled there; it is not closed as a tip."""


TipCommand = (
    ReceiveTip | SupplementTip | MarkLive | ScreenTip | VerifyTip | ForwardTip | CloseTip | CorrectTip | EnterTipInError
)
TipEvent = (
    TipReceived
    | TipSupplemented
    | TipMarkedLive
    | TipScreened
    | TipVerified
    | TipForwarded
    | TipClosed
    | TipCorrected
    | TipEnteredInError
)


@dataclass(frozen=True)
class Tip:
    """What the rules need of a tip's past; no texts. `exists` is False before the first event."""

    exists: bool = False
    identity: Identity = field(default_factory=Identity)
    live: bool = False
    village: str | None = None
    screened: str | None = None
    result: str | None = None
    forwarded_to: str | None = None
    closed: str | None = None
    void: bool = False
    corrected: Mapping[str, Value] = field(default_factory=dict)
    """The last correction of each field that is no text."""


def decide(command: TipCommand | InformantCommand, state: Tip, terms: Terms) -> list[Event]:
    """Raises the refusals above, those of rules.py, StreamExists, StreamNotFound and NoPlanInForce."""
    if isinstance(command, ReceiveTip):
        return _receive(command, state, terms)
    if not state.exists:
        raise StreamNotFound()
    if isinstance(command, InformantCommand):
        return decide_on_informant(command, state.identity, terms.actor)
    if state.void and not isinstance(command, EnterTipInError):
        raise TipIsVoid()
    match command:
        case SupplementTip():
            return _supplement(command, state)
        case MarkLive():
            return _mark_live(command, state, terms)
        case ScreenTip():
            return _screen(command, state, terms)
        case VerifyTip():
            return _verify(command, state, terms)
        case ForwardTip():
            return _forward(command, state, terms)
        case CloseTip():
            return _close(command, state)
        case CorrectTip():
            return _correct(command, state, terms)
        case EnterTipInError():
            must_say_why(command.reason)
            return [] if state.void else [TipEnteredInError(reason=command.reason.strip())]
        case _:
            assert_never(command)


def _words(words: str) -> str:
    if not words.strip():
        raise TipNeedsWords()
    return words.strip()


def _receive(command: ReceiveTip, state: Tip, terms: Terms) -> list[Event]:
    if state.exists:
        raise StreamExists()
    must_know(plan_of(terms), channel=command.channel, village=command.village)
    named = bool(command.name or command.contact)
    if command.anonymous and named:
        raise AnonymousTipHasName()
    if not command.anonymous and not named:
        raise NamedTipNeedsName()
    return [
        TipReceived(
            channel=command.channel,
            anonymous=command.anonymous,
            live=command.live,
            village=command.village,
            place=command.place,
            informant=command.informant,
            words=_words(command.words),
            name=command.name,
            contact=command.contact,
            receipt_digest=command.receipt_digest,
        )
    ]


def _supplement(command: SupplementTip, state: Tip) -> list[Event]:
    if state.identity.gone:
        raise InformantErased()
    return [TipSupplemented(informant=state.identity.informant, words=_words(command.words))]


def _mark_live(command: MarkLive, state: Tip, terms: Terms) -> list[Event]:
    if state.live:
        return []
    if state.closed:
        raise TipIsClosed(reason=state.closed)
    must_know(plan_of(terms), village=command.village)
    return [TipMarkedLive(village=command.village or state.village)]


def _screen(command: ScreenTip, state: Tip, terms: Terms) -> list[Event]:
    if state.screened == command.outcome:
        return []
    if state.screened:
        raise TipAlreadyScreened(outcome=state.screened)
    if state.closed:
        raise TipIsClosed(reason=state.closed)
    if state.result:
        raise TipAlreadyVerified(result=state.result)
    plan = plan_of(terms)
    must_know(plan, village=command.village)
    summary = (command.summary or "").strip() or None
    village = command.village or state.village
    if command.outcome == "no_content":
        return [TipScreened(outcome="no_content", village=village, summary=summary), TipClosed(reason="no_content")]
    if summary is None:
        raise ScreeningNeedsSummary()
    verify_by = plan.due("verification_deadline", terms.now)
    return [TipScreened(outcome="to_verify", verify_by=verify_by, village=village, summary=summary)]


def _verify(command: VerifyTip, state: Tip, terms: Terms) -> list[Event]:
    if state.closed:
        raise TipIsClosed(reason=state.closed)
    if state.result in ("substantiated", "out_of_area"):
        raise TipAlreadyVerified(result=state.result)
    if not state.screened and not state.live:
        raise TipNotScreened()
    must_know(plan_of(terms), **command.model_dump(include=CODES))
    facts = {name: value for name, value in command if name not in ("tip", "occurred_at")}
    facts["village"] = command.village or state.village
    facts["summary"] = (command.summary or "").strip() or None
    missing = [name for name in ("category", "violation", "village", "summary") if facts[name] is None]
    if command.result == "substantiated" and missing:
        raise SubstantiatedTipNeedsFacts(missing=",".join(missing))
    return [TipVerified(**facts)]


def _forward(command: ForwardTip, state: Tip, terms: Terms) -> list[Event]:
    if state.forwarded_to == command.to:
        return []
    if state.forwarded_to:
        raise TipAlreadyForwarded(to=state.forwarded_to)
    if state.result != "out_of_area":
        raise ForwardNeedsOutOfArea()
    must_know(plan_of(terms), forward_to=command.to)
    return [TipForwarded(to=command.to, reason=command.reason)]


def _close(command: CloseTip, state: Tip) -> list[Event]:
    if state.closed == command.reason:
        return []
    if state.closed:
        raise TipIsClosed(reason=state.closed)
    if state.result == "substantiated":
        raise SubstantiatedTipHasHazard()
    if state.forwarded_to:
        raise TipAlreadyForwarded(to=state.forwarded_to)
    if state.result == "out_of_area":
        raise OutOfAreaTipNeedsForward()
    return [TipClosed(reason=command.reason, note=(command.note or "").strip() or None)]


def _correct(command: CorrectTip, state: Tip, terms: Terms) -> list[Event]:
    must_say_why(command.reason)
    must_fit(command.field, command.value, CORRECTABLE)
    if state.corrected.get(command.field) == command.value:
        return []
    if command.value.code is not None:
        must_know(plan_of(terms), **{command.field: command.value.code})
    return [TipCorrected(field=command.field, value=command.value, reason=command.reason.strip())]


def evolve(state: Tip, event: TipEvent | InformantEvent) -> Tip:
    """Sees codes, ids and times only; texts come back sealed and are let go."""
    if isinstance(event, InformantEvent):
        return replace(state, identity=after(state.identity, event))
    match event:
        case TipReceived():
            return Tip(exists=True, identity=Identity(event.informant), live=event.live, village=event.village)
        case TipMarkedLive():
            return replace(state, live=True, village=event.village or state.village)
        case TipScreened():
            return replace(state, screened=event.outcome, village=event.village or state.village)
        case TipVerified():
            return replace(state, result=event.result, village=event.village or state.village)
        case TipForwarded():
            return replace(state, forwarded_to=event.to)
        case TipClosed():
            return replace(state, closed=event.reason)
        case TipCorrected() if event.value.text is None:
            village = event.value.code if event.field == "village" else state.village
            return replace(state, village=village, corrected={**state.corrected, event.field: event.value})
        case TipCorrected() | TipSupplemented():
            return state
        case TipEnteredInError():
            return replace(state, void=True)
        case _:
            assert_never(event)


TIP = Decider(
    category="tip",
    initial=Tip,
    decide=decide,
    evolve=evolve,
    commands=get_args(TipCommand) + get_args(InformantCommand),
    events=tip.EVENTS + informant.EVENTS,
)
