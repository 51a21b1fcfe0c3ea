"""An evidence pack made here, as SERVICE/… files in a zip, from a log made here."""

import base64
import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from shared.transparency import heads
from shared.transparency.checkpoint import proof_file
from shared.transparency.note import LOG, Key, Note
from shared.transparency.policy import Policy
from shared.verifier.pack import verify_pack
from shared.verifier.report import Report
from tests.unit.verifier.logs import LOG_PRIVATE, ORIGIN, SERVICE, Events, Tree, checkpoint, key, policy_text

Files = dict[str, bytes]
OF_INTAKE = ORIGIN.replace(SERVICE, "intake")
POLICY = Policy.read(f"log {key(OF_INTAKE, LOG, LOG_PRIVATE)}\n{policy_text()}")
ORDER: dict[str, Any] = {"order": "7d9a1c1e-5b8a-4d0b-9e37-0c1f6a2b4d58", "services": [SERVICE]}
FILE = b"<gpx/>"
FILE_HASH = hashlib.sha256(FILE).hexdigest()


def events_of_a_case(pack: Mapping[str, Any] | None = ORDER, service: str = SERVICE) -> Events:
    """Streams a and b that the pack is about, c that it is not; one event names a file. Positions: a 1 4 7 10, b 2 5 8 11,
    c 3 6 9 12, the statement 13, and one event of a after it. `pack`: what the order says of it, None as before 0.2."""
    events = Events(service=service)
    for number in range(1, 13):
        stream = f"hazard-{'cab'[number % 3]}"
        events.add(stream, n=number, **({"route": {"sha256": FILE_HASH, "points": 2}} if number == 5 else {}))
    events.state(("hazard-a", "hazard-b"), "evidence_pack", **({"pack": dict(pack)} if pack is not None else {}))
    events.add("hazard-a", n=14)
    return events


def listed(events: Events, statement: int, origin: str = ORIGIN) -> dict[str, Any]:
    """pack.json, as whoever packs writes it."""
    size, about = statement - 1, events.envelopes[statement - 1]["data"]["about"]
    now = events.heads(size)
    streams = []
    for stream in about:
        index, path = heads.proof(now, stream)
        version = next(head.version for head in now if head.stream == stream)
        proof = [base64.b64encode(each).decode() for each in path]
        streams.append({"stream": stream, "version": version, "index": index, "path": proof})
    own = [n for n, each in enumerate(events.envelopes[:size], 1) if each["subject"] in about]
    return {
        "format": "minewatch-pack/1", "origin": origin, "streams": streams, "events": [*own, statement], "statement": statement,
    }  # fmt: skip


def files_of(events: Events, statement: int = 13, note: Note | None = None) -> Files:
    service = events.service
    made, origin = Tree(events.bodies), ORIGIN.replace(SERVICE, service)
    note = note or checkpoint(made.size, made.root, origin)
    index = listed(events, statement, origin)
    files = {f"{service}/checkpoint": str(note).encode(), f"{service}/pack.json": json.dumps(index).encode()}
    for position in index["events"]:
        add_event(files, made, note, position, service)
    files[f"{service}/files/{FILE_HASH}"] = FILE
    return {
        "README.txt": b"",
        "timeline.html": b"",
        "timeline.pdf": b"",
        "minewatch-verify.pyz": b"",
        "policy": b"",
        **files,
    }


def add_event(files: Files, made: Tree, note: Note, position: int, service: str = SERVICE) -> None:
    files[f"{service}/events/{position:08}.json"] = made.bodies[position - 1]
    proof = proof_file(position - 1, made.inclusion(position - 1), note)
    files[f"{service}/proofs/{position:08}.tlog-proof"] = proof.encode()


def with_list(files: Files, service: str = SERVICE, **changed: Any) -> None:
    name = f"{service}/pack.json"
    files[name] = json.dumps(json.loads(files[name]) | changed).encode()


def the_list(files: Files, service: str = SERVICE) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(files[f"{service}/pack.json"])
    return found


def zipped(path: Path, files: Files, more: Sequence[tuple[str, bytes]] = ()) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in [*files.items(), *more]:
            archive.writestr(name, content)
    return path


def verified(path: Path, *keys: Key) -> Report:
    return verify_pack(path, POLICY, keys=keys)
