"""Proofs from the database are those of RFC 6962, at every size the log ever had."""

import asyncio

import pytest

from shared.database import migrate_one
from shared.proving import NotInLog, consistency_proof, inclusion_proof, root_at, tile
from shared.sql import Tx
from shared.transparency import tiles
from shared.transparency.checking import ProofRefused, check_consistency, check_inclusion
from tests.support.kernel import Place
from tests.unit.transparency import rfc

SIZES = (1, 2, 255, 256, 257, 511, 512, 700)


async def leaves_of(place: Place) -> list[bytes]:
    return [row[0] for row in await place.pool.fetch("SELECT leaf FROM record.log ORDER BY position")]


async def test_every_size_the_log_had_has_its_root_and_its_proofs(source: Place) -> None:
    await source.fill(700)
    await source.number()
    leaves, tx = await leaves_of(source), Tx(source.pool)  # type: ignore[arg-type]
    roots = {size: rfc.root(leaves[:size]) for size in SIZES}
    assert await root_at(tx, 0) == rfc.root([])
    for size in SIZES:
        assert await root_at(tx, size) == roots[size]
        for position in {1, size // 2 + 1, size}:
            path = await inclusion_proof(tx, position, size)
            check_inclusion(leaves[position - 1], position - 1, size, roots[size], path)
        for old in (one for one in SIZES if one <= size):
            check_consistency(old, roots[old], size, roots[size], await consistency_proof(tx, old, size))
    assert await consistency_proof(tx, 0, 700) == []
    assert await tile(tx, (1, 0, 2)) == [rfc.root(leaves[:256]), rfc.root(leaves[256:512])]
    assert await tile(tx, (0, 2, 188)) == leaves[512:]


async def test_what_is_not_in_the_log_has_no_proof(source: Place) -> None:
    await source.fill(3)
    await source.number()
    tx = Tx(source.pool)  # type: ignore[arg-type]
    for wrong in (
        inclusion_proof(tx, 0, 3),
        inclusion_proof(tx, 4, 3),
        inclusion_proof(tx, 1, 4),
        consistency_proof(tx, 4, 3),
        consistency_proof(tx, 2, 4),
        root_at(tx, 4),
    ):
        with pytest.raises(NotInLog):
            await wrong


async def test_small_batches_and_large_ones_leave_the_same_nodes(source: Place) -> None:
    for _ in range(6):
        await source.fill(100)
        await source.number()
    kept = await source.pool.fetch("SELECT level, index, hash FROM record.node ORDER BY level, index")
    leaves = await leaves_of(source)
    assert [tuple(row) for row in kept] == [(1, 0, rfc.root(leaves[:256])), (1, 1, rfc.root(leaves[256:512]))]


async def test_a_changed_leaf_is_seen_by_whoever_checks(source: Place) -> None:
    await source.fill(300)
    await source.number()
    leaves, tx = await leaves_of(source), Tx(source.pool)  # type: ignore[arg-type]
    root = rfc.root(leaves)
    await source.forced("UPDATE record.log SET leaf = sha256('other') WHERE position = 270")
    with pytest.raises(ProofRefused):
        check_inclusion(leaves[299], 299, 300, root, await inclusion_proof(tx, 300, 300))


async def test_the_nodes_of_a_log_that_is_older_than_they_are_made_when_it_is_migrated(source: Place) -> None:
    await source.fill(600)
    await source.number()
    asked = "SELECT level, index, hash FROM record.node ORDER BY level, index"
    before = await source.pool.fetch(asked)
    await source.forced(
        "DROP TABLE record.node, record.cosignature, record.checkpoint",
        "UPDATE public.schema_version SET version_num = '0002'",
    )
    await migrate_one("cases", source.owner_dsn)
    assert await source.pool.fetch(asked) == before
    assert len(before) == 2


async def test_the_tiles_of_a_log_being_written_are_whole(source: Place) -> None:
    """Nodes stand with the events they are made of, in one transaction."""
    await source.fill(256 * 3)
    numbering = asyncio.create_task(source.number())
    seen = 0
    while not numbering.done():
        async with source.pool.acquire() as connection, connection.transaction(isolation="repeatable_read"):
            tx = Tx(connection)
            size = await tx.value("SELECT position FROM work.head")
            for wanted in tiles.of_tree(size):
                await tile(tx, wanted)
            seen += 1
    assert await numbering == 768 and seen > 0
