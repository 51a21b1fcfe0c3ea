"""Read models built anew after an erasure, when that does not come about."""

import asyncio
import itertools
from typing import Any

from shared.errors import NotReady
from shared.rebuilding import Rebuilding
from tests.support.kernel import OpenSite, Place, a_cause
from tests.support.town import eventually


async def test_one_that_goes_on_failing_is_tried_ever_more_seldom_and_shows_with_what(place: Place) -> None:
    await place.app.handle(OpenSite(site="a", name="老窑沟三号井口"), a_cause())
    await place.pool.execute("INSERT INTO work.due VALUES ('rebuilding', 'site-a', now())")
    shown: list[Any] = []
    tried: list[float] = []

    async def rebuild() -> None:
        tried.append(asyncio.get_running_loop().time())
        shown.append(await place.pool.fetchval("SELECT failed FROM work.due"))
        if len(tried) < 5:
            raise NotReady("no room")

    async def done() -> bool:
        return not await place.pool.fetchval("SELECT EXISTS (SELECT FROM work.due)")

    part = Rebuilding("intake", place.pool, lambda _: None, rebuild, again=0.05)
    running = asyncio.create_task(part.run())
    assert await eventually(done, 30)
    running.cancel()
    assert shown == [None, None, None, "NotReady: no room", "NotReady: no room"]
    pauses = [after - before for before, after in itertools.pairwise(tried)]
    assert all(pause >= 0.05 * 2**nth for nth, pause in enumerate(pauses))
