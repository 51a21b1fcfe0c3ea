"""Opening an informant's identity by HTTP on real servers: three persons, once, in time, and every try on record."""

import dataclasses
from datetime import timedelta
from typing import Any
from uuid import uuid4

import asyncpg
import pytest

from services.intake import disclosing
from services.intake.disclosure import ApproveDisclosure
from services.intake.read_models import disclosure_line
from shared.app import Cause
from shared.decider import Actor
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper
from shared.settings import Settings
from shared.sql import Tx
from shared.web.service_app import web_of
from tests.integration.intake.informants import (
    ASK,
    CONTACT,
    CUSTODIAN,
    DEPUTY,
    DISCLOSURES,
    GROUNDS,
    LEADER,
    NAME,
    POLICE,
    TIPS,
    approved,
    asked,
    done,
    erased,
    named_tip,
    opens,
    send,
    tries,
)
from tests.support.kernel import instead
from tests.support.services import Town

IDENTITY = {"name": NAME, "contact": CONTACT}


async def test_three_persons_open_an_identity_and_it_is_shown_once(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    shown = await opens(town, disclosure)
    assert (shown.status_code, shown.json(), shown.headers["cache-control"]) == (200, IDENTITY, "no-store")
    again = await opens(town, disclosure)
    assert (again.status_code, again.json()["rule"]) == (403, "OpeningBarred")
    assert again.json()["facts"] == {"why": "opened_already"}
    assert await tries(town, disclosure) == [("opened", ""), ("opening_refused", "opened_already")]


async def test_the_same_opening_sent_again_shows_nothing(town: Town) -> None:
    """A browser that sends its form again, or somebody with a copy of the request, gets no second look."""
    _, tip = await named_tip(town)
    disclosure, key = await approved(town, tip), str(uuid4())
    assert (await opens(town, disclosure, key=key)).json() == IDENTITY
    again = await opens(town, disclosure, key=key)
    assert (again.status_code, again.json()["rule"]) == (409, "ShownBefore")
    assert NAME not in again.text and CONTACT not in again.text
    assert await tries(town, disclosure) == [("opened", "")]


async def test_a_try_that_showed_nothing_and_is_sent_again_is_not_said_to_have_shown_it(town: Town) -> None:
    """Whoever reads that it was shown looks for whoever saw it."""
    _, tip = await named_tip(town)
    disclosure, key = await asked(town, tip), str(uuid4())
    first = await opens(town, disclosure, key=key)
    assert (first.status_code, first.json()["facts"]) == (403, {"why": "not_approved"})
    again = await opens(town, disclosure, key=key)
    assert (again.status_code, again.json()["rule"], again.json()["facts"]) == (
        403, "OpeningBarred", {"why": "not_approved"},
    )  # fmt: skip
    told = await town.get(f"{DISCLOSURES}/{disclosure}", town.headers(**CUSTODIAN))
    assert told["tries"] == 1


async def test_an_approval_that_comes_while_the_custodian_opens_is_not_used_up_for_nothing(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, tip = await named_tip(town)
    disclosure, look = await asked(town, tip), disclosing._looked_up

    async def then_approved(*given: Any) -> Any:
        found = await look(*given)
        monkeypatch.setattr(disclosing, "_looked_up", look)
        await done(town, f"{DISCLOSURES}/{disclosure}/approval", LEADER)
        return found

    monkeypatch.setattr(disclosing, "_looked_up", then_approved)
    shown = await opens(town, disclosure)
    assert (shown.status_code, shown.json()) == (200, IDENTITY)
    assert await tries(town, disclosure) == [("opened", "")]


async def test_an_opening_whose_commit_was_not_heard_of_is_shown_all_the_same(town: Town) -> None:
    """Three persons agreed to it, and nobody has seen it: the connection to the database broke off with the commit."""
    _, tip = await named_tip(town)
    disclosure, app = await approved(town, tip), town.services["intake"].app
    once = app._once

    async def loses_the_answer(*given: Any) -> Any:
        await once(*given)
        instead(app, "_once", once)
        raise asyncpg.ConnectionDoesNotExistError("x")

    instead(app, "_once", loses_the_answer)
    assert (await opens(town, disclosure)).json() == IDENTITY
    assert await tries(town, disclosure) == [("opened", "")]


async def test_a_tip_with_a_name_alone_shows_the_name_alone(town: Town) -> None:
    _, tip = await named_tip(town, contact=None)
    assert (await opens(town, await approved(town, tip))).json() == {"name": NAME, "contact": None}


@pytest.mark.parametrize("who", [LEADER, POLICE, {"post": "clerk"}, {"post": "village_head"}])
async def test_nobody_but_the_custodian_opens_and_their_try_is_on_record(town: Town, who: dict[str, str]) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    tried = await opens(town, disclosure, who)
    assert tried.status_code == 403 and NAME not in tried.text
    assert await tries(town, disclosure) == [("opening_refused", "wrong_post")]
    assert (await opens(town, disclosure)).json() == IDENTITY, "the approval is not used up"


async def test_it_cannot_be_opened_before_the_approval_nor_after_its_term(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await asked(town, tip)
    early = await opens(town, disclosure)
    assert early.json()["facts"] == {"why": "not_approved"}
    await done(town, f"{DISCLOSURES}/{disclosure}/approval", LEADER)
    town.clock.move_to(town.clock.now() + timedelta(hours=24))
    late = await opens(town, disclosure)
    assert (late.status_code, late.json()["facts"]) == (403, {"why": "expired"})
    assert await tries(town, disclosure) == [("approved", ""), ("opening_refused", "expired")]


async def test_nobody_decides_on_their_own_request_in_whatever_post(town: Town) -> None:
    """The head of the police is a deputy leader too."""
    _, tip = await named_tip(town)
    head = {"post": "police_officer", "person": "p-police_head"}
    disclosure = await asked(town, tip, head)
    for step, body in (("approval", {}), ("refusal", {"reason": "不必"})):
        own = await send(
            town, f"{DISCLOSURES}/{disclosure}/{step}", {"post": "deputy_leader", "person": "p-police_head"}, body
        )
        assert (own.status_code, own.json()["rule"]) == (403, "SamePerson")
    await done(town, f"{DISCLOSURES}/{disclosure}/approval", DEPUTY)


@pytest.mark.parametrize("who", [CUSTODIAN, {"post": "clerk"}, {"post": "auditor"}, {"post": "keeper"}])
async def test_who_may_not_ask_or_decide_is_refused(town: Town, who: dict[str, str]) -> None:
    _, tip = await named_tip(town)
    assert (await send(town, DISCLOSURES, who, {"tip": tip} | ASK)).status_code == 403
    disclosure = await asked(town, tip)
    assert (await send(town, f"{DISCLOSURES}/{disclosure}/approval", who)).status_code == 403


async def test_an_anonymous_tip_and_an_unknown_one_have_nobody_to_open(town: Town) -> None:
    _, tip = await named_tip(town, anonymous=True, name=None, contact=None)
    anonymous = await send(town, DISCLOSURES, POLICE, {"tip": tip} | ASK)
    assert (anonymous.status_code, anonymous.json()["rule"]) == (409, "TipIsAnonymous")
    assert (await send(town, DISCLOSURES, POLICE, {"tip": str(uuid4())} | ASK)).status_code == 404
    assert (await opens(town, str(uuid4()))).status_code == 404


async def test_the_grounds_are_read_by_those_who_need_them(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await asked(town, tip)
    await done(town, f"{DISCLOSURES}/{disclosure}/refusal", LEADER, {"reason": "可以不问本人"})
    path = f"{DISCLOSURES}/{disclosure}"
    for who in (CUSTODIAN, LEADER, DEPUTY, POLICE):
        told = await town.get(path, town.headers(**who))
        assert (told["grounds"], told["reason"], told["state"]) == (GROUNDS, "可以不问本人", "refused")
    audited = await town.get(path, town.headers("auditor"))
    assert (audited["grounds"], audited["reason"], len(audited["steps"])) == (None, None, 2)
    stranger = {"post": "police_officer", "person": "p-police_officer-2"}
    assert (await town.http.get(path, headers=town.headers(**stranger))).status_code == 404
    assert disclosure not in str(await town.get(DISCLOSURES, town.headers(**stranger)))
    assert (await town.http.get(path, headers=town.headers("clerk"))).status_code == 404
    assert (await town.http.get(path, headers=town.headers("keeper"))).status_code == 403


async def test_after_an_erasure_the_approval_opens_nothing(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    await erased(town, tip)
    gone = await opens(town, disclosure)
    assert (gone.status_code, gone.json()["rule"]) == (410, "IdentityGone")
    assert await tries(town, disclosure) == [("opening_failed", "erased")]
    refused = await send(town, DISCLOSURES, POLICE, {"tip": tip} | ASK)
    assert (refused.status_code, refused.json()["rule"]) == (410, "InformantErased")


async def test_an_erasure_closes_the_request_that_nobody_decided_and_says_so(town: Town) -> None:
    _, tip = await named_tip(town)
    first, second, decided = [await asked(town, tip) for _ in range(3)]
    await done(town, f"{DISCLOSURES}/{decided}/refusal", LEADER, {"reason": "可以不问本人"})
    await erased(town, tip)
    for disclosure in (first, second):
        told = await town.get(f"{DISCLOSURES}/{disclosure}", town.headers(**LEADER))
        assert (told["state"], told["grounds"], told["decided_by"]) == ("closed", None, None)
        last = told["steps"][-1]
        assert (last["type"], last["actor"], last["facts"]["why"]) == (
            "intake.disclosure.closed.v1", "system:intake", "erased",
        )  # fmt: skip
        for step, body in (("approval", {}), ("refusal", {"reason": "已删除，不必了"})):
            late = await send(town, f"{DISCLOSURES}/{disclosure}/{step}", LEADER, body)
            assert (late.status_code, late.json()["rule"]) == (409, "DisclosureDecided")
        gone = await opens(town, disclosure)
        assert (gone.status_code, gone.json()["rule"]) == (410, "IdentityGone")
    told = await town.get(f"{DISCLOSURES}/{decided}", town.headers(**LEADER))
    assert told["state"] == "refused" and len(told["steps"]) == 2
    for lang, words in (("zh", "申请随之关闭"), ("en", "this request was closed with it")):
        page = await town.http.get(f"/intake/informants/disclosures/{first}?lang={lang}", headers=html(LEADER, town))
        assert words in page.text and "/approval" not in page.text and "/closure" not in page.text


async def test_a_request_that_an_erasure_left_undecided_is_closed_by_a_leader(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As those of before 0.2 are, and one that was asked for in the same moment."""
    _, tip = await named_tip(town)
    disclosure = await asked(town, tip)
    early = await send(town, f"{DISCLOSURES}/{disclosure}/closure", LEADER)
    assert (early.status_code, early.json()["rule"]) == (409, "IdentityNotErased")
    with monkeypatch.context() as before:
        before.setattr(disclosure_line, "undecided", nothing)
        await erased(town, tip)
    for step, rule in (("approval", "InformantErased"), ("refusal", "SubjectErased")):
        late = await send(town, f"{DISCLOSURES}/{disclosure}/{step}", LEADER, {"reason": "已删除"})
        assert (late.status_code, late.json()["rule"]) == (410, rule)
    path = f"/intake/informants/disclosures/{disclosure}"
    page = await town.http.get(f"{path}?lang=zh", headers=html(LEADER, town))
    assert "不能再批准查看" in page.text and f"{path}/closure" in page.text and f"{path}/approval" not in page.text
    assert (await send(town, f"{DISCLOSURES}/{disclosure}/closure", CUSTODIAN)).status_code == 403
    form = await town.http.post(f"{path}/closure", data={"command_id": str(uuid4())}, headers=html(LEADER, town))
    assert form.status_code == 303, form.text
    told = await town.get(f"{DISCLOSURES}/{disclosure}", town.headers(**LEADER))
    assert (told["state"], told["steps"][-1]["facts"]["why"]) == ("closed", "erased")
    assert "已关闭" in (await town.http.get("/intake/informants?lang=zh", headers=html(LEADER, town))).text


async def test_an_approval_that_comes_while_the_erasure_looks_what_to_close_does_not_hold_it_up(
    town: Town, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The keys are gone by then: the fact must be recorded without a person who sees to it."""
    _, tip = await named_tip(town)
    disclosure, undecided = await asked(town, tip), disclosure_line.undecided
    leader = Actor("p-group_leader", "group_leader", "leading_group")

    async def then_approved(look: Tx, of: str) -> list[str]:
        found = await undecided(look, of)
        monkeypatch.setattr(disclosure_line, "undecided", undecided)
        approval = ApproveDisclosure(disclosure=disclosure, erased=False)  # as it looked a moment ago
        await town.services["intake"].app.handle(approval, Cause(uuid4(), leader, "c"))
        return found

    monkeypatch.setattr(disclosure_line, "undecided", then_approved)
    await erased(town, tip)
    assert (await town.get(f"{TIPS}/{tip}", town.headers("clerk")))["erasure"] == "erased"
    gone = await opens(town, disclosure)
    assert (gone.status_code, gone.json()["rule"]) == (410, "IdentityGone")


async def nothing(*_: object) -> list[str]:
    return []


def html(who: dict[str, str], town: Town) -> dict[str, str]:
    return town.headers(**who) | {"Accept": "text/html"}


# ------------------------------------------------------------------------------------------------ whose keys


async def test_a_process_without_the_custodians_keys_opens_nothing_even_for_the_custodian(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    intake = town.services["intake"]
    keys, intake.custodian = intake.custodian, None
    try:
        office = dataclasses.replace(
            town, http=type(town.http)(transport=_transport(web_of(intake)), base_url="http://x")
        )
        away = await opens(office, disclosure)
    finally:
        intake.custodian = keys
    assert (away.status_code, away.json()["facts"]) == (503, {"why": "no_keys_here"})
    assert await tries(town, disclosure) == [("opening_failed", "no_keys_here")]
    assert (await opens(town, disclosure)).json() == IDENTITY


def _transport(app: object) -> object:
    import httpx

    return httpx.ASGITransport(app)  # type: ignore[arg-type]


async def test_under_another_master_key_it_fails_and_says_so_without_using_up_the_approval(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    keys = town.services["intake"].custodian
    assert keys is not None
    right = keys._wrapper
    keys._wrapper = EnvironmentWrapper("A" * 43 + "=")
    try:
        wrong = await opens(town, disclosure)
    finally:
        keys._wrapper = right
    assert (wrong.status_code, wrong.json()["facts"]) == (503, {"why": "wrong_master_key"})
    assert (await opens(town, disclosure)).json() == IDENTITY


async def test_the_process_remembers_no_key_of_an_identity_it_showed(town: Town) -> None:
    _, tip = await named_tip(town)
    await opens(town, await approved(town, tip))
    keys = town.services["intake"].custodian
    assert isinstance(keys, KeyStore)
    assert not keys._opening._values and not keys._sealing._values


def test_only_intake_is_given_the_custodians_keys_and_only_when_told_to() -> None:
    given = {
        "MINEWATCH_JURISDICTION": "t", "MINEWATCH_INTAKE_APP_DSN": "a", "MINEWATCH_INTAKE_LOG_DSN": "l",
        "MINEWATCH_KEYS_DSN": "k", "MINEWATCH_NATS_URL": "n", "MINEWATCH_PLANS": "p", "MINEWATCH_SECRET": "s",
        "MINEWATCH_MASTER_KEY": "m", "MINEWATCH_TOKEN_PUBLIC": "t",
    }  # fmt: skip
    assert Settings.from_environment("intake", given).keys_custodian_dsn is None
    more = given | {"MINEWATCH_KEYS_CUSTODIAN_DSN": "c"}
    assert Settings.from_environment("intake", more).keys_custodian_dsn == "c"


async def test_the_other_services_have_no_custodians_keys(town: Town) -> None:
    assert town.services["cases"].custodian is None
    assert (await town.get(f"{TIPS}/{(await named_tip(town))[1]}", town.headers("clerk"))).get("name") is None
