"""The log is signed as it grows, by a real signer; a kill at any step, two at once, and a restore leave one history."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.checkpointer import Checkpointer, SigningRefused
from shared.checkpoints import newest, origin_of
from shared.errors import HistoryDiffers
from shared.lineage import begin_new_lineage
from shared.proving import root_at
from shared.signing import SignerAt, SignerAway
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key
from tests.support.crash import dies, kill_at, pause_at
from tests.support.kernel import Place, running, until
from tests.support.signing import a_signer

SIZES = "SELECT size FROM record.checkpoint WHERE origin = $1 ORDER BY size"


@pytest.fixture
async def signer(source: Place, tmp_path: Path) -> AsyncIterator[SignerAt]:
    async with a_signer(tmp_path / "signer", f"{source.jurisdiction}/cases") as (made, _):
        yield made


def a_checkpointer(place: Place, signer: SignerAt, **changes: Any) -> Checkpointer:
    changes = {"every": 0.0, "poll": 0.02} | changes
    return Checkpointer(place.name, place.jurisdiction, place.pool, signer, **changes)


async def grow(place: Place, events: int) -> int:
    await place.fill(events)
    return await place.number()


async def sizes(place: Place) -> list[int]:
    """That were signed in the present lineage; each kept note says the root of its size, under the signer's key."""
    origin = await origin_of(Tx(place.pool), place.jurisdiction, "cases")  # type: ignore[arg-type]
    return [row[0] for row in await place.pool.fetch(SIZES, origin)]


async def test_each_checkpoint_is_kept_as_a_note_that_the_signers_key_verifies(source: Place, signer: SignerAt) -> None:
    tx = Tx(source.pool)  # type: ignore[arg-type]
    part = a_checkpointer(source, signer)
    assert await part.once() is None, "an empty log is not signed"
    for events in (3, 297, 400):
        head = await grow(source, events)
        checkpoint = await part.once()
        assert checkpoint is not None and (checkpoint.size, checkpoint.root) == (head, await root_at(tx, head))
        note = await newest(tx)
        assert note is not None and note.text == str(checkpoint)
        key = Key(checkpoint.origin, LOG, await signer.public())
        assert key in note.signed_by([key])
        assert await part.once() is None, "it did not grow"
    assert await sizes(source) == [3, 300, 700]


async def test_it_is_signed_every_ten_seconds_and_no_oftener(source: Place, signer: SignerAt) -> None:
    part = a_checkpointer(source, signer, every=10.0)
    await grow(source, 3)
    assert await part.once() is not None
    await grow(source, 3)
    assert await part.once() is None
    earlier = timedelta(seconds=11)
    await source.forced(f"UPDATE record.checkpoint SET signed_at = signed_at - interval '{earlier.seconds} s'")
    assert await part.once() is not None


@pytest.mark.parametrize("point", ["checkpoint: before signing", "checkpoint: signed", "checkpoint: kept"])
@pytest.mark.parametrize("grown", [0, 5])
async def test_killed_at_any_step_it_goes_on_with_one_history(
    source: Place, signer: SignerAt, point: str, grown: int
) -> None:
    await grow(source, 20)
    assert await a_checkpointer(source, signer).once() is not None
    await grow(source, 10)
    await dies(a_checkpointer(source, signer, points=kill_at(point)))
    if grown:
        await grow(source, grown)
    async with running(a_checkpointer(source, signer)):
        await until(lambda: ends_at(source, 30 + grown))
    assert set(await sizes(source)) - {30} == {20, 30 + grown} - {30}


async def ends_at(place: Place, size: int) -> bool:
    return (await sizes(place))[-1:] == [size]


async def test_two_at_once_keep_checkpoints_of_one_history(source: Place, signer: SignerAt) -> None:
    """The slower one is overtaken between reading the log and asking."""
    await grow(source, 20)
    hold = pause_at("checkpoint: before signing")
    slow = asyncio.create_task(a_checkpointer(source, signer, points=hold).once())
    await hold.reached.wait()
    await grow(source, 5)
    quick = await a_checkpointer(source, signer).once()
    assert quick is not None and quick.size == 25
    hold.go_on.set()
    assert await slow is None, "its checkpoint is shorter than what was signed meanwhile; the next one is not"
    parts = [a_checkpointer(source, signer) for _ in range(2)]
    async with running(*parts):
        for _ in range(5):
            head = await grow(source, 7)
            await until(lambda head=head: ends_at(source, head))
    assert [part.refused for part in parts] == [None, None]


async def test_a_signer_that_is_away_is_asked_again_and_goes_on_where_it_was(source: Place, tmp_path: Path) -> None:
    folder, log = tmp_path / "signer", f"{source.jurisdiction}/cases"
    part = a_checkpointer(source, SignerAt(folder / "socket"))
    await grow(source, 10)
    async with a_signer(folder, log) as (_, program), running(part):
        await until(lambda: ends_at(source, 10))
        await program.kill()
        await grow(source, 10)
        with pytest.raises(SignerAway):
            await a_checkpointer(source, SignerAt(folder / "socket")).once()
        async with a_signer(folder):
            await until(lambda: ends_at(source, 20))
        assert part.refused is None


