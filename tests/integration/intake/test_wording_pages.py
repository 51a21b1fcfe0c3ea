"""Erasing the office's own words as people do it: pages of the office, of a leader, of the auditor."""

from tests.integration.intake.informants import DEPUTY, LEADER, POLICE
from tests.integration.intake.test_informant_pages import get, send
from tests.integration.intake.test_wording import ASK, CLERK, GROUNDS, SUMMARY, is_erased, screened_tip
from tests.support.services import Town
from tests.support.town import eventually

DESK = "/intake/words"
AUDITOR = {"post": "auditor"}


async def test_words_are_erased_by_pages(town: Town) -> None:
    record = f"tip-{await screened_tip(town)}"
    assert DESK in (await get(town, "/intake/informants", CLERK)).text
    sent = await send(town, DESK, CLERK, record=record, **ASK)
    path = f"{DESK}/{record}"
    assert (sent.status_code, sent.headers["location"]) == (303, path)
    assert record in (await get(town, DESK, AUDITOR)).text
    assert "批准删除" not in (await get(town, path, CLERK)).text
    waiting = await get(town, path, LEADER)
    assert "批准删除" in waiting.text and GROUNDS in waiting.text and SUMMARY not in waiting.text
    assert GROUNDS not in (await get(town, path, AUDITOR)).text
    blank = await send(town, f"{path}/refusal", LEADER, reason="")
    assert blank.status_code == 422 and 'id="reason-wrong"' in blank.text
    assert (await get(town, f"{path}/refusal", LEADER)).headers["location"] == path
    assert (await send(town, f"{path}/approval", DEPUTY)).status_code == 303
    assert await eventually(lambda: is_erased(town, record), 30)
    gone = await get(town, path, CLERK)
    assert "密钥已销毁" in gone.text and "没有销毁任何密钥" not in gone.text and "页面随后跟上" in gone.text
    assert "申请删除" in gone.text and GROUNDS not in gone.text


async def test_where_no_key_was_destroyed_the_page_says_so_and_does_not_say_that_words_are_gone(town: Town) -> None:
    """Of a site intake knows nothing: a mistyped one is found out by what was destroyed."""
    record = "site-mistyped"
    await send(town, DESK, CLERK, record=record, **ASK)
    await send(town, f"{DESK}/{record}/approval", LEADER)
    assert await eventually(lambda: is_erased(town, record), 30)
    told = (await get(town, f"{DESK}/{record}", CLERK)).text
    assert "没有销毁任何密钥" in told and "密钥已销毁" not in told and "已删除" not in told
    assert "没有可删除的文字" in (await get(town, DESK, AUDITOR)).text
    english = (await get(town, f"{DESK}/{record}", CLERK, "en")).text
    assert "No key was destroyed" in english and "Keys destroyed" in english


async def test_they_are_refused_by_pages_and_the_reason_is_read(town: Town) -> None:
    record = f"tip-{await screened_tip(town)}"
    await send(town, DESK, CLERK, record=record, **ASK)
    assert (await send(town, f"{DESK}/{record}/refusal", LEADER, reason="并没有写姓名")).status_code == 303
    assert "并没有写姓名" in (await get(town, f"{DESK}/{record}", CLERK)).text
    assert (await send(town, f"{DESK}/{record}/nothing", LEADER)).status_code == 404


async def test_a_refused_form_says_what_is_wrong_where_it_was_filled_in(town: Town) -> None:
    unknown = await send(town, DESK, CLERK, record="tip-nobodys", **ASK)
    assert unknown.status_code == 422 and GROUNDS in unknown.text and 'id="record-wrong"' in unknown.text
    assert (await send(town, DESK, LEADER, record="tip-nobodys", **ASK)).status_code == 403
    for who in (POLICE, {"post": "village_head"}):
        assert (await get(town, DESK, who)).status_code == 403
