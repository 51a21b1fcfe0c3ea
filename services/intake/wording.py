"""THE STORY of words that name somebody by mistake: the office's own texts in one record, erased by two persons.

RequestWordsErased ──► ApproveWordsErasure (a second person) ──► EraseWords (the keys are destroyed first; timers.py)
                  └──► RefuseWordsErasure

Where an informant is erased, what was written here of the tip goes too, decided or not; a request that waited is over with it.
"""

from dataclasses import dataclass, replace
from typing import Literal, assert_never, get_args

from services.intake.informant import (
    ITSELF,
    ErasureAlreadyRequested,
    InformantIsHeld,
    NobodyErasesByHand,
    NoErasureRequested,
)
from services.intake.rules import SamePerson, grounds_of, in_person
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event, SealedBy
from shared.contracts.intake import words
from shared.contracts.intake.words import (
    WordsErased,
    WordsErasureApproved,
    WordsErasureRefused,
    WordsErasureRequested,
)
from shared.contracts.registry import CONTRACTS
from shared.decider import Command, Decider
from shared.errors import Refusal
from shared.plan.terms import Terms

WordsGround = Literal["names_informant", "names_person", "court_order"]
CATEGORY = "words"
LONGEST = 128
"""Characters of an id (shared/contracts/event.py). The stream beside the record has one, too."""
WORDED = frozenset(
    type_.split(".")[1]
    for type_, event in CONTRACTS.types.items()
    if any(isinstance(marker, SealedBy) and marker.by == "stream" for _, marker in event.text_fields())
)
"""Kinds of records, of whatever service, in which a text can stand that is sealed by its own stream."""


class RecordHasNoWords(Refusal):
    """没有这样的记录，或这类记录里没有办公室写的文字。请填写完整编号，例如 hazard-…、tip-…、patrol-…。
    There is no such record, or records of this kind hold no words of the office. Give the whole id: hazard-…, tip-…, patrol-…."""


class WordsBeingErased(Refusal):
    """已批准删除，正在执行，不能再改变。
    The erasure is approved and under way; it cannot be changed any more."""


class _WordsCommand(Command):
    """`record`: the id of its stream, such as hazard-0f3c."""

    record: str

    @property
    def stream_id(self) -> str:
        return f"{CATEGORY}-{self.record}"


class RequestWordsErased(_WordsCommand):
    """`known`: False where this service would have the record and has not; `held`: a tip it is of is kept for a proceeding."""

    ground: WordsGround
    grounds: str
    known: bool
    held: bool


class ApproveWordsErasure(_WordsCommand):
    """`held`: as above."""

    held: bool


class RefuseWordsErasure(_WordsCommand):
    reason: str


class EraseWords(_WordsCommand):
    """After they are destroyed. `keys`: by what was sealed with them: the record, this stream, and openings of this stream.
    Without the record it is what an informant's erasure took."""

    keys: dict[str, tuple[str, ...]]


WordsCommand = RequestWordsErased | ApproveWordsErasure | RefuseWordsErasure | EraseWords
WordsEvent = WordsErasureRequested | WordsErasureApproved | WordsErasureRefused | WordsErased


@dataclass(frozen=True)
class Wording:
    """`asked_by`: who waits for a decision. Once erased it begins anew: the record goes on, and may name somebody again."""

    record: str = ""
    asked_by: str | None = None
    approved: bool = False


def decide(command: WordsCommand, state: Wording, terms: Terms) -> list[Event]:
    """Raises the refusals above, SamePerson, ActsForAnother, GroundsNeeded, InformantIsHeld, and those of an erasure."""
    if isinstance(command, EraseWords):
        return _erase(command, state, terms)
    who = in_person(terms.actor)
    match command:
        case ApproveWordsErasure() if state.approved:
            return []
        case _ if state.approved:
            raise WordsBeingErased()
        case RequestWordsErased():
            return _request(command, state, who)
        case ApproveWordsErasure(held=held):
            _second_person(state, who)
            _not_held(held)
            return [WordsErasureApproved(approved_by=who)]
        case RefuseWordsErasure(reason=reason):
            _second_person(state, who)
            return [WordsErasureRefused(refused_by=who, reason=grounds_of(reason))]
        case _:
            assert_never(command)


def _request(command: RequestWordsErased, state: Wording, who: str) -> list[Event]:
    kind, _, rest = command.record.partition("-")
    if kind not in WORDED or not rest or not command.known or len(command.stream_id) > LONGEST:
        raise RecordHasNoWords(record=command.record)
    grounds = grounds_of(command.grounds)
    if state.asked_by is not None:
        raise ErasureAlreadyRequested()
    _not_held(command.held)
    return [WordsErasureRequested(record=command.record, requested_by=who, ground=command.ground, grounds=grounds)]


def _second_person(state: Wording, who: str) -> None:
    if state.asked_by is None:
        raise NoErasureRequested()
    if state.asked_by == who:
        raise SamePerson()


def _not_held(held: bool) -> None:
    if held:
        raise InformantIsHeld()


def _erase(command: EraseWords, state: Wording, terms: Terms) -> list[Event]:
    if terms.actor.person != ITSELF:
        raise NobodyErasesByHand()
    if command.record in command.keys and not state.approved:
        raise NoErasureRequested()
    return [WordsErased(subject=subject, keys=keys) for subject, keys in command.keys.items()]


def evolve(state: Wording, event: WordsEvent) -> Wording:
    """Sees codes and ids only."""
    match event:
        case WordsErasureRequested():
            return Wording(record=event.record, asked_by=event.requested_by)
        case WordsErasureApproved():
            return replace(state, approved=True)
        case WordsErased() if state.approved and event.subject != state.record:
            return state
        case WordsErasureRefused() | WordsErased():
            return Wording()
        case _:
            assert_never(event)


def of_the_record(erased: Recorded[WordsErased]) -> bool:
    """Not of what was written to have its words erased, nor to read that: no read model takes a text of these."""
    subject = erased.event.subject
    return erased.stream_id == f"{CATEGORY}-{subject}" and not subject.startswith(f"{CATEGORY}-")


WORDING = Decider(
    category=CATEGORY,
    initial=Wording,
    decide=decide,
    evolve=evolve,
    commands=get_args(WordsCommand),
    events=words.EVENTS,
)
