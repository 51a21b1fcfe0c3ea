"""The public pages and the sign-in, as a browser without scripts sees them."""

import re
from collections.abc import AsyncIterator

import httpx
import pytest

from services.intake import reception
from services.intake.tries import WrongTries
from tests.support.services import Town

HTML = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"}


@pytest.fixture
async def browser(town: Town) -> AsyncIterator[httpx.AsyncClient]:
    """Cookies of its own."""
    transport = httpx.ASGITransport(town.door)
    async with httpx.AsyncClient(transport=transport, base_url="http://town.example", headers=HTML) as client:
        yield client


def command_id(html: str) -> str:
    found = re.search(r'name="command_id" value="([^"]+)"', html)
    assert found is not None
    return found[1]


def receipt(html: str) -> str:
    found = re.search(r'class="code">([0-9-]{19})<', html)
    assert found is not None
    return found[1]


async def test_the_start_page_names_the_campaign_and_its_channels(browser: httpx.AsyncClient, town: Town) -> None:
    html = (await browser.get("/")).text
    assert town.loaded.plan.name in html and "/tip/status" in html
    assert all(channel.address in html for channel in town.plan.channels if channel.code != "web")


async def test_a_tip_by_the_form_shows_a_receipt_that_nobody_stores(browser: httpx.AsyncClient) -> None:
    form = await browser.get("/tip")
    assert "checked" in form.text.split('id="anonymous"')[1].split(">")[0]
    sent = {"command_id": command_id(form.text), "anonymous": "yes", "words": "夜里拉煤", "where": "老井口"}
    answer = await browser.post("/tip/receipt", data=sent)
    assert (answer.status_code, answer.headers["cache-control"]) == (201, "no-store")
    assert answer.headers["referrer-policy"] == "no-referrer"
    code = receipt(answer.text)
    assert receipt((await browser.post("/tip/receipt", data=sent)).text) == code
    status = await browser.post("/tip/status", data={"receipt": code})
    assert "已收到" in status.text and "夜里拉煤" not in status.text


async def test_the_place_is_part_of_what_the_office_reads(browser: httpx.AsyncClient, town: Town) -> None:
    await browser.post("/tip/receipt", data={"anonymous": "yes", "words": "有人挖", "where": "西沟口", "village": ""})
    clerk = town.headers("clerk")
    lines = (await town.get("/intake/v1/tips", clerk, limit=200))["items"]
    spoken = [(await town.get(f"/intake/v1/tips/{line['tip']}", clerk))["words"][0]["words"] for line in lines]
    assert "地点：西沟口\n有人挖" in spoken


async def test_what_is_wrong_is_named_beside_its_field_and_nothing_typed_is_lost(browser: httpx.AsyncClient) -> None:
    form = command_id((await browser.get("/tip")).text)
    answer = await browser.post(
        "/tip/receipt", data={"command_id": form, "where": "老井口", "live": "yes", "words": " "}
    )
    assert answer.status_code == 422
    assert 'href="#words"' in answer.text and 'href="#name"' in answer.text
    assert answer.text.count('aria-invalid="true"') == 2
    assert 'value="老井口"' in answer.text and command_id(answer.text) == form
    assert "checked" in answer.text.split('id="live"')[1].split(">")[0]
    assert "checked" not in answer.text.split('id="anonymous"')[1].split(">")[0]
    fine = await browser.post("/tip/receipt", data={"command_id": form, "anonymous": "yes", "words": "有人挖"})
    assert fine.status_code == 201


async def test_a_name_typed_before_anonymous_was_ticked_is_dropped(browser: httpx.AsyncClient, town: Town) -> None:
    answer = await browser.post("/tip/receipt", data={"anonymous": "yes", "words": "有人挖", "name": "王某"})
    assert answer.status_code == 201 and "王某" not in answer.text
    body = await town.services["intake"].pool.fetchval("SELECT body FROM record.event ORDER BY ingest_id DESC LIMIT 1")
    assert b'"name"' not in body and b'"anonymous":true' in body


async def test_a_changed_form_sent_again_is_not_taken_for_the_first(browser: httpx.AsyncClient) -> None:
    form = command_id((await browser.get("/tip")).text)
    await browser.post("/tip/receipt", data={"command_id": form, "anonymous": "yes", "words": "一"})
    again = await browser.post("/tip/receipt", data={"command_id": form, "anonymous": "yes", "words": "二"})
    assert again.status_code == 409 and "已经提交过" in again.text
    assert command_id(again.text) != form


async def test_the_receipt_page_is_not_found_by_its_address(browser: httpx.AsyncClient) -> None:
    answer = await browser.get("/tip/receipt")
    assert (answer.status_code, answer.headers["location"]) == (303, "/tip")


