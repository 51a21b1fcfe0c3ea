"""The status page in a real browser, phone and desk: nothing sticks out, and nothing is blocked."""

import asyncio
import shutil

import pytest
import uvicorn
from playwright.async_api import async_playwright

from shared.parked import dismiss, waiting
from shared.web.service_app import web_of
from tests.integration.notify.campaign import Campaign
from tests.integration.operations.refusing import a_refused_reaction, and_one_behind_it

CHROMIUM = shutil.which("chromium")
SEEN = "document.documentElement.scrollWidth - document.documentElement.clientWidth"

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="make browser installs Chromium")


@pytest.mark.parametrize("width", [390, 1280])
async def test_nothing_sticks_out_and_nothing_is_blocked(campaign: Campaign, width: int) -> None:
    refused = await a_refused_reaction(campaign)
    await and_one_behind_it(campaign, refused)
    first, _ = await waiting(campaign.notify.pool)
    await dismiss(campaign.notify.pool, "notify", first.parked_id, "p-clerk-1", "重复的申请，申请人已另行说明原因" * 5)
    config = uvicorn.Config(web_of(campaign.notify), port=0, log_config=None, lifespan="off")
    server, socket = uvicorn.Server(config), config.bind_socket()
    serving = asyncio.create_task(server._serve(sockets=[socket]))
    address, said = f"http://127.0.0.1:{socket.getsockname()[1]}", list[str]()
    try:
        async with async_playwright() as playwright:
            browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
            context = await browser.new_context(viewport={"width": width, "height": 844})
            token = campaign.town.token_for("clerk")
            await context.add_cookies([{"name": "minewatch_token", "value": token, "url": address}])
            page = await context.new_page()
            page.on("console", lambda message: said.append(message.text))
            for lang in ("zh", "en"):
                await page.goto(f"{address}/notify/status?lang={lang}")
                assert "p-clerk-1" in await page.inner_text("main")
                assert await page.evaluate(SEEN) == 0, lang
            await browser.close()
    finally:
        server.should_exit = True
        await serving
        socket.close()
    assert said == []
