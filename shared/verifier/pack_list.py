"""SERVICE/pack.json: what the part of an evidence pack is about. Nothing in it is believed; all is held against the log."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from shared.verifier.doubts import refused
from shared.verifier.proofs import hash_of

FORMAT = "minewatch-pack/1"
MOST_NUMBER = 10**15


@dataclass(frozen=True)
class Head:
    """What the list says of one stream: its last version, and where the tree of heads has it."""

    stream: str
    version: int
    index: int
    path: tuple[bytes, ...]


@dataclass(frozen=True)
class Listed:
    """SERVICE/pack.json. `pages`: the note about the pages, None before 0.2."""

    streams: tuple[Head, ...]
    events: tuple[int, ...]
    statement: int
    pages: str | None


def listed(content: bytes, name: str, origin: str) -> Listed:
    """`name`: the file's; `origin`: of the checkpoint. Raises Refused."""
    try:
        written = json.loads(content, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise refused("list_form", file=name, why=error) from None
    match written:
        case {
            "format": str(form),
            "origin": str(about),
            "streams": [*streams],
            "events": [*events],
            "statement": int(at),
        }:
            if (
                form != FORMAT
                or not all(type(each) is int and 0 < each < MOST_NUMBER for each in events)
                or len(set(events)) < len(events)
            ):
                raise refused("list_form", file=name, why=f"its format is not {FORMAT}, or its events are no positions")
            if about != origin:
                raise refused("list_origin", file=name, origin=about, wanted=origin)
            heads = tuple(_head(each, name) for each in streams)
            if len({head.stream for head in heads}) < len(heads):
                raise refused("list_form", file=name, why="a stream is there twice")
            pages = written.get("pages")
            if not isinstance(pages, str | None):
                raise refused("list_form", file=name, why="its pages are no text")
            return Listed(heads, tuple(sorted(events)), at, pages)
    raise refused("list_form", file=name, why="format, origin, streams, events and statement are wanted")


def _head(written: Any, name: str) -> Head:
    match written:
        case {"stream": str(stream), "version": int(version), "index": int(index), "path": [*path]} if (
            0 < version < MOST_NUMBER
        ):
            return Head(stream, version, index, tuple(map(hash_of, path)))
    raise refused("list_form", file=name, why="a stream has a stream, a version, an index and a path")


def _once(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a name is there twice")
    return found
