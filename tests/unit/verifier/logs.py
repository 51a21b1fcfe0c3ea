"""A service's log made here: its events, its export, and whoever signs it. What an attacker does starts from these."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency import heads, proofs, tiles, tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, WITNESS, Key, Line, Note, cosign, sign
from shared.transparency.policy import Policy
from shared.verifier.export import Wanted, verify_export
from shared.verifier.report import Report
from shared.verifier.roots import leaf_of

TOWN, SERVICE = "140181101", "cases"
LINEAGE = "8f4e1d7a-95a8-4d2f-8f35-6d9b4a8f0c11"
ORIGIN = f"{TOWN}/{SERVICE}/{LINEAGE}"
SEEN = 1_790_000_000
"""When witnesses sign: September 2026."""

Envelope = dict[str, Any]


def private(number: int) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(bytes([number]) * 32)


def key(name: str, kind: int, of: Ed25519PrivateKey) -> Key:
    return Key(name, kind, of.public_key().public_bytes_raw())


LOG_PRIVATE, POLICE, LAND, AUDIT = (private(n) for n in (1, 2, 3, 4))
WITNESSES = {"police": POLICE, "land": LAND, "audit": AUDIT}


def policy_text(quorum: str = "2", origin: str = ORIGIN) -> str:
    """Two of three witnesses, or as said."""
    lines = [f"log {key(origin, LOG, LOG_PRIVATE)}"]
    lines += [f"witness {name} {key(f'{name}.example', WITNESS, of)}" for name, of in WITNESSES.items()]
    return "\n".join([*lines, f"group them {quorum} {' '.join(WITNESSES)}", "quorum them", ""])


POLICY = Policy.read(policy_text())


@dataclass
class Events:
    """Envelopes in the order of the log; `bodies` and `leaves` follow from them."""

    envelopes: list[Envelope] = field(default_factory=list)
    service: str = SERVICE

    @property
    def bodies(self) -> list[bytes]:
        return [rfc8785.dumps(each) for each in self.envelopes]

    def add(self, stream: str, type_: str = "cases.hazard.listed.v1", **data: Any) -> Envelope:
        """The next event of `stream`, as the store would write it."""
        number = len(self.envelopes) + 1
        before = [each for each in self.envelopes if each["subject"] == stream]
        event = str(UUID(int=number << 96 | 0x4000 << 64 | 0x8000 << 48 | number, version=4))
        envelope: Envelope = {
            "specversion": "1.0", "id": event, "source": f"/{TOWN}/{self.service}", "type": type_, "subject": stream,
            "time": "2018-02-11T04:00:00.000000Z", "recordedat": f"2018-02-11T04:05:00.{number:06}Z", "actor": "p-012",
            "inrole": "clerk@office", "causationid": event, "correlationid": "c-1", "version": len(before) + 1,
            "salt": "AAECAwQFBgcICQoLDA0ODw==", "data": data,
        }  # fmt: skip
        if before:
            envelope["prev"] = leaf_of(rfc8785.dumps(before[-1])).hex()
        self.envelopes.append(envelope)
        return envelope

    def heads(self, size: int | None = None) -> list[heads.Head]:
        last: dict[str, heads.Head] = {}
        for each in self.envelopes[:size]:
            last[each["subject"]] = heads.Head(each["subject"], each["version"], leaf_of(rfc8785.dumps(each)))
        return list(last.values())

    def state(self, about: Sequence[str] = (), kind: str = "export", **more: Any) -> Envelope:
        """An opening that states the heads of all streams so far."""
        size, now = len(self.envelopes), self.heads()
        stated = {"size": size, "streams": len(now), "root": heads.root(now).hex()}
        stream = f"opening-{UUID(int=size + 1, version=4)}"
        return self.add(stream, f"{self.service}.opening.made.v1", kind=kind, about=list(about), heads=stated, **more)

    def chained_again(self) -> "Events":
        """What a thorough attacker does after a change: every prev is made to fit."""
        last: dict[str, bytes] = {}
        for each in self.envelopes:
            before = last.get(each["subject"])
            if before is not None and "prev" in each:
                each["prev"] = before.hex()
            last[each["subject"]] = leaf_of(rfc8785.dumps(each))
        return self

    def copy(self) -> "Events":
        return Events(copy.deepcopy(self.envelopes), self.service)


def some_events(count: int, streams: int = 5) -> Events:
    """`streams` streams in turns, with a statement of heads at about two thirds and at the end, when there is room."""
    events = Events()
    while len(events.envelopes) < count:
        number = len(events.envelopes) + 1
        if number > 2 and number in (count * 2 // 3, count):
            events.state()
        else:
            events.add(f"hazard-{number % streams}", n=number, place={"lat_e7": 377000000, "lon_e7": 1121000000})
    return events


def many_bodies(count: int) -> list[bytes]:
    """As `some_events`, made quickly: one stream an event."""
    body = rfc8785.dumps(some_events(1).envelopes[0]).decode()
    at = UUID(some_events(1).envelopes[0]["id"])
    return [
        body.replace("hazard-1", f"hazard-{n}").replace(str(at), str(UUID(int=n << 96, version=4))).encode()
        for n in range(1, count + 1)
    ]


@dataclass
class Tree:
    """The tree over `bodies`, as the writer makes it."""

    bodies: Sequence[bytes]

    def __post_init__(self) -> None:
        self.leaves = [leaf_of(body) for body in self.bodies]
        held: list[tree.Completed] = []
        self.size, frontier = tree.extend(0, [], self.leaves, held)
        self.root = tree.root(frontier)
        rows = {(0, n): leaf for n, leaf in enumerate(self.leaves)} | {(level, n): node for level, n, node in held}
        self.tiles = {
            (level, index, width): [rows[level, index * 256 + n] for n in range(width)]
            for level, index, width in tiles.of_tree(self.size)
        }

    def root_at(self, size: int) -> bytes:
        return tree.root(tree.extend(0, [], self.leaves[:size])[1])

    def inclusion(self, index: int) -> list[bytes]:
        ranges = proofs.inclusion(index, self.size)
        nodes = {node: tiles.hash_of(node, self.tiles, self.size) for node in proofs.wanted(ranges)}
        return proofs.folded(ranges, nodes)

    def files(self) -> dict[str, bytes]:
        found = {tiles.path(*tile): tree.pack(hashes) for tile, hashes in self.tiles.items()}
        for level, index, width in self.tiles:
            if level == 0:
                some = self.bodies[index * 256 : index * 256 + width]
                found[tiles.path("entries", index, width)] = tiles.bundle(some)
        return found


def checkpoint(
    size: int, root: bytes, origin: str = ORIGIN, witnesses: Sequence[str] = ("police", "land"), at: int = SEEN
) -> Note:
    """Signed by the log and the witnesses named."""
    text = str(Checkpoint(origin, size, root))
    lines: list[Line] = [sign(text, origin, LOG_PRIVATE)]
    lines += [cosign(text, f"{name}.example", WITNESSES[name], at) for name in witnesses]
    return Note(text, tuple(lines))


def write(folder: Path, bodies: Sequence[bytes], note: Note | None = None) -> Tree:
    """One service's log in `folder`; with `note` under that checkpoint, not its own."""
    made = Tree(bodies)
    for name, content in made.files().items():
        put(folder / name, content)
    put(folder / "checkpoint", str(note or checkpoint(made.size, made.root)).encode())
    return made


def put(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)


def verified(folder: Path, policy: Policy = POLICY, **more: Any) -> Report:
    return verify_export(folder, Wanted(policy, processes=1, **more))


def found(report: Report) -> list[tuple[str, int | None]]:
    """(code, position) of all doubts that were kept, part by part, first ones first."""
    every = [one for part in report.parts for one in part.doubts.first] + report.doubts.first
    return [(one.code, one.position) for one in every]


def first(report: Report) -> tuple[str, int | None]:
    assert report.code == 1, found(report)
    return found(report)[0]


Change = Callable[[Events], object]
