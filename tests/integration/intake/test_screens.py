"""The public pages in a real browser, phone and desk: nothing sticks out, nothing is blocked, and no script is needed."""

import asyncio
import shutil
from collections.abc import AsyncIterator

import pytest
import uvicorn
from playwright.async_api import Browser, async_playwright

from tests.integration.intake import informants
from tests.support.services import Town

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
