"""Sealing on a real key store and a real record: nothing in clear in the bytes, and the right reader gets it back."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from shared.contracts.envelope import read
from shared.contracts.event import Sealed
from shared.contracts.intake.tip import TipReceived
from shared.errors import StreamExists
from shared.identity.sealing import open_many, seal
from shared.sealer import ServiceSealer
from tests.integration.identity.conftest import Keys
from tests.support.kernel import OpenSite, Place, Templates, a_cause, a_place


@pytest.fixture
async def place(templates: Templates, keys: Keys) -> AsyncIterator[Place]:
    """A service whose texts are sealed with `keys`."""
    async with a_place(templates, sealed=False) as made:
        made.app = replace(made.app, sealer=ServiceSealer(await keys.store()))
        yield made


async def test_the_stored_bytes_hold_no_sealed_text(place: Place) -> None:
    await place.app.handle(OpenSite(site="a", name="老窑沟三号井口"), a_cause())
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert "老窑沟".encode() not in body
    assert isinstance(read(body).event.name, Sealed)  # type: ignore[attr-defined]
    [opened] = await place.app.sealer.open([read(body)])
    assert opened.event.name == "老窑沟三号井口"
    assert opened.body == body


async def test_the_key_stays_when_the_append_does_not(place: Place, keys: Keys) -> None:
    await place.app.handle(OpenSite(site="a", no=7), a_cause())
    with pytest.raises(StreamExists):
        await place.app.handle_all([OpenSite(site="b", no=8), OpenSite(site="a")], a_cause())
    assert await (await keys.pool()).fetchval("SELECT count(*) FROM key WHERE stream_id = 'site-b'") == 1


async def test_an_erased_text_stays_closed_and_everything_else_is_read(place: Place, keys: Keys) -> None:
    await place.app.handle(OpenSite(site="a", name="老窑沟三号井口"), a_cause())
    body = await place.pool.fetchval("SELECT body FROM record.event")
    assert await (await keys.store("keys_custodian")).destroy("site-a") == 1
    [closed] = await ServiceSealer(await keys.store()).open([read(body)])
    assert isinstance(closed.event.name, Sealed)
    assert closed.event.category == "closed_mine"
    assert closed.leaf == read(body).leaf


async def test_an_informant_is_known_to_the_custodian_alone(keys: Keys) -> None:
    office, custodian = await keys.store(), await keys.store("keys_custodian")
    tip = TipReceived(
        channel="web",
        anonymous=False,
        live=False,
        informant="i-1",
        words="有人夜里挖煤",
        name="甲某",
        contact="13900000000",
        receipt_digest="d",
    )
    closed = TipReceived.model_validate(json.loads(json.dumps(await seal(tip, "tip-1", office))))
    for store in (office, await keys.store()):
        [read_here] = await open_many([(closed, "tip-1")], store)
        assert isinstance(read_here, TipReceived)
        assert read_here.words == tip.words
        assert isinstance(read_here.name, Sealed) and isinstance(read_here.contact, Sealed)
    [disclosed] = await open_many([(closed, "tip-1")], custodian)
    assert isinstance(disclosed, TipReceived)
    assert (disclosed.name, disclosed.contact) == (tip.name, tip.contact)


async def test_a_file_is_sealed_under_its_stream_and_opens_there_only(keys: Keys) -> None:
    sealer = ServiceSealer(await keys.store())
    content = await sealer.seal_bytes(b"<gpx/>", "patrol-1")
    assert b"gpx" not in content
    assert await sealer.open_bytes(content, "patrol-1") == b"<gpx/>"
    assert await sealer.open_bytes(content, "patrol-2") is None
    for cut in (0, 1, 37, 40, 49, 60, 81, len(content) - 1):
        assert await sealer.open_bytes(content[:cut], "patrol-1") is None
    await (await keys.store("keys_custodian")).destroy("patrol-1")
    assert await ServiceSealer(await keys.store()).open_bytes(content, "patrol-1") is None


@pytest.mark.parametrize(
    "content", [b"", b"\xff" * 36, b"x" * 20, b"\x02", b"\x02" * 90, "煤".encode() * 12 + b"x" * 30]
)
async def test_bytes_that_were_never_sealed_open_to_nothing(keys: Keys, content: bytes) -> None:
    assert await ServiceSealer(await keys.store()).open_bytes(content, "patrol-1") is None
