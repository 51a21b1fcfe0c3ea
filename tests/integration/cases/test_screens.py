"""The pages in a real browser, phone and desk: nothing sticks out, nothing is blocked, and the forms need no script."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import uvicorn
from playwright.async_api import Browser, Page, async_playwright

from shared.web.service_app import web_of
from tests.integration.cases.desk import HEAD, Desk
from tests.integration.cases.intake import beside

CHROMIUM = shutil.which("chromium")
WIDTHS = (390, 1280)
SEEN = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="make browser installs Chromium")


@pytest.fixture(scope="module")
async def browser() -> AsyncIterator[Browser]:
    async with async_playwright() as playwright:
        opened = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        await opened.close()


@asynccontextmanager
async def served(desk: Desk) -> AsyncIterator[str]:
    """The address of cases, listening."""
    config = uvicorn.Config(web_of(desk.town.services["cases"]), port=0, log_config=None, lifespan="off")
    server, socket = uvicorn.Server(config), config.bind_socket()
    task = asyncio.create_task(server._serve(sockets=[socket]))
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{socket.getsockname()[1]}"
    finally:
        server.should_exit = True
        await task
        socket.close()


@asynccontextmanager
async def signed_in(
    browser: Browser, desk: Desk, address: str, who: str, width: int, scripts: bool = True
) -> AsyncIterator[Page]:
    post, _, unit = who.partition("@")
    context = await browser.new_context(viewport={"width": width, "height": 844}, java_script_enabled=scripts)
    token = desk.town.token_for(post, unit or None)
    await context.add_cookies([{"name": "minewatch_token", "value": token, "url": address}])
    await context.add_init_script(
        "addEventListener('securitypolicyviolation', e => console.error('CSP ' + e.violatedDirective))"
    )
    try:
        yield await context.new_page()
    finally:
        await context.close()


@pytest.mark.parametrize("width", WIDTHS)
async def test_nothing_sticks_out_and_nothing_is_blocked(desk: Desk, browser: Browser, width: int) -> None:
    await desk.intake.tip(live=True, summary="夜间有人用挖机打开封堵的旧井口，井口旁堆有新鲜矸石" * 4)
    hazard = await desk.only()
    await desk.intake.tip(place=beside(3000), category="overlain_mineral_area")
    said: list[str] = []
    async with served(desk) as address:
        for who in ("inspector", "village_head@dulan"):
            async with signed_in(browser, desk, address, who, width) as page:
                page.on("console", lambda message: said.append(message.text))
                for path in ("/cases/hazards", f"/cases/hazards/{hazard}"):
                    await page.goto(address + path)
                    await page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
                    assert await page.evaluate(SEEN) == 0, (who, path)
    assert said == []


@pytest.mark.parametrize("width", WIDTHS)
async def test_a_three_fix_is_ordered_on_the_page_without_any_script(desk: Desk, browser: Browser, width: int) -> None:
    await desk.intake.tip()
    hazard = await desk.only()
    async with served(desk) as address, signed_in(browser, desk, address, "inspector", width, scripts=False) as page:
        await page.goto(f"{address}/cases/hazards")
        await page.click("text=隐患 001")
        await page.click("#three-fix summary")
        await page.select_option("#measure", "sealing")
        await page.select_option("#responsible", f"{HEAD}|dulan")
        await page.click("#three-fix button[type=submit]")
        assert "缺整改时限" in await page.inner_text("#complaints")
        await page.fill("#deadline_at", "2018-01-29T17:00")
        await page.click("#three-fix button[type=submit]")
        assert page.url == f"{address}/cases/hazards/{hazard}#now"
        assert "2018-01-29 17:00" in await page.inner_text("#now")
        told = await page.locator("#just-signed summary").bounding_box()
        assert told is not None and 0 <= told["y"] <= 844 - told["height"], "in sight without scrolling"
        await page.click("#just-signed summary")
        assert await page.evaluate(SEEN) == 0
        async with page.expect_download() as coming:
            await page.click("#just-signed a")
        assert (await coming.value).suggested_filename == "note.txt"
        await page.reload()
        assert await page.query_selector("#just-signed") is None
