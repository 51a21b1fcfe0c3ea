"""A trouble that did not come about is not passed off as done; and what the last line of a run says of what was left out."""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import uuid4

import pytest

from shared.stream import connect, stream_name
from tests.faults import troubles
from tests.faults.injuries import NotDone
from tests.faults.mail import Mailbox
from tests.faults.report import Report
from tests.faults.schedule import Step
from tests.support.servers import NatsAddress

KEEP, MARK = 2, 3


@dataclass
class FakeTown:
    """A stream of intake that holds KEEP messages, and a receiver that has got to MARK."""

    nats_url: str
    jurisdiction: str = field(default_factory=lambda: f"t{uuid4().hex[:8]}")
    wanted: set[str] = field(default_factory=lambda: {"cases.receiver"})
    postgres: None = None

    @property
    def supervisor(self) -> "FakeTown":
        return self

    async def hold(self, names: Iterable[str]) -> None:
        self.wanted -= set(names)

    async def want(self, names: Iterable[str]) -> None:
        self.wanted |= set(names)

    def stream_keep(self, service: str) -> int | None:
        return KEEP if service == "intake" else None

    @asynccontextmanager
    async def at(self, _: object) -> AsyncIterator[None]:
        yield

    @asynccontextmanager
    async def database(self, _: str) -> AsyncIterator["FakeTown"]:
        yield self

    async def fetchrow(self, _: str, source: str) -> dict[str, int]:
        return {"position": MARK}


@pytest.fixture
def town(nats_server: NatsAddress) -> Any:
    return FakeTown(nats_server.url)


async def nothing() -> None:
    return None


async def test_a_receiver_is_away_until_the_stream_has_lost_what_comes_after_its_mark(town: Any) -> None:
    nc, name = await connect(town.nats_url, "test"), stream_name(town.jurisdiction, "intake")
    going = asyncio.create_task(troubles.stay_away(town, Step(0.0, "away", "cases.receiver", 0.0), nothing()))
    try:
        js = nc.jetstream()
        await asyncio.sleep(0.3)  # there is no stream yet
        await js.add_stream(name=name, subjects=[f"{town.jurisdiction}.>"], max_msgs=KEEP)
        for _ in range(MARK + KEEP):
            await js.publish(f"{town.jurisdiction}.x", b"")
        town.wanted.add("cases.receiver")  # as whoever puts its database back does
        await asyncio.sleep(0.5)
        assert not going.done() and town.wanted == set()
        await js.publish(f"{town.jurisdiction}.x", b"")
        await asyncio.wait_for(going, 10)
        assert town.wanted == {"cases.receiver"}
        await js.delete_stream(name)
    finally:
        going.cancel()
        await nc.close()


async def test_a_receiver_that_no_stream_outlasts_was_not_away(town: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "OUTLASTED", 0.5)
    with pytest.raises(NotDone, match="still hold what"):
        await troubles.stay_away(town, Step(0.0, "away", "cases.receiver", 0.0), nothing())
    await troubles.stay_away(town, Step(0.0, "down", "cases.receiver", 0.0), nothing())


@pytest.mark.parametrize("kind", troubles.MAIL)
async def test_mail_that_nobody_sent_was_not_disturbed(town: Any, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(troubles, "PATIENCE", 0.3)
    monkeypatch.setattr(FakeTown, "fetchval", lambda self, *_: asyncio.sleep(0, False), raising=False)
    mailbox = Mailbox()
    with pytest.raises(NotDone, match="no letter met it"):
        await troubles.disturb_mail(town, mailbox, Step(0.0, kind, "all", 0.0))
    assert mailbox.mode == "ok"


def test_the_last_line_says_what_was_left_out() -> None:
    assert Report(1, "").verdict == "every check was equal"
    left_out = Report(1, "", left_out=["full_nats: only root may mount"])
    assert left_out.verdict == "every check was equal; LEFT OUT: full_nats: only root may mount"