async def test_a_supplement_is_taken_and_thanked_for(browser: httpx.AsyncClient) -> None:
    code = receipt((await browser.post("/tip/receipt", data={"anonymous": "yes", "words": "有人挖"})).text)
    form = command_id((await browser.post("/tip/status", data={"receipt": code})).text)
    sent = {"receipt": code, "command_id": form, "words": "又来了"}
    assert "补充已收到" in (await browser.post("/tip/supplements", data=sent)).text
    empty = await browser.post("/tip/supplements", data={"receipt": code, "words": " "})
    assert empty.status_code == 422 and 'aria-invalid="true"' in empty.text


async def test_a_mistyped_receipt_is_shown_again_with_what_is_wrong(browser: httpx.AsyncClient) -> None:
    answer = await browser.post("/tip/status", data={"receipt": "1234"})
    assert answer.status_code == 422
    assert 'value="1234"' in answer.text and 'href="#receipt"' in answer.text


async def test_whoever_guesses_receipts_has_to_wait(town: Town) -> None:
    """By address, so that others are not held up."""
    guesser, other = (
        httpx.AsyncClient(
            transport=httpx.ASGITransport(town.door, client=(address, 1)),
            base_url="http://town.example",
            headers=HTML,
        )
        for address in ("192.0.2.1", "192.0.2.2")
    )
    async with guesser, other:
        for _ in range(WrongTries().most):
            await guesser.post("/tip/status", data={"receipt": "4711-0815-2018-0116"})
        late = await guesser.post("/tip/status", data={"receipt": "4711-0815-2018-0116"})
        by_api = await guesser.post("/intake/v1/public/tips/status", json={"receipt": "4711-0815-2018-0116"})
        free = await other.post("/tip/status", data={"receipt": "1234"})
    assert (late.status_code, by_api.status_code, free.status_code) == (429, 429, 422)
    assert 0 < int(late.headers["retry-after"]) <= 60 and 0 < int(by_api.headers["retry-after"]) <= 60
    assert "请稍后再试" in late.text
    assert reception.WRONG.wait("192.0.2.1") > 0


async def test_the_pages_speak_english_when_asked(browser: httpx.AsyncClient) -> None:
    assert "Report something" in (await browser.get("/tip?lang=en")).text
    answer = await browser.post("/tip/receipt", data={"anonymous": "yes", "words": ""})
    assert "Say what you saw or heard." in answer.text and "请写明" not in answer.text


async def test_staff_sign_in_with_a_token_and_come_back_to_where_they_were(
    browser: httpx.AsyncClient, town: Town
) -> None:
    sent_away = await browser.get("/cases/hazards?state=open")
    assert (sent_away.status_code, sent_away.headers["location"]) == (
        303,
        "/sign-in?next=%2Fcases%2Fhazards%3Fstate%3Dopen",
    )
    form = await browser.get(sent_away.headers["location"])
    assert 'value="/cases/hazards?state=open"' in form.text
    bad = await browser.post("/sign-in", data={"token": "nonsense-token", "next": "/cases/hazards"})
    assert bad.status_code == 422 and "nonsense-token" not in bad.text and "set-cookie" not in bad.headers
    good = await browser.post("/sign-in", data={"token": town.token_for("clerk"), "next": "/cases/hazards?state=open"})
    assert (good.status_code, good.headers["location"]) == (303, "/cases/hazards?state=open")
    cookie = good.headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    assert "退出" in (await browser.get("/cases/hazards")).text
    assert "退出" in (await browser.get("/")).text
    assert (await browser.post("/sign-out")).headers["location"] == "/"
    assert (await browser.get("/cases/hazards")).status_code == 303


async def test_an_expired_sign_in_shuts_nobody_out_of_the_public_pages(browser: httpx.AsyncClient) -> None:
    browser.cookies.set("minewatch_token", "expired")
    assert (await browser.get("/")).status_code == 200
    assert (await browser.get("/tip")).status_code == 200
    assert (await browser.post("/tip/receipt", data={"anonymous": "yes", "words": "有人挖"})).status_code == 201
    assert (await browser.get("/cases/hazards")).status_code == 303


async def test_a_program_is_told_and_not_sent_to_a_form(town: Town) -> None:
    answer = await town.http.get("/cases/hazards", headers={"Accept": "application/json"})
    assert (answer.status_code, answer.headers["content-type"]) == (401, "application/problem+json")


async def test_a_form_of_another_site_is_refused(browser: httpx.AsyncClient, town: Town) -> None:
    from_elsewhere = {"Sec-Fetch-Site": "cross-site"}
    for path in ("/tip/receipt", "/sign-in", "/sign-out"):
        answer = await browser.post(path, data={"words": "x", "token": town.token_for("clerk")}, headers=from_elsewhere)
        assert answer.status_code == 403 and "set-cookie" not in answer.headers