async def test_a_log_that_was_altered_is_not_signed_and_says_so(source: Place, signer: SignerAt) -> None:
    await grow(source, 20)
    part = a_checkpointer(source, signer)
    await part.once()
    await source.forced("UPDATE record.log SET leaf = sha256('other') WHERE position = 7")
    await grow(source, 5)
    with pytest.raises(SigningRefused, match="did not grow"):
        await part.once()
    async with running(part):
        await until(lambda: part.refused)
    assert await sizes(source) == [20]


async def test_a_log_set_back_without_a_word_is_not_signed(source: Place, signer: SignerAt) -> None:
    await grow(source, 30)
    part = a_checkpointer(source, signer)
    await part.once()
    await source.forget(20)
    with pytest.raises(HistoryDiffers, match="30 events were signed, the log has 20"):
        await part.once()
    await source.forced("DELETE FROM record.checkpoint")
    with pytest.raises(HistoryDiffers, match="the signer signed 30 events, the log has 20"):
        await part.once()
    await grow(source, 15)
    with pytest.raises(SigningRefused, match="did not grow"):
        await part.once()


@pytest.mark.parametrize("back", [35, 40, 28, 3])
async def test_a_restored_log_goes_on_under_a_name_that_says_what_it_grew_from(
    source: Place, signer: SignerAt, back: int
) -> None:
    """Set back to between two checkpoints, to one of them, or to before any."""
    part = a_checkpointer(source, signer)
    for events in (28, 12, 10):
        await grow(source, events)
        await part.once()
    parent = await origin_of(Tx(source.pool), source.jurisdiction, "cases")  # type: ignore[arg-type]
    await source.forget(back)
    root = await root_at(Tx(source.pool), back)  # type: ignore[arg-type]
    await source.forced(f"DELETE FROM record.checkpoint WHERE size > {back}")
    await begin_new_lineage(source.owner_dsn)
    first = await part.once()
    assert first is not None and first.size == back
    assert first.origin.endswith(f"/after/{parent.split('/')[2]}/{back}/{root.hex()}")
    head = await grow(source, 6)
    second = await part.once()
    assert second is not None and (second.origin, second.size) == (first.origin, head)


@pytest.mark.parametrize(("back", "again", "shared"), [(35, 42, 35), (35, 32, 32), (40, 45, 40), (20, 41, 20)])
async def test_a_log_restored_twice_with_the_signer_away_is_signed_as_grown_from_what_was_signed(
    source: Place, signer: SignerAt, back: int, again: int, shared: int
) -> None:
    """The lineage between was never signed: its name is passed over, and what the first restore lost stays said."""
    part = a_checkpointer(source, signer)
    for events in (28, 12, 10):
        await grow(source, events)
        await part.once()
    parent = await origin_of(Tx(source.pool), source.jurisdiction, "cases")  # type: ignore[arg-type]
    await set_back(source, back)
    await grow(source, 50 - back)
    await set_back(source, again)
    await grow(source, 6)
    root = await root_at(Tx(source.pool), shared)  # type: ignore[arg-type]
    first = await part.once()
    assert first is not None and first.size == again + 6
    assert first.origin.endswith(f"/after/{parent.split('/')[2]}/{shared}/{root.hex()}")
    await grow(source, 3)
    second = await part.once()
    assert second is not None and second.origin == first.origin


async def set_back(place: Place, to: int) -> None:
    """As a backup of that moment would be, under a new lineage."""
    await place.forget(to)
    await place.forced(f"DELETE FROM record.checkpoint WHERE size > {to}")
    await begin_new_lineage(place.owner_dsn)


async def test_a_restored_log_that_was_made_anew_is_not_signed(source: Place, signer: SignerAt) -> None:
    """An administrator alters what was signed, and calls it a restore."""
    part = a_checkpointer(source, signer)
    for events in (20, 10):
        await grow(source, events)
        await part.once()
    await source.forced("UPDATE record.log SET leaf = sha256('other') WHERE position = 7")
    await source.forget(25)
    await begin_new_lineage(source.owner_dsn)
    await grow(source, 5)
    with pytest.raises(SigningRefused, match="did not grow from the one of 20"):
        await part.once()
    assert await newest(Tx(source.pool)) is None  # type: ignore[arg-type]


async def test_a_signer_with_another_key_behind_the_door_is_noticed(source: Place, signer: SignerAt) -> None:
    class Other(SignerAt):
        async def public(self) -> bytes:
            return Ed25519PrivateKey.generate().public_key().public_bytes_raw()

    await grow(source, 3)
    with pytest.raises(SigningRefused, match="the signer's line is not its own"):
        await a_checkpointer(source, Other(signer.socket)).once()
    assert await sizes(source) == []
    kept = await a_checkpointer(source, signer).once()
    assert isinstance(kept, Checkpoint)
