"""What may happen to a site."""

import pytest

from services.cases import site as ask
from services.cases.rules import NotInPlan
from services.cases.site import SITE
from shared.contracts.cases import site as facts
from shared.contracts.parts import Place, Value
from shared.decider import Command
from shared.errors import StreamExists, StreamNotFound
from tests.support.spec import given
from tests.unit.cases.people import CLERK, DIRECTOR, HEAD, INSPECTOR, VILLAGE, at

S = "s-1"
REGISTER = ask.RegisterSite(
    site=S,
    site_no=7,
    category="closed_mine",
    village=VILLAGE,
    place=Place(lat_e7=378_300_000, lon_e7=1_119_700_000),
    name="独兰三号井",
    key=True,
)
REGISTERED = facts.SiteRegistered(**REGISTER.model_dump(exclude={"occurred_at", "site"}))
ASSIGN = ask.AssignKeeper(site=S, kind="territorial", unit="dulan", person="p-head")
ASSIGNED = facts.SiteKeeperAssigned(kind="territorial", unit="dulan", person="p-head")
DEPARTMENT = facts.SiteKeeperAssigned(kind="departmental", unit="safety_office")
CORRECT = ask.CorrectSite(site=S, field="key", value=Value(number=0), reason="非重点")
MARK = ask.EnterSiteInError(site=S, reason="重复登记")
IN_ERROR = facts.SiteEnteredInError(reason="重复登记")


def test_a_site_is_registered_under_its_number() -> None:
    given(SITE).when(REGISTER, at(CLERK)).then(REGISTERED)


def test_a_site_is_not_registered_twice() -> None:
    given(SITE, REGISTERED).when(REGISTER, at(CLERK)).refused(StreamExists)


def test_a_site_has_a_name() -> None:
    given(SITE).when(REGISTER.model_copy(update={"name": " "}), at(CLERK)).refused(ask.SiteNeedsName)


def test_category_village_and_unit_stand_in_the_plan() -> None:
    for wrong in ({"category": "castle"}, {"village": "140181101999"}):
        given(SITE).when(REGISTER.model_copy(update=wrong), at(CLERK)).refused(NotInPlan)
    given(SITE, REGISTERED).when(ASSIGN.model_copy(update={"unit": "moon_office"}), at(CLERK)).refused(NotInPlan)
    moved = CORRECT.model_copy(update={"field": "category", "value": Value(code="castle")})
    given(SITE, REGISTERED).when(moved, at(CLERK)).refused(NotInPlan)


def test_a_keeper_of_each_kind_is_assigned() -> None:
    given(SITE, REGISTERED, DEPARTMENT).when(ASSIGN, at(CLERK)).then(ASSIGNED)


def test_the_same_keeper_again_changes_nothing() -> None:
    given(SITE, REGISTERED, ASSIGNED, DEPARTMENT).when(ASSIGN, at(CLERK)).changes_nothing()


def test_a_keeper_who_was_replaced_can_come_back() -> None:
    other = ASSIGNED.model_copy(update={"person": "p-other"})
    given(SITE, REGISTERED, ASSIGNED, other).when(ASSIGN, at(CLERK)).then(ASSIGNED)


def test_a_correction_names_field_value_and_reason() -> None:
    expected = facts.SiteCorrected(field="key", value=Value(number=0), reason="非重点")
    given(SITE, REGISTERED).when(CORRECT, at(CLERK)).then(expected)


def test_a_sites_number_is_never_corrected() -> None:
    wish = CORRECT.model_copy(update={"field": "site_no"})
    given(SITE, REGISTERED).when(wish, at(CLERK)).refused(ask.SiteFieldNotCorrectable)


@pytest.mark.parametrize("value", [Value(), Value(code="yes"), Value(number=1, code="yes")])
def test_a_correction_is_of_the_fields_own_kind(value: Value) -> None:
    wish = CORRECT.model_copy(update={"value": value})
    given(SITE, REGISTERED).when(wish, at(CLERK)).refused(ask.SiteValueDoesNotFit)


@pytest.mark.parametrize("wish", [CORRECT, MARK])
def test_corrections_and_error_marks_need_a_reason(wish: Command) -> None:
    silent = wish.model_copy(update={"reason": None})
    given(SITE, REGISTERED).when(silent, at(CLERK)).refused(ask.SiteReasonMissing)


def test_the_office_marks_a_site_as_entered_in_error() -> None:
    given(SITE, REGISTERED).when(MARK, at(CLERK)).then(IN_ERROR)
    given(SITE, REGISTERED, IN_ERROR).when(MARK, at(DIRECTOR)).changes_nothing()


def test_nobody_but_the_office_marks_an_error() -> None:
    for actor in (HEAD, INSPECTOR):
        given(SITE, REGISTERED).when(MARK, at(actor)).refused(ask.SiteErrorMarkNeedsOffice)


@pytest.mark.parametrize("wish", [REGISTER, ASSIGN, CORRECT])
def test_nothing_is_done_to_a_site_entered_in_error(wish: Command) -> None:
    given(SITE, REGISTERED, IN_ERROR).when(wish, at(CLERK)).refused(ask.SiteMarkedAsError)


@pytest.mark.parametrize("wish", [ASSIGN, CORRECT, MARK])
def test_nothing_is_done_to_a_site_that_was_never_registered(wish: Command) -> None:
    given(SITE).when(wish, at(CLERK)).refused(StreamNotFound)
