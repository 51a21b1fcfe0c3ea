"""The plan in force, the posts, and the phases as the calendar brings them."""

from datetime import UTC, date, datetime, timedelta

import pytest

from services.cases import campaign as ask
from services.cases.campaign import CAMPAIGN
from shared.contracts.cases import campaign as facts
from shared.contracts.cases.campaign import PhaseSpan
from shared.decider import Command
from shared.errors import StreamNotFound
from tests.support.spec import given
from tests.unit.cases.people import CLERK, CLOCKWORK, at

P = "zhenchengdi-2018"


def span(phase: str, first: date, last: date) -> PhaseSpan:
    """A phase from the first minute of `first` to the last of `last`, in Shanghai."""
    midnight = datetime(2018, 1, 1, tzinfo=UTC) - timedelta(hours=8)
    days = first - date(2018, 1, 1), last - date(2017, 12, 31)
    return PhaseSpan(
        phase=phase, starts_on=first, ends_on=last, starts_at=midnight + days[0], ends_at=midnight + days[1]
    )


MOBILISATION = span("mobilisation", date(2018, 1, 16), date(2018, 1, 20))
SCREENING = span("screening", date(2018, 1, 21), date(2018, 1, 31))
ADOPT = ask.AdoptPlan(
    plan=P,
    version="1",
    sha256="aa11",
    jurisdiction="140181101",
    starts_on=date(2018, 1, 16),
    ends_on=date(2018, 1, 31),
    phases=(MOBILISATION, SCREENING),
)
ADOPTED = facts.CampaignAdopted(**ADOPT.model_dump(exclude={"occurred_at"}))
SECOND = ADOPT.model_copy(update={"version": "2", "sha256": "bb22"})
SECOND_ADOPTED = ADOPTED.model_copy(update={"version": "2", "sha256": "bb22"})
APPOINT = ask.Appoint(
    plan=P,
    assignment="a-head-1",
    person="p-head",
    post="village_head",
    unit="dulan",
    village="140181101207",
    from_on=date(2018, 1, 16),
    name="甲某",
    email="head@example.org",
    channels=("in_app", "email"),
)
APPOINTED = facts.Appointed(**APPOINT.model_dump(exclude={"occurred_at", "plan"}))
END = ask.EndAppointment(plan=P, assignment="a-head-1", on=date(2018, 2, 1), reason="replaced")
ENDED = facts.AppointmentEnded(assignment="a-head-1", person="p-head", on=date(2018, 2, 1), reason="replaced")
START = MOBILISATION.starts_at
CHANGE = SCREENING.starts_at
FINISH = SCREENING.ends_at


def test_a_plan_is_adopted_with_the_hash_of_its_file() -> None:
    given(CAMPAIGN).when(ADOPT, at(CLOCKWORK, plan=None)).then(ADOPTED)


def test_the_same_file_again_changes_nothing() -> None:
    given(CAMPAIGN, ADOPTED).when(ADOPT, at(CLOCKWORK)).changes_nothing()


def test_a_new_version_is_adopted_after_the_old_one() -> None:
    given(CAMPAIGN, ADOPTED).when(SECOND, at(CLOCKWORK)).then(SECOND_ADOPTED)


def test_an_earlier_version_can_come_back_into_force() -> None:
    given(CAMPAIGN, ADOPTED, SECOND_ADOPTED).when(ADOPT, at(CLOCKWORK)).then(ADOPTED)


def test_a_changed_file_needs_a_new_version() -> None:
    changed = ADOPT.model_copy(update={"sha256": "cc33"})
    given(CAMPAIGN, ADOPTED).when(changed, at(CLOCKWORK)).refused(ask.PlanVersionReused)


@pytest.mark.parametrize(
    "phases",
    [
        (),
        (MOBILISATION,),
        (SCREENING, MOBILISATION),
        (MOBILISATION, span("screening", date(2018, 1, 22), date(2018, 1, 31))),
        (MOBILISATION, span("screening", date(2018, 1, 20), date(2018, 1, 31))),
        (span("mobilisation", date(2018, 1, 15), date(2018, 1, 20)), SCREENING),
    ],
    ids=["none", "short", "swapped", "gap", "overlap", "too early"],
)
def test_the_phases_tile_the_campaign(phases: tuple[PhaseSpan, ...]) -> None:
    given(CAMPAIGN).when(ADOPT.model_copy(update={"phases": phases}), at(CLOCKWORK)).refused(ask.PhasesDoNotTile)


def test_a_person_is_appointed_to_a_post() -> None:
    given(CAMPAIGN, ADOPTED).when(APPOINT, at(CLERK)).then(APPOINTED)


def test_the_same_appointment_again_changes_nothing() -> None:
    given(CAMPAIGN, ADOPTED, APPOINTED).when(APPOINT, at(CLERK)).changes_nothing()


def test_an_ended_appointment_is_not_revived_by_the_plan_file() -> None:
    given(CAMPAIGN, ADOPTED, APPOINTED, ENDED).when(APPOINT, at(CLERK)).changes_nothing()


