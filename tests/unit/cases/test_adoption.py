"""What has to be recorded so that a plan file is in force."""

from datetime import date, timedelta

from services.cases.adoption import OF_THE_OFFICE, commands_of
from services.cases.campaign import CAMPAIGN, AdoptPlan, Appoint, Campaign, EndAppointment
from shared.decider import Actor
from shared.plan.terms import PlanTerms, Terms
from tests.support.plans import SECOND, loaded
from tests.support.spec import as_stored
from tests.unit.cases.people import CLOCKWORK, NOON

REAL, OTHER = loaded(), loaded(SECOND)
CODE = REAL.plan.code
TODAY = date(2018, 1, 22)
FIRST = REAL.plan.people[0]


def after(state: Campaign, commands: list[AdoptPlan | Appoint | EndAppointment], actor: Actor = CLOCKWORK) -> Campaign:
    terms = Terms(now=NOON, actor=actor, plan=PlanTerms(REAL.plan, REAL.version))
    for command in commands:
        for event in CAMPAIGN.decide(command, state, terms):
            state = CAMPAIGN.evolve(state, as_stored(event))
    return state


def adopted() -> Campaign:
    commands = commands_of(REAL, {CODE: Campaign()}, {}, TODAY)
    return after(Campaign(), commands)  # type: ignore[arg-type]


def test_the_phases_of_the_file_are_adopted_and_everybody_appointed() -> None:
    state = adopted()
    assert [span.phase for span in state.phases] == [phase.code for phase in REAL.plan.phases]
    assert state.held.keys() == {person.assignment for person in REAL.plan.people}


def test_the_same_file_again_changes_nothing() -> None:
    state = adopted()
    again = commands_of(REAL, {CODE: state}, {}, TODAY)
    assert after(state, again) == state  # type: ignore[arg-type]


def test_whoever_left_the_file_ends_the_day_before_and_the_offices_own_stay() -> None:
    own = Appoint(
        plan=CODE, assignment=f"{OF_THE_OFFICE}1", person="p-9", post="clerk", unit="campaign_office", name="新来人",
        from_on=TODAY,
    )  # fmt: skip
    gone = own.model_copy(update={"assignment": "a-gone", "from_on": TODAY - timedelta(days=9)})
    new = own.model_copy(update={"assignment": "a-new"})
    state = after(adopted(), [own, gone, new])
    ends = {c.assignment: c.on for c in commands_of(REAL, {CODE: state}, {}, TODAY) if isinstance(c, EndAppointment)}
    assert ends == {"a-gone": TODAY - timedelta(days=1), "a-new": TODAY}


def test_an_earlier_campaigns_posts_end_before_the_new_ones_begin() -> None:
    """An assignment's id may stand in both files; the later word holds."""
    commands = commands_of(OTHER, {CODE: adopted(), OTHER.plan.code: Campaign()}, {}, TODAY)
    kinds = [type(command) for command in commands]
    assert kinds == sorted(kinds, key=[AdoptPlan, EndAppointment, Appoint].index)
    assert {c.plan for c in commands if isinstance(c, EndAppointment)} == {CODE}
    assert {c.assignment for c in commands if isinstance(c, EndAppointment)} == adopted().held.keys()


def test_another_address_is_told_and_an_erased_name_is_not_told_again() -> None:
    def differs(name: str | None, email: str | None) -> bool:
        told = {FIRST.assignment: (name, email, FIRST.phone)}
        commands = commands_of(REAL, {CODE: adopted()}, told, TODAY)
        return next(c for c in commands if isinstance(c, Appoint)).texts_differ

    assert not differs(FIRST.name, FIRST.email)
    assert differs(FIRST.name, "old@example.org")
    assert not differs(None, None)
