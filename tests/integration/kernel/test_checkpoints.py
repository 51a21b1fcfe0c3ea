"""Checkpoints in the record: what they are called, and which one is the newest."""

from collections.abc import Sequence

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.checkpoints import newest, origin_of
from shared.lineage import begin_new_lineage
from shared.proving import root_at
from shared.sql import Tx
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, cosign, sign
from shared.transparency.policy import Policy
from tests.support.kernel import Place

PUT = "INSERT INTO record.checkpoint (origin, size, root, note) VALUES ($1, $2, $3, $4)"
PUT_LINE = "INSERT INTO record.cosignature (origin, size, witness, line, at) VALUES ($1, $2, $3, $4, to_timestamp($5))"
LOG_KEY, *WITNESS_KEYS = (Ed25519PrivateKey.generate() for _ in range(4))
NAMES = ("police.example", "land.example", "county.example")


def public(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def two_of_three(origin: str) -> Policy:
    lines = [f"log {Key(origin, LOG, public(LOG_KEY))}"]
    lines += [f"witness w{n} {Key(name, WITNESS, public(WITNESS_KEYS[n]))}" for n, name in enumerate(NAMES)]
    return Policy.read("\n".join([*lines, "group two 2 w0 w1 w2", "quorum two"]))


async def keep(place: Place, origin: str, size: int, witnesses: Sequence[int] = ()) -> None:
    """Signs the log's first `size` events, and has these witnesses sign with it."""
    root = await root_at(Tx(place.pool), size)  # type: ignore[arg-type]
    text = str(Checkpoint(origin, size, root))
    await place.pool.execute(PUT, origin, size, root, f"{text}\n{sign(text, origin, LOG_KEY)}")
    for n in witnesses:
        line = str(cosign(text, NAMES[n], WITNESS_KEYS[n], 1_500_000_000 + n))
        await place.pool.execute(PUT_LINE, origin, size, NAMES[n], line, 1_500_000_000 + n)


async def test_a_log_is_named_after_its_lineage_and_a_restored_one_after_the_checkpoint_it_grew_from(
    source: Place,
) -> None:
    tx = Tx(source.pool)  # type: ignore[arg-type]
    await source.fill(300)
    await source.number()
    first = await source.pool.fetchval("SELECT lineage FROM work.head")
    assert await origin_of(tx, "town", "cases") == f"town/cases/{first}"
    root = await root_at(tx, 300)
    born = await begin_new_lineage(source.owner_dsn)
    await source.fill(5)
    await source.number()
    assert await origin_of(tx, "town", "cases") == f"town/cases/{born.lineage}/after/{first}/300/{root.hex()}"


async def test_the_newest_checkpoint_is_that_of_the_present_lineage_with_every_line_gathered(source: Place) -> None:
    tx = Tx(source.pool)  # type: ignore[arg-type]
    await source.fill(20)
    await source.number()
    origin = await origin_of(tx, "town", "cases")
    assert await newest(tx) is None
    for size, witnesses in ((5, (0, 1, 2)), (9, (2, 0)), (20, ())):
        await keep(source, origin, size, witnesses)
    note = await newest(tx)
    assert note is not None and [line.name for line in note.lines] == [origin]
    assert Checkpoint.read(note.text).size == 20
    with_two = await newest(tx, policy=two_of_three(origin))
    assert with_two is not None and Checkpoint.read(with_two.text).size == 9
    assert [line.name for line in with_two.lines] == [origin, NAMES[0], NAMES[2]]

    await begin_new_lineage(source.owner_dsn)
    assert await newest(tx) is None
    assert await newest(tx, origin) == note
    child = await origin_of(tx, "town", "cases")
    await keep(source, child, 12)
    there = await newest(tx)
    assert there is not None and there.text.startswith(f"{child}\n12\n")
    assert await newest(tx, policy=two_of_three(child)) is None


async def test_a_quorum_is_found_behind_many_checkpoints_that_nobody_signed(source: Place) -> None:
    tx = Tx(source.pool)  # type: ignore[arg-type]
    await source.fill(230)
    await source.number()
    origin = await origin_of(tx, "town", "cases")
    for size in range(1, 231):
        await keep(source, origin, size, {1: (0, 1), 230: (2,)}.get(size, ()))
    note = await newest(tx, policy=two_of_three(origin))
    assert note is not None and Checkpoint.read(note.text).size == 1


async def test_a_second_root_for_a_size_is_not_kept(source: Place) -> None:
    await source.fill(3)
    await source.number()
    origin = await origin_of(Tx(source.pool), "town", "cases")  # type: ignore[arg-type]
    await keep(source, origin, 3)
    with pytest.raises(asyncpg.UniqueViolationError):
        await source.pool.execute(PUT, origin, 3, bytes(32), "x")
