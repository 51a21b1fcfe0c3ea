"""What has to be recorded so that a plan file is in force and its people hold their posts. Pure."""

from collections.abc import Mapping
from datetime import date, timedelta

from services.cases.campaign import AdoptPlan, Appoint, Campaign, EndAppointment
from shared.contracts.cases.campaign import PhaseSpan
from shared.decider import Command
from shared.plan.loader import LoadedPlan
from shared.plan.model import Person
from shared.plan.terms import PlanTerms

OF_THE_OFFICE = "office-"
"""How the id of an appointment begins that the office made itself; a plan file says nothing about those."""

LEFT_THE_PLAN = "left_the_plan"

ONE_DAY = timedelta(days=1)


Texts = tuple[str | None, str | None, str | None]
"""Name, e-mail address and telephone number."""


def commands_of(
    loaded: LoadedPlan, campaigns: Mapping[str, Campaign], told: Mapping[str, Texts], today: date
) -> list[Command]:
    """Adopts, then ends what the file no longer names, of earlier campaigns too, then appoints whom it names.

    `campaigns`: plan code → what its stream says so far; `told`: assignment → the texts that can be read of it. What is so
    already is asked for all the same: it changes nothing.
    """
    named = {person.assignment for person in loaded.plan.people}
    ends = [
        EndAppointment(plan=code, assignment=assignment, on=max(held.from_on, today - ONE_DAY), reason=LEFT_THE_PLAN)
        for code, campaign in sorted(campaigns.items())
        for assignment, held in campaign.held.items()
        if not (code == loaded.plan.code and assignment in named)
        and assignment not in campaign.ended
        and not assignment.startswith(OF_THE_OFFICE)
    ]
    return [_adopt(loaded), *ends, *(_appoint(loaded.plan.code, person, told) for person in loaded.plan.people)]


def _adopt(loaded: LoadedPlan) -> AdoptPlan:
    plan = loaded.plan
    phases = PlanTerms(plan, loaded.version).phases
    return AdoptPlan(
        plan=plan.code,
        version=loaded.version,
        sha256=loaded.sha256,
        jurisdiction=plan.jurisdiction,
        starts_on=plan.starts_on,
        ends_on=plan.ends_on,
        phases=tuple(PhaseSpan(**vars(phase)) for phase in phases),
    )


def _appoint(plan: str, person: Person, told: Mapping[str, Texts]) -> Appoint:
    """What was erased stays erased: a name that can be read no more is not told again."""
    texts = (person.name, person.email, person.phone)
    before = told.get(person.assignment, texts)
    return Appoint(plan=plan, **dict(person), texts_differ=before[0] is not None and before != texts)
