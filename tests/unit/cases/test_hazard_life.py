"""Any order of wishes by anybody: what must hold of a hazard however it is treated."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from services.cases import hazard_commands as ask
from services.cases.hazard import ACCEPTING, HAZARD, LEADERS
from shared.contracts.cases import hazard as facts
from shared.contracts.cases.hazard import Source
from shared.contracts.event import Event
from shared.contracts.parts import Value
from shared.decider import Actor, Command
from shared.errors import Refusal
from tests.support.spec import as_stored
from tests.unit.cases.people import (
    CLERK,
    CLOCKWORK,
    DEPUTY,
    DIRECTOR,
    HEAD,
    INSPECTOR,
    LONGEST,
    NOON,
    OTHER_HEAD,
    OWNER,
    VILLAGE,
    at,
    behalf,
)

ACTORS = some.sampled_from(
    [CLERK, DEPUTY, DIRECTOR, HEAD, INSPECTOR, OTHER_HEAD, OWNER, behalf(OWNER), behalf(DIRECTOR, by=DEPUTY)]
)
PEOPLE = some.sampled_from([OWNER.person, HEAD.person, INSPECTOR.person, DIRECTOR.person])
DAYS = some.sampled_from([-1, 0, 3, 5, 8, 12, 20, 29, 40]).map(lambda n: timedelta(days=n))


def while_it_is(*stages: str) -> Callable[[Any], Any]:
    """Wishes that are hopeless in any other stage; test_hazard.py tries those one by one."""
    return precondition(lambda self: self.state.stage in stages)


class LifeOfAHazard(RuleBasedStateMachine):
    """Keeps its own simple account of deadline, hands and requests beside what the decider says."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOON
        self.log: list[Event] = []
        self.state = HAZARD.initial()
        self.deadline = NOON
        self.hands: set[str] = set()

    def wish(self, command: Command, actor: Actor) -> list[Event]:
        """What came of it; a refusal brings nothing."""
        try:
            events = list(HAZARD.decide(command, self.state, at(actor, self.now)))
        except Refusal:
            return []
        for event in events:
            self.state = HAZARD.evolve(self.state, as_stored(event))
        self.log += events
        return events

    @initialize()
    def list_it(self) -> None:
        listing = ask.ListHazard(
            hazard="h",
            hazard_no=1,
            category="closed_mine",
            village=VILLAGE,
            violation="unlicensed_digging",
            source=Source(kind="tip", ref="tip-1"),
            summary="盗挖",
            discovered_at=NOON,
        )
        assert self.wish(listing, CLOCKWORK)

    @rule(days=some.integers(min_value=1, max_value=6))
    def time_passes(self, days: int) -> None:
        self.now += timedelta(days=days)

    @rule(ref=some.sampled_from(["tip-1", "tip-2", "patrol-1"]), while_open=some.booleans())
    def find_again(self, ref: str, while_open: bool) -> None:
        known = any(getattr(e, "source", None) == Source(kind="tip", ref=ref) for e in self.log)
        was_closed = self.state.stage == "closed_out"
        wish = ask.AttachFinding(hazard="h", source=Source(kind="tip", ref=ref), while_open=while_open)
        if self.wish(wish, CLOCKWORK):
            assert not known and not (was_closed and while_open)

    @while_it_is("listed", "three_fix_ordered")
    @rule(actor=ACTORS, who=PEOPLE, ahead=DAYS)
    def order(self, actor: Actor, who: str, ahead: timedelta) -> None:
        wish = ask.OrderThreeFix(
            hazard="h", measure="sealing", responsible=who, responsible_unit="dulan", deadline_at=self.now + ahead
        )
        if self.wish(wish, actor):
            self.deadline, self.hands = self.now + ahead, {who}

    @while_it_is("three_fix_ordered")
    @rule(actor=ACTORS, ahead=DAYS)
    def request(self, actor: Actor, ahead: timedelta) -> None:
        self.wish(ask.RequestExtension(hazard="h", wanted_at=self.now + ahead, reason="雪"), actor)

    @precondition(lambda self: self.state.wanted_at is not None)
    @rule(actor=ACTORS, approve=some.booleans())
    def answer(self, actor: Actor, approve: bool) -> None:
        asked_by, wanted_at = self.state.asked_by, self.state.wanted_at
        decision = ask.ApproveExtension if approve else ask.RefuseExtension
        if self.wish(decision(hazard="h", reason="定"), actor):
            assert asked_by not in (actor.person, actor.on_behalf_of)
            assert actor.post in LEADERS
            if approve:
                assert wanted_at is not None and wanted_at > self.deadline
                self.deadline = wanted_at

    @while_it_is("three_fix_ordered", "completed")
    @rule(back=some.sampled_from([0, 0, 0, 5]))
    def ring(self, back: int) -> None:
        rung = ask.BecomeOverdue(hazard="h", deadline_at=self.deadline - timedelta(days=back))
        if self.wish(rung, CLOCKWORK):
            assert back == 0 and self.now >= self.deadline

    @while_it_is("three_fix_ordered", "completed")
    @rule(actor=some.one_of(ACTORS, some.sampled_from([OWNER, HEAD])))
    def complete(self, actor: Actor) -> None:
        if self.wish(ask.Complete(hazard="h", report="好"), actor):
            self.hands.add(actor.on_behalf_of or actor.person)

    @while_it_is("completed", "closed_out")
    @rule(actor=some.one_of(ACTORS, some.sampled_from([INSPECTOR, DIRECTOR])), accept=some.booleans())
    def look(self, actor: Actor, accept: bool) -> None:
        was_open = self.state.stage != "closed_out"
        wish = ask.Accept(hazard="h") if accept else ask.Reject(hazard="h", reason="不实")
        if self.wish(wish, actor):
            assert was_open and actor.post in ACCEPTING
            assert not {actor.person, actor.on_behalf_of} & self.hands

    @rule(actor=ACTORS, who=PEOPLE)
    def correct_who(self, actor: Actor, who: str) -> None:
        wish = ask.Correct(hazard="h", field="responsible", value=Value(ref=who), reason="写错")
        if self.wish(wish, actor):
            self.hands.add(who)

    @rule(other=some.sampled_from(["hazard-a", "hazard-b"]))
    def recur(self, other: str) -> None:
        wish = ask.RecordRecurrence(hazard="h", recurred_as=other, discovered_at=self.now)
        if self.wish(wish, CLOCKWORK):
            assert any(isinstance(e, facts.HazardClosedOut) for e in self.log)

    @while_it_is("closed_out")
    @rule(actor=ACTORS)
    def mark_error(self, actor: Actor) -> None:
        self.wish(ask.EnterInError(hazard="h", reason="重复"), actor)

    @invariant()
    def nothing_follows_an_error_mark(self) -> None:
        marks = [n for n, e in enumerate(self.log) if isinstance(e, facts.HazardEnteredInError)]
        assert not marks or marks == [len(self.log) - 1]

    @invariant()
    def it_closes_once_after_completion_and_acceptance(self) -> None:
        closes = [n for n, e in enumerate(self.log) if isinstance(e, facts.HazardClosedOut)]
        assert len(closes) <= 1
        for n in closes:
            assert isinstance(self.log[n - 1], facts.HazardAccepted)
            assert any(isinstance(e, facts.HazardCompleted) for e in self.log[:n])

    @invariant()
    def it_recurs_as_one(self) -> None:
        assert sum(isinstance(e, facts.HazardRecurred) for e in self.log) <= 1

    @invariant()
    def every_deadline_is_in_force_once_and_is_overdue_once(self) -> None:
        overdue = [e.deadline_at for e in self.log if isinstance(e, facts.HazardBecameOverdue)]
        assert len(overdue) == len(set(overdue))
        ordered = [e for e in self.log if isinstance(e, facts.HazardThreeFixOrdered)]
        assert len(ordered) <= 1
        if ordered:
            assert self.state.order.deadline_at == self.deadline <= self.now + LONGEST

    @invariant()
    def replaying_gives_the_same_state(self) -> None:
        state = HAZARD.initial()
        for event in self.log:
            state = HAZARD.evolve(state, as_stored(event))
        assert state == self.state


TestLifeOfAHazard = LifeOfAHazard.TestCase
TestLifeOfAHazard.settings = settings(max_examples=25, stateful_step_count=25, deadline=None)
