"""A `.tlog-proof` (C2SP tlog-proof), with the entry it is about. Size and root are those of a verified checkpoint."""

import base64
import binascii
from collections.abc import Sequence
from dataclasses import dataclass

from shared.transparency.checking import ProofRefused, check_inclusion
from shared.transparency.checkpoint import PROOF, Checkpoint
from shared.transparency.policy import Policy
from shared.verifier.bodies import Bodies
from shared.verifier.doubts import Refused, refused, shown
from shared.verifier.report import Part, Report
from shared.verifier.roots import leaf_of
from shared.verifier.trust import signed

MOST_HASHES = 63


@dataclass(frozen=True)
class Proof:
    """`note`: the bytes of the checkpoint that it was made on."""

    index: int
    path: tuple[bytes, ...]
    note: bytes

    @staticmethod
    def read(written: bytes, position: int | None = None) -> "Proof":
        """Raises Refused."""
        head, blank, note = written.partition(b"\n\n")
        try:
            lines = head.decode("ascii").split("\n")
        except UnicodeDecodeError:
            raise refused("proof_form", position, why="no ASCII before the checkpoint") from None
        if lines[0] != PROOF or not blank:
            raise refused("proof_form", position, why=f"it does not begin with {PROOF}")
        if lines[1:] and lines[1].startswith("extra "):
            _decoded(lines[1][6:], position)
            del lines[1]
        word, _, index = (lines[1:] or [""])[0].partition(" ")
        if word != "index" or not index.isdigit() or str(int(index[:19])) != index:
            raise refused("proof_form", position, why="it has no line `index` with a number")
        if len(lines) > MOST_HASHES + 2:
            raise refused("proof_form", position, why=f"more than {MOST_HASHES} hashes")
        return Proof(int(index), tuple(hash_of(line, position) for line in lines[2:]), note)


def hash_of(written: object, position: int | None = None) -> bytes:
    """32 bytes from their one base64 form. Raises Refused."""
    raw = _decoded(written, position)
    if len(raw) != 32:
        raise refused("proof_form", position, why="a hash has 32 bytes")
    return raw


def _decoded(written: object, position: int | None) -> bytes:
    try:
        raw = base64.b64decode(written, validate=True) if isinstance(written, str) else b""
    except (binascii.Error, ValueError):
        raw = b""
    if not raw or base64.b64encode(raw).decode() != written:
        raise refused("proof_form", position, why="no canonical base64")
    return raw


def must_include(body: bytes, index: int, path: Sequence[bytes], point: Checkpoint) -> None:
    """`body` is entry `index` (from 0) of the log of `point`. Raises Refused."""
    try:
        check_inclusion(leaf_of(body), index, point.size, point.root, path)
    except ProofRefused as error:
        raise refused("inclusion", index + 1, why=error) from None


def verify_proof(written: bytes, entry: bytes, policy: Policy) -> Report:
    part = Part("proof")
    try:
        proof = Proof.read(written)
        found = signed(proof.note, policy)
        part.name = shown(found.origin.service)
        must_include(entry, proof.index, proof.path, found.checkpoint)
        part.signed, part.events = found, 1
        Bodies(found.origin.source, found.latest).facts(entry, proof.index + 1)
        part.remarks.append(
            (f"这是第 {proof.index + 1} 号事件；有无其他事件，单个证明说不了",
             f"it is event {proof.index + 1}; a single proof says nothing about other events")
        )  # fmt: skip
    except Refused as error:
        part.doubts.add(error.doubt)
    return Report("proof", [part])
