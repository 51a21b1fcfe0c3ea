"""Who rebuilds gives up when nothing gets done, and not because others took their time before."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from tests.faults import restoring
from tests.faults.injuries import NotDone


@pytest.fixture(autouse=True)
def little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "PATIENCE", 0.5)


def a_town(code: int) -> Any:
    """In which a rebuild ends with `code`."""

    async def once(*_: Any) -> tuple[int, str]:
        return code, "what it said"

    return SimpleNamespace(stale={"cases", "notify"}, deciding=asyncio.Lock(), supervisor=SimpleNamespace(once=once))


async def test_a_rebuild_that_had_to_wait_for_a_decision_is_done_afterwards() -> None:
    town = a_town(0)
    async with town.deciding:
        rebuilding = asyncio.create_task(restoring.rebuild_stale(town))
        await asyncio.sleep(0.6)
    await rebuilding
    assert town.stale == set()


async def test_a_rebuild_that_is_never_done_is_given_up() -> None:
    with pytest.raises(NotDone, match=r"not rebuilt: .*what it said"):
        await restoring.rebuild_stale(a_town(1))
