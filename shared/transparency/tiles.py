"""The log as files (C2SP tlog-tiles): 256 hashes a tile, 256 entries a bundle, and the nodes that tiles give.

`tile/<level>/<index>` and `tile/entries/<index>`, the index in groups of three digits with an x before all but the last, and
`.p/<width>` where a tile is not full yet.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence

from shared.transparency import tree
from shared.transparency.proofs import Node

WIDTH = 1 << tree.TILE_HEIGHT

Tile = tuple[int, int, int]
"""(level, index, width); width is 256 unless the tree ends in it."""


def path(level: int | str, index: int, width: int = WIDTH) -> str:
    """`level`: a number, or "entries"."""
    digits = str(index)
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    groups = [digits[i : i + 3] for i in range(0, len(digits), 3)]
    name = "/".join([f"x{group}" for group in groups[:-1]] + groups[-1:])
    return f"tile/{level}/{name}" + ("" if width == WIDTH else f".p/{width}")


def of_tree(size: int, before: int = 0) -> Iterator[Tile]:
    """Every tile of a tree of `size` leaves that a tree of `before` leaves did not have in full, the lowest level first."""
    level = 0
    while size:
        for index in range(before // WIDTH, -(-size // WIDTH)):
            yield level, index, min(WIDTH, size - index * WIDTH)
        size, before, level = size // WIDTH, before // WIDTH, level + 1


def holding(nodes: Iterable[Node], size: int) -> set[Tile]:
    """The tiles, in a tree of `size` leaves, from which the hashes of `nodes` follow."""
    tiles: set[Tile] = set()
    for height, index in nodes:
        level = height // tree.TILE_HEIGHT
        at = (index << height % tree.TILE_HEIGHT) // WIDTH
        tiles.add((level, at, min(WIDTH, (size >> level * tree.TILE_HEIGHT) - at * WIDTH)))
    return tiles


def hash_of(node: Node, tiles: Mapping[Tile, Sequence[bytes]], size: int) -> bytes:
    """The node's hash. Raises KeyError for a tile that is not given."""
    (tile,) = holding([node], size)
    height, index = node
    low = height % tree.TILE_HEIGHT
    begin = (index << low) % WIDTH
    _, frontier = tree.extend(0, [], tiles[tile][begin : begin + (1 << low)])
    return tree.root(frontier)


def bundle(entries: Iterable[bytes]) -> bytes:
    """Entries one after another, each after its length in two bytes. Raises OverflowError beyond 65,535 bytes."""
    return b"".join(len(entry).to_bytes(2, "big") + entry for entry in entries)


def unbundled(content: bytes) -> list[bytes]:
    """The entries of a bundle. Raises ValueError when it ends in the middle of one."""
    entries: list[bytes] = []
    at = 0
    while at < len(content):
        begin = at + 2
        at = begin + int.from_bytes(content[at:begin], "big")
        if at > len(content) or begin > len(content):
            raise ValueError("it ends in the middle of an entry")
        entries.append(content[begin:at])
    return entries