def test_an_appointment_on_other_terms_is_a_new_fact_and_can_end_again() -> None:
    longer = APPOINT.model_copy(update={"until_on": date(2018, 3, 26)})
    expected = APPOINTED.model_copy(update={"until_on": date(2018, 3, 26)})
    given(CAMPAIGN, ADOPTED, APPOINTED, ENDED).when(longer, at(CLERK)).then(expected)
    given(CAMPAIGN, ADOPTED, APPOINTED, ENDED, expected).when(END, at(CLERK)).then(ENDED)


def test_an_appointment_does_not_end_before_it_begins() -> None:
    wish = APPOINT.model_copy(update={"until_on": date(2018, 1, 15)})
    given(CAMPAIGN, ADOPTED).when(wish, at(CLERK)).refused(ask.AppointmentEndsBeforeStart)


def test_an_appointment_is_ended_once() -> None:
    given(CAMPAIGN, ADOPTED, APPOINTED).when(END, at(CLERK)).then(ENDED)
    given(CAMPAIGN, ADOPTED, APPOINTED, ENDED).when(END, at(CLERK)).changes_nothing()


def test_an_appointment_is_not_ended_before_its_first_day() -> None:
    wish = END.model_copy(update={"on": date(2018, 1, 15)})
    given(CAMPAIGN, ADOPTED, APPOINTED).when(wish, at(CLERK)).refused(ask.AppointmentEndsBeforeStart)


def test_only_a_known_appointment_ends() -> None:
    given(CAMPAIGN, ADOPTED).when(END, at(CLERK)).refused(ask.AppointmentUnknown)


CLOCK: list[tuple[Command, datetime, facts.Event]] = [
    (ask.StartCampaign(plan=P), START, facts.CampaignStarted()),
    (ask.StartPhase(plan=P, phase="mobilisation"), START, facts.PhaseStarted(phase="mobilisation")),
    (ask.StartPhase(plan=P, phase="screening"), CHANGE, facts.PhaseStarted(phase="screening")),
    (ask.EndCampaign(plan=P), FINISH, facts.CampaignEnded()),
]


@pytest.mark.parametrize(("wish", "due", "fact"), CLOCK, ids=range(4))
class TestTheCalendar:
    def test_brings_it_in_time(self, wish: Command, due: datetime, fact: facts.Event) -> None:
        given(CAMPAIGN, ADOPTED).when(wish, at(CLOCKWORK, now=due)).then(fact)

    def test_brings_it_once(self, wish: Command, due: datetime, fact: facts.Event) -> None:
        given(CAMPAIGN, ADOPTED, fact).when(wish, at(CLOCKWORK, now=due)).changes_nothing()

    def test_never_brings_it_early(self, wish: Command, due: datetime, fact: facts.Event) -> None:
        early = due - timedelta(microseconds=1)
        given(CAMPAIGN, ADOPTED).when(wish, at(CLOCKWORK, now=early)).refused(ask.CampaignNotDue)


END_PHASE = ask.EndPhase(plan=P, phase="mobilisation")
STARTED = facts.PhaseStarted(phase="mobilisation")
PHASE_ENDED = facts.PhaseEnded(phase="mobilisation")


def test_a_phase_ends_at_midnight_after_its_last_day() -> None:
    given(CAMPAIGN, ADOPTED, STARTED).when(END_PHASE, at(CLOCKWORK, now=CHANGE)).then(PHASE_ENDED)
    given(CAMPAIGN, ADOPTED, STARTED, PHASE_ENDED).when(END_PHASE, at(CLOCKWORK, now=CHANGE)).changes_nothing()


def test_a_phase_does_not_end_early() -> None:
    early = CHANGE - timedelta(microseconds=1)
    given(CAMPAIGN, ADOPTED, STARTED).when(END_PHASE, at(CLOCKWORK, now=early)).refused(ask.CampaignNotDue)


def test_a_phase_that_was_never_started_starts_when_it_ends() -> None:
    given(CAMPAIGN, ADOPTED).when(END_PHASE, at(CLOCKWORK, now=CHANGE)).then(STARTED, PHASE_ENDED)


@pytest.mark.parametrize("wish", [ask.StartPhase(plan=P, phase="harvest"), ask.EndPhase(plan=P, phase="harvest")])
def test_only_phases_of_the_plan_start_and_end(wish: Command) -> None:
    given(CAMPAIGN, ADOPTED).when(wish, at(CLOCKWORK, now=FINISH)).refused(ask.PhaseUnknown)


@pytest.mark.parametrize("wish", [APPOINT, END, END_PHASE, *(wish for wish, _, _ in CLOCK)])
def test_nothing_happens_before_a_plan_is_adopted(wish: Command) -> None:
    given(CAMPAIGN).when(wish, at(CLOCKWORK, now=FINISH)).refused(StreamNotFound)


def test_a_new_name_or_address_is_a_new_fact_and_revives_nothing() -> None:
    again = APPOINT.model_copy(update={"email": "new@example.org", "texts_differ": True})
    expected = APPOINTED.model_copy(update={"email": "new@example.org"})
    given(CAMPAIGN, ADOPTED, APPOINTED).when(again, at(CLOCKWORK)).then(expected)
    given(CAMPAIGN, ADOPTED, APPOINTED, ENDED).when(again, at(CLOCKWORK)).changes_nothing()
