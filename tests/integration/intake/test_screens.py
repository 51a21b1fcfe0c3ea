"""The public pages in a real browser, phone and desk: nothing sticks out, nothing is blocked, and no script is needed."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from shared.transparency.checkpoint import Checkpoint
from shared.verifier.program import Question
from shared.verifier.program import run as verified
from tests.integration.intake import informants
from tests.support.commands import command, environment_of
from tests.support.services import Town
from tests.support.signed import a_checkpoint, policy_for

CHROMIUM = shutil.which("chromium")
WIDTHS = (390, 1280)
STICKS_OUT = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="make browser installs Chromium")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@pytest.fixture
async def address(town: Town) -> AsyncIterator[str]:
    """Where the town's one door listens."""
    config = uvicorn.Config(town.door, port=0, log_config=None, lifespan="off")
    server, socket = uvicorn.Server(config), config.bind_socket()
    task = asyncio.create_task(server._serve(sockets=[socket]))
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    server.should_exit = True
    await task
    socket.close()


@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_sticks_out_and_nothing_is_blocked(browser: Browser, address: str, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844})
    await context.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective))"
    )
    page = await context.new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    for path in ("/", "/tip", "/tip/status", "/sign-in", "/?lang=en", "/tip?lang=en"):
        await page.goto(address + path)
        assert await page.evaluate(STICKS_OUT) == 0, path
    assert said == []
    await context.close()


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_tip_needs_no_script(browser: Browser, address: str, width: int) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844}, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{address}/tip")
    assert not await page.is_visible("#name")
    await page.uncheck("#anonymous")
    assert await page.is_visible("#name") and await page.is_visible("#contact")
    await page.click("main button")
    assert await page.is_visible("a[href='#words']") and await page.is_visible("a[href='#name']")
    await page.check("#anonymous")
    await page.fill("#words", "夜里有两辆车从老井口往外拉煤")
    await page.click("main button")
    code = await page.inner_text(".code")
    await page.click("main a[href='/tip/status']")
    await page.fill("#receipt", code)
    await page.click("main button")
    assert "已收到" in await page.inner_text("main")
    await context.close()


async def saved(page: Page, to: Path) -> Path:
    """The signed receipt of the page as a file, which holds what could be copied; nothing of it is to be seen before."""
    assert not await page.is_visible("#signed .line")
    await page.click("#signed summary")
    assert await page.evaluate(STICKS_OUT) == 0
    async with page.expect_download() as coming:
        await page.click("#signed a")
    download = await coming.value
    assert download.suggested_filename == "note.txt"
    await download.save_as(to)
    assert to.read_text("ascii") == await page.inner_text("#signed .line")
    return to


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_signed_receipt_is_taken_along_and_verified_by_whoever_has_the_towns_log(
    town: Town, browser: Browser, address: str, width: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    context = await browser.new_context(viewport={"width": width, "height": 844}, java_script_enabled=False)
    page = await context.new_page()
    await page.goto(f"{address}/tip")
    await page.fill("#words", "夜里有两辆车从老井口往外拉煤")
    await page.click("main button")
    code, first = await page.inner_text(".code"), await saved(page, tmp_path / "first")
    await page.click("main a[href='/tip/status']")
    await page.fill("#receipt", code)
    await page.click("main button")
    assert await page.query_selector("#signed") is None
    await page.fill("#words", "又来了一辆")
    await page.click("main button")
    second = await saved(page, tmp_path / "second")
    assert await context.cookies() == []
    await context.close()

    await town.settled()
    settings, export, policy = town.services["intake"].settings, tmp_path / "export", tmp_path / "policy"
    note = await a_checkpoint(town.services["intake"].pool, settings.jurisdiction, "intake")
    policy.write_text(policy_for(Checkpoint.read(note.text).origin), "utf-8")
    here = ("--service", "intake", "--as", "p-clerk-1", "--reason", "移交县审计局", "--wait", "0")
    said = await command(environment_of(settings), "audit", "export", "--to", str(export), *here)
    assert said.code == 0, said.text
    vkey = (await town.get("/intake/v1/log"))["receipt_vkey"]
    brought = ("--receipt", str(first), "--receipt", str(second), "--receipt-key", vkey)
    said = await command({}, "audit", "verify", str(export), "--policy", str(policy), *brought)
    assert said.code == 0 and said.text.count("the event of the receipt is in the log") == 2, said.text

    written = first.read_text("ascii")
    for at in range(0, len(written) - 4, 29):
        other = "B" if written[at] == "A" else "A"
        first.write_text(written[:at] + other + written[at + 1 :], "ascii")
        assert verified(Question(export, policy, receipts=(first,), receipt_keys=(vkey,))) == 1, at


@pytest.mark.parametrize("width", WIDTHS)
async def test_the_custodians_desk_is_worked_without_a_script(
    town: Town, browser: Browser, address: str, width: int
) -> None:
    _, tip = await informants.named_tip(town)
    disclosure = await informants.approved(town, tip)
    await informants.done(town, f"{informants.TIPS}/{tip}/erasure", informants.CUSTODIAN, informants.ERASE)
    context = await browser.new_context(viewport={"width": width, "height": 844}, java_script_enabled=False)
    token = {"name": "minewatch_token", "value": town.token_for("custodian"), "url": address}
    await context.add_cookies([token])
    page = await context.new_page()
    desk = f"{address}/intake/informants"
    for path in ("", f"/tips/{tip}", f"/disclosures/{disclosure}", "?lang=en", f"/tips/{tip}?lang=en"):
        await page.goto(desk + path)
        assert await page.evaluate(STICKS_OUT) == 0, path
    await page.goto(f"{desk}/disclosures/{disclosure}")
    await page.click("#open button")
    assert informants.NAME in await page.inner_text("#identity")
    assert await page.evaluate(STICKS_OUT) == 0
    await page.reload()  # the browser asks for the form's address once more
    assert informants.NAME not in await page.inner_text("main")
    await page.goto(f"{desk}/disclosures/{disclosure}")
    assert informants.NAME not in await page.inner_text("main")
    await context.close()
