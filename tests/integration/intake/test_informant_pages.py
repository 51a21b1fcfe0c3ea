"""The custodian's desk in pages: asked for, decided, opened once; erased; and nothing of it is stored by a browser."""

from typing import Any
from uuid import uuid4

import httpx
import pytest

from tests.integration.intake.informants import (
    CONTACT,
    CUSTODIAN,
    DEPUTY,
    ERASE,
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
)
from tests.support.services import Town

DESK = "/intake/informants"


async def get(town: Town, path: str, who: dict[str, str], lang: str = "zh") -> httpx.Response:
    cookies = {"minewatch_token": town.token_for(**who), "minewatch_lang": lang}
    cookie = "; ".join(f"{k}={v}" for k, v in cookies.items())
    return await town.http.get(path, headers={"Accept": "text/html", "Cookie": cookie})


async def send(town: Town, path: str, who: dict[str, str], **fields: Any) -> httpx.Response:
    headers = {"Accept": "text/html", "Cookie": f"minewatch_token={town.token_for(**who)}"}
    return await town.http.post(path, data={"command_id": str(uuid4()), **fields}, headers=headers)


async def test_from_the_request_to_the_one_look(town: Town) -> None:
    _, tip = await named_tip(town)
    sent = await send(town, f"{DESK}/disclosures", POLICE, tip=tip, ground="investigation", grounds=GROUNDS)
    assert sent.status_code == 303
    path = sent.headers["location"]
    assert "批准查看" not in (await get(town, path, POLICE)).text
    leaders = await get(town, path, LEADER)
    assert GROUNDS in leaders.text and "批准查看" in leaders.text
    assert (await send(town, f"{path}/approval", LEADER)).status_code == 303
    assert "查看姓名和联系方式" in (await get(town, path, CUSTODIAN)).text
    assert "查看姓名和联系方式" not in (await get(town, path, LEADER)).text
    shown = await send(town, f"{path}/opening", CUSTODIAN)
    assert (shown.status_code, shown.headers["cache-control"]) == (200, "no-store")
    assert NAME in shown.text and CONTACT in shown.text and "派出所民警" in shown.text
    after = await get(town, path, CUSTODIAN)
    assert NAME not in after.text and CONTACT not in after.text and "已查看" in after.text


async def test_the_form_sent_again_shows_nothing_and_says_why(town: Town) -> None:
    _, tip = await named_tip(town)
    path, key = f"{DESK}/disclosures/{await approved(town, tip)}", str(uuid4())
    assert NAME in (await send(town, f"{path}/opening", CUSTODIAN, command_id=key)).text
    again = await send(town, f"{path}/opening", CUSTODIAN, command_id=key)
    assert again.status_code == 409 and NAME not in again.text and "只显示一次" in again.text
    back = await get(town, f"{path}/opening", CUSTODIAN)
    assert (back.status_code, back.headers["location"]) == (303, path)


async def test_a_refused_form_says_what_is_wrong_where_it_was_filled_in(town: Town) -> None:
    unknown = await send(town, f"{DESK}/disclosures", POLICE, tip="nothing", ground="investigation", grounds=GROUNDS)
    assert unknown.status_code == 404 and GROUNDS in unknown.text and 'id="tip-wrong"' in unknown.text
    _, tip = await named_tip(town)
    bare = await send(town, f"{DESK}/disclosures", POLICE, tip=tip, ground="investigation", grounds=" ")
    assert bare.status_code == 422 and "请写明理由" in bare.text
    for form in ("disclosures", "erasures"):
        assert (await get(town, f"{DESK}/{form}", POLICE)).headers["location"] == DESK
    forged = await send(town, f"{DESK}/erasures", POLICE, tip=tip, **ERASE)
    assert forged.status_code == 403
    assert (await send(town, f"{DESK}/tips/{tip}/nothing", LEADER)).status_code == 404


async def test_an_erasure_by_pages(town: Town) -> None:
    _, tip = await named_tip(town)
    path = f"{DESK}/tips/{tip}"
    assert (await send(town, f"{DESK}/erasures", CUSTODIAN, tip=tip, **ERASE)).status_code == 303
    assert "批准删除" not in (await get(town, path, CUSTODIAN)).text
    waiting = await get(town, path, LEADER)
    assert "批准删除" in waiting.text and ERASE["grounds"] in waiting.text
    for other in ({"post": "auditor"}, POLICE):
        assert ERASE["grounds"] not in (await get(town, path, other)).text
    blank = await send(town, f"{path}/refusal", LEADER, reason="")
    assert blank.status_code == 422 and 'id="reason-wrong"' in blank.text
    assert (await send(town, f"{path}/approval", DEPUTY)).status_code == 303
    await town.settled()
    gone = await get(town, path, LEADER)
    assert "密钥已销毁" in gone.text and ERASE["grounds"] not in gone.text
    assert "已删除" in (await get(town, DESK, {"post": "auditor"})).text


async def test_a_hold_by_pages(town: Town) -> None:
    _, tip = await named_tip(town)
    path = f"{DESK}/tips/{tip}"
    assert (await send(town, f"{path}/hold", POLICE, reason="法院要用")).status_code == 303
    held = await get(town, path, CUSTODIAN)
    assert "保全中" in held.text and "申请删除举报人信息" not in held.text
    assert (await send(town, f"{path}/release", POLICE, reason="已结")).status_code == 403
    assert (await send(town, f"{path}/release", LEADER, reason="已结")).status_code == 303
    assert "申请删除举报人信息" in (await get(town, path, CUSTODIAN)).text


@pytest.mark.parametrize("who", [CUSTODIAN, LEADER, POLICE, {"post": "clerk"}, {"post": "auditor"}])
async def test_everybody_sees_their_part_of_the_desk_in_both_languages(town: Town, who: dict[str, str]) -> None:
    _, tip = await named_tip(town)
    disclosure = await asked(town, tip, {"post": "office_director"})
    overseeing = who not in (POLICE, {"post": "clerk"})
    for lang, word in (("zh", ">保存期限已满</h2>"), ("en", ">Past their term</h2>")):
        page = await get(town, DESK, who, lang)
        assert page.status_code == 200
        assert (disclosure in page.text, word in page.text) == (overseeing, overseeing)


async def test_a_village_and_a_stranger_see_none_of_it(town: Town) -> None:
    for post in ("village_head", "keeper", "inspector"):
        assert (await get(town, DESK, {"post": post})).status_code == 403
    away = await town.http.get(DESK, headers={"Accept": "text/html"})
    assert away.status_code == 303 and away.headers["location"].startswith("/sign-in")


async def test_the_custodian_begins_at_this_desk(town: Town) -> None:
    signed = await town.http.post("/sign-in", data={"token": town.token_for("custodian"), "next": ""})
    assert signed.headers["location"] == DESK
    signed = await town.http.post("/sign-in", data={"token": town.token_for("clerk"), "next": ""})
    assert signed.headers["location"] == "/cases/hazards"
    town.http.cookies.clear()


async def test_an_identity_is_in_no_page_but_the_one(town: Town) -> None:
    _, tip = await named_tip(town)
    disclosure = await approved(town, tip)
    await opens(town, disclosure)
    for who in (CUSTODIAN, LEADER, {"post": "auditor"}):
        for path in (DESK, f"{DESK}/disclosures/{disclosure}", f"{DESK}/tips/{tip}"):
            text = (await get(town, path, who)).text
            assert NAME not in text and CONTACT not in text
    await erased(town, tip)
    await done(town, f"{TIPS}/{tip}/closing", {"post": "clerk"}, {"reason": "duplicate"})
