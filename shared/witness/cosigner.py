"""Signs a checkpoint when it extends the last one signed for that log, and never otherwise (C2SP tlog-witness).

A log that was restored begins under a new name, which says what it grew from. Its first checkpoint extends what was signed for
that parent, as if it were the same log: the answer 409 says from which size. So who has lost his signer, and made another, still
cannot go on from a past that the witness did not sign.
"""

import base64
import binascii
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.transparency.checking import ProofRefused
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Key, Note, NoteRefused, cosign
from shared.transparency.origin import Origin
from shared.witness.growth import Stale, check_growth
from shared.witness.memory import WitnessMemory

MOST_HASHES = 63
SIZE_TYPE, TEXT_TYPE = "text/x.tlog.size", "text/plain; charset=utf-8"


@dataclass(frozen=True)
class Answer:
    """An HTTP answer: 200 with the witness's lines; 400, 403, 404, 409 or 422 with the reason, 409 with the size it knows."""

    status: int
    body: str
    media_type: str = TEXT_TYPE


@dataclass(frozen=True)
class Offer:
    """What a log hands in: `old`, the size it thinks was signed last, the proof from there, and its checkpoint."""

    old: int
    proof: tuple[bytes, ...]
    note: Note
    checkpoint: Checkpoint

    @staticmethod
    def read(body: bytes) -> "Offer":
        """Raises NoteRefused."""
        head, blank, rest = body.partition(b"\n\n")
        if not blank:
            raise NoteRefused("a request is `old` and a size, the proof, an empty line, and the checkpoint")
        old, proof = read_proof("old", head.decode("utf-8", "replace").split("\n"))
        note = Note.read(rest)
        return Offer(old, proof, note, Checkpoint.read(note.text))

    def __bytes__(self) -> bytes:
        return f"{written_proof('old', self.old, self.proof)}\n{self.note}".encode()


@dataclass(frozen=True)
class Cosigner:
    """`logs`: origin -> the keys this witness trusts for it; `now`: seconds since 1970."""

    name: str
    private: Ed25519PrivateKey
    logs: Mapping[str, Sequence[Key]]
    state: WitnessMemory
    now: Callable[[], int]

    def answer(self, request: bytes) -> Answer:
        """Checks, remembers, signs; in this order, and the first two in one transaction."""
        try:
            offer = Offer.read(request)
        except NoteRefused as error:
            return Answer(400, f"{error}\n")
        origin = offer.checkpoint.origin
        if origin not in self.logs:
            return Answer(404, f"{origin} is not among the logs witnessed here\n")
        try:
            signed = offer.note.signed_by(self.logs[origin])
        except NoteRefused as error:
            return Answer(403, f"{error}\n")
        if not signed:
            return Answer(403, f"no key trusted for {origin} signed this\n")
        own = _own(offer.note, signed)
        with self.state.held():
            known = self.state.latest(origin)
            if known is None and (before := self._before(origin)) is not None:
                parent, said = before
                if said != parent.root:
                    why = self.state.misnamed(self.now(), offer.checkpoint, own, parent)
                    return Answer(422, f"{why}\n")
                known = (parent.size, parent.root)
            refused = _refused(known, offer)
            if refused is not None:
                answer, why = refused
                self.state.keep(self.now(), offer.checkpoint, own, why)
                return answer
            self.state.signed(self.now(), offer.checkpoint, own)
        return Answer(200, str(cosign(offer.note.text, self.name, self.private, self.now())))

    def _before(self, origin: str) -> tuple[Checkpoint, bytes] | None:
        """What the first checkpoint of a restored log has to grow from: the last one at or below the size it was set back to that
        was signed here for its parent; and the root that its name says there was. None where nothing is known of the parent."""
        new = _named(origin)
        if new is None or new.after is None:
            return None
        for name in self.state.origins():
            other = _named(name)
            if other is not None and (other.log, other.lineage) == (new.log, new.after.parent):
                signed = self.state.at_or_below(name, new.after.size)
                if signed is not None:
                    return Checkpoint(name, *signed), new.after.root if signed[0] == new.after.size else signed[1]
        return None


def _named(origin: str) -> Origin | None:
    """None for a log whose name says no lineage."""
    try:
        return Origin.read(origin)
    except NoteRefused:
        return None


def _refused(known: tuple[int, bytes] | None, offer: Offer) -> tuple[Answer, str] | None:
    """The answer, and why; None when it may be signed."""
    if offer.old > offer.checkpoint.size:
        why = f"old {offer.old} is more than the checkpoint's {offer.checkpoint.size}"
        return Answer(400, f"{why}\n"), why
    try:
        check_growth(known, offer.old, offer.proof, offer.checkpoint)
    except Stale as error:
        return Answer(409, f"{error.size}\n", SIZE_TYPE), str(error)
    except ProofRefused as error:
        return Answer(422, f"{error}\n"), str(error)
    return None


def _own(note: Note, signed: Iterable[Key]) -> Note:
    """What the log signed, and the line of each of its keys; whoever hands it in may have added any number of others."""
    return Note(
        note.text,
        tuple(next(line for line in note.lines if (line.name, line.id) == (key.name, key.id)) for key in signed),
    )


def read_proof(word: str, lines: Sequence[str]) -> tuple[int, tuple[bytes, ...]]:
    """From `word SIZE` and the hashes of a proof, a line each. Raises NoteRefused."""
    said, _, size = lines[0].partition(" ")
    if said != word or not (size.isascii() and size.isdigit()) or str(int(size)) != size:
        raise NoteRefused(f"a proof begins with the line `{word}` and a size")
    if len(lines) > MOST_HASHES + 1:
        raise NoteRefused(f"a proof has at most {MOST_HASHES} hashes")
    return int(size), tuple(_hash(line) for line in lines[1:])


def written_proof(word: str, size: int, proof: Sequence[bytes]) -> str:
    return "\n".join([f"{word} {size}", *map(_written, proof), ""])


def _hash(line: str) -> bytes:
    try:
        raw = base64.b64decode(line, validate=True)
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) != 32 or _written(raw) != line:
        raise NoteRefused(f"a hash is 32 bytes in base64, not {line[:60]!r}")
    return raw


def _written(raw: bytes) -> str:
    return base64.b64encode(raw).decode()
