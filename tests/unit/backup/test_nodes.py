"""The kept nodes of a log's tree, as a backup holds them: they are those of its events, each in its place, all and no others.

Nodes are kept of every 256 events, so the log here has some hundreds; of it a walk reads the files alone.
"""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest

from shared.backup.logs import Log, Walked
from shared.backup.manifest import Doubt, Part, Table
from shared.contracts.envelope import leaf_of
from shared.transparency import tree
from shared.transparency.origin import Origin

LINEAGE = "11111111-2222-3333-4444-555555555555"
EVENTS = 600
NOW = "2018-03-01T00:00:00.000000Z"
COLUMNS = {
    "record.event": ("event_id", "stream_id", "version", "type", "body", "recorded_at"),
    "record.log": ("position", "event_id", "leaf"),
    "record.node": ("level", "index", "hash"),
    "record.lineage": ("lineage", "parent", "from_position"),
    "record.checkpoint": ("origin", "size", "root", "note"),
    "work.pending": ("ingest_id", "event_id"),
    "work.head": ("lineage", "position", "leaf", "frontier", "root"),
}

Node = tuple[int, int, bytes]
Change = Callable[[list[Node]], list[Node]]


def binary(value: bytes) -> str:
    return "\\\\x" + value.hex()


def written(folder: Path, change: Change = lambda nodes: nodes) -> Log:
    """A log whose nodes were changed, and nothing else."""
    tables: dict[str, list[tuple[object, ...]]] = {name: [] for name in COLUMNS}
    size, frontier, nodes, leaf = 0, list[bytes](), list[Node](), b""
    for nth in range(1, EVENTS + 1):
        told = {"id": str(UUID(int=nth)), "subject": f"hazard-{nth}", "version": 1, "type": "cases.hazard.opened.v1"}
        body = json.dumps(told | {"recordedat": NOW, "source": "/town/cases"}).encode()
        size, frontier = tree.extend(size, frontier, (leaf := leaf_of(body),), nodes)
        tables["record.event"].append((*told.values(), binary(body), NOW))
        tables["record.log"].append((nth, told["id"], binary(leaf)))
    root = tree.root(frontier)
    tables["record.node"] = [(level, index, binary(hash_)) for level, index, hash_ in change(nodes)]
    tables["record.lineage"] = [(LINEAGE, "\\N", 0)]
    tables["work.head"] = [(LINEAGE, size, binary(leaf), binary(tree.pack(frontier)), binary(root))]
    kept = []
    for name, lines in tables.items():
        file = f"{name}.copy.gz"
        (folder / file).write_bytes(
            gzip.compress("".join("\t".join(map(str, line)) + "\n" for line in lines).encode(), 1)
        )
        kept.append(Table(name, file, COLUMNS[name], len(lines)))
    origin = str(Origin("town", "cases", LINEAGE))
    at = datetime(2018, 3, 1, tzinfo=UTC)
    part = Part("0004", origin, LINEAGE, size, root.hex(), at, 0, (), None, (), tuple(kept))
    return Log(folder, "cases", part, "town")


def test_nodes_that_are_those_of_the_events_are_sound(tmp_path: Path) -> None:
    walked: Walked = written(tmp_path).walk()
    assert (walked.position, walked.roots) == (EVENTS, {})


def another_hash(nodes: list[Node]) -> list[Node]:
    (level, index, hash_), *rest = nodes
    return [(level, index, hash_[:31] + bytes([hash_[31] ^ 1])), *rest]


def dropped(nodes: list[Node]) -> list[Node]:
    return nodes[:-1]


def all_dropped(_: list[Node]) -> list[Node]:
    return []


def one_more(nodes: list[Node]) -> list[Node]:
    return [*nodes, (1, len(nodes), bytes(32))]


def one_more_above(nodes: list[Node]) -> list[Node]:
    return [*nodes, (2, 0, bytes(32))]


def in_each_others_place(nodes: list[Node]) -> list[Node]:
    (level, first, one), (same, second, other) = nodes
    assert level == same
    return [(level, first, other), (level, second, one)]


def elsewhere(nodes: list[Node]) -> list[Node]:
    return [*nodes[:-1], (nodes[-1][0], nodes[-1][1] + 1, nodes[-1][2])]


@pytest.mark.parametrize(
    "change", [another_hash, dropped, all_dropped, one_more, one_more_above, in_each_others_place, elsewhere]
)
def test_nodes_that_were_altered_are_a_doubt(tmp_path: Path, change: Change) -> None:
    with pytest.raises(Doubt, match="cases, its tree: kept nodes are not those of its events"):
        written(tmp_path, change).walk()
