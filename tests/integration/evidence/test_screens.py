"""The order form, the list of openings and a pack's timeline in a real browser: nothing sticks out, and nothing is blocked."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import uvicorn
from playwright.async_api import BrowserContext, async_playwright

from tests.integration.evidence.story import Told
from tests.integration.evidence.trail import unpacked

CHROMIUM = shutil.which("chromium")
SEEN = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="make browser installs Chromium")


@asynccontextmanager
async def a_browser(story: Told, width: int, said: list[str]) -> AsyncIterator[tuple[BrowserContext, str]]:
    """Signed in as the auditor, in front of the town's own door."""
    config = uvicorn.Config(story.town.door, port=0, log_config=None, lifespan="off")
    server, socket = uvicorn.Server(config), config.bind_socket()
    serving = asyncio.create_task(server._serve(sockets=[socket]))
    address = f"http://127.0.0.1:{socket.getsockname()[1]}"
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = await browser.new_context(viewport={"width": width, "height": 844}, accept_downloads=True)
            context.on("console", lambda message: said.append(message.text))
            token = story.town.token_for("auditor")
            await context.add_cookies([{"name": "minewatch_token", "value": token, "url": address}])
            yield context, address
            await browser.close()
    finally:
        server.should_exit = True
        await serving
        socket.close()


async def test_a_pack_is_ordered_on_the_page_of_a_hazard_and_its_timeline_opens(story: Told, tmp_path: Path) -> None:
    said: list[str] = []
    async with a_browser(story, 390, said) as (context, address):
        page = await context.new_page()
        for lang in ("en", "zh"):
            await page.goto(f"{address}/reporting/reports/{story.report}?lang={lang}")
            await page.locator("#evidence summary").click()
            assert await page.evaluate(SEEN) == 0, lang
            await page.goto(f"{address}/cases/hazards/{story.hazard}?lang={lang}")
            await page.locator("#evidence summary").click()
            assert await page.evaluate(SEEN) == 0, lang
        await page.fill("#evidence textarea", "看")
        await page.click("#evidence button")
        assert await page.locator("#evidence .wrong").inner_text() != ""
        assert await page.evaluate(SEEN) == 0
        await page.fill("#evidence textarea", "核对这一隐患的整改和验收。")
        async with page.expect_download() as coming:
            await page.click("#evidence button")
        pack = tmp_path / "pack.zip"
        await (await coming.value).save_as(pack)
        for lang in ("en", "zh"):
            await page.goto(f"{address}/cases/openings?lang={lang}")
            assert "核对这一隐患的整改和验收。" in await page.inner_text("main")
            assert await page.evaluate(SEEN) == 0, lang
        timeline = tmp_path / "timeline.html"
        timeline.write_bytes(unpacked(pack.read_bytes())["timeline.html"])
        await page.goto(timeline.as_uri())
        assert "坑口已封堵，设备已清运。" in await page.inner_text("main")
        assert await page.evaluate(SEEN) == 0
    assert said == [] or all("422" in line for line in said), said
