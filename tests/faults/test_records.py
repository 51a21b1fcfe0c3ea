"""What is compared is all there is, on a slow machine too."""

import secrets
from typing import Any

import nats.errors
import pytest
from nats.js import JetStreamContext

from shared.stream import connect
from tests.faults.records import read_mirror
from tests.support.servers import NatsAddress


async def test_a_stream_that_gives_nothing_for_a_while_is_read_to_its_end_all_the_same(
    nats_server: NatsAddress, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, fetch, asked = f"S{secrets.token_hex(4)}", JetStreamContext.PullSubscription.fetch, 0

    async def slow(self: Any, *how: Any, **more: Any) -> Any:
        nonlocal asked
        asked += 1
        if asked <= 2:
            raise nats.errors.TimeoutError
        return await fetch(self, *how, **more)

    monkeypatch.setattr(JetStreamContext.PullSubscription, "fetch", slow)
    nc = await connect(nats_server.url, "test")
    try:
        js = nc.jetstream()
        await js.add_stream(name=name, subjects=[f"{name}.>"])
        for nth in range(3):
            await js.publish(f"{name}.x", str(nth).encode())
        mirror = await read_mirror(nc, name)
        assert mirror is not None and [body for _, _, body in mirror.messages.values()] == [b"0", b"1", b"2"]
        asked = 0
        await js.delete_msg(name, 2)
        mirror = await read_mirror(nc, name)
        assert mirror is not None and list(mirror.messages) == [1, 3] and mirror.last == 3
        await js.delete_stream(name)
        assert await read_mirror(nc, name) is None
    finally:
        await nc.close()
