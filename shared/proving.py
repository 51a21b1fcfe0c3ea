"""Proofs about a service's log, read from its database: some hundred rows for a log of any length."""

from collections.abc import Iterable, Mapping

from shared.errors import MinewatchError
from shared.sql import Tx
from shared.transparency import proofs, tiles, tree
from shared.transparency.tiles import WIDTH, Tile

LEAVES = "SELECT leaf FROM record.log WHERE position > $1 AND position <= $1 + $2 ORDER BY position"
NODES = "SELECT hash FROM record.node WHERE level = $3 AND index >= $1 AND index < $1 + $2 ORDER BY index"


class NotInLog(MinewatchError):
    """The log has no such position yet."""


async def tile(tx: Tx, wanted: Tile) -> list[bytes]:
    """The hashes of a tile. Raises NotInLog when the log does not fill it."""
    level, index, width = wanted
    step = (index * WIDTH, width)
    rows = await (tx.all(LEAVES, step) if level == 0 else tx.all(NODES, (*step, level)))
    if len(rows) != width:
        raise NotInLog(f"tile {level}/{index} has {len(rows)} of {width} hashes")
    return [row[0] for row in rows]


async def inclusion_proof(tx: Tx, position: int, size: int) -> list[bytes]:
    """That the event at `position` (from 1) is in the log of its first `size` events; lowest hash first. Raises NotInLog."""
    if not 0 < position <= size:
        raise NotInLog(f"no event {position} among the first {size}")
    return await _folded(tx, proofs.inclusion(position - 1, size), size)


async def consistency_proof(tx: Tx, old: int, size: int) -> list[bytes]:
    """That the log of the first `size` events grew from that of the first `old`; empty for equals and from nothing. Raises
    NotInLog."""
    if not 0 <= old <= size:
        raise NotInLog(f"a log of {size} events does not grow from {old}")
    return await _folded(tx, proofs.consistency(old, size) if old else [], size)


async def root_at(tx: Tx, size: int) -> bytes:
    """The root of the first `size` events. Raises NotInLog."""
    if size == 0:
        return tree.EMPTY_ROOT
    return (await _folded(tx, [proofs.covering(0, size)], size))[0]


async def _folded(tx: Tx, ranges: list[proofs.Range], size: int) -> list[bytes]:
    nodes = proofs.wanted(ranges)
    held = await _tiles(tx, tiles.holding(nodes, size))
    return proofs.folded(ranges, {node: tiles.hash_of(node, held, size) for node in nodes})


async def _tiles(tx: Tx, wanted: Iterable[Tile]) -> Mapping[Tile, list[bytes]]:
    return {each: await tile(tx, each) for each in wanted}
