"""Signs a log's checkpoint when it grows from what was signed before, and never otherwise.

    old SIZE            the size that was signed last for this origin, and the proof from there, a hash a line
    <hash> …
    after SIZE          only with the first checkpoint of a log that was restored: the last size signed for its parent at or
    <hash> …            below the size it was set back to, and the proof from there to that size

    <checkpoint: origin, size, root>

The answer is a status and a text: 200 and the line that signs it; 409 and where the proofs have to begin; 404 for a log that is
none of this signer's; 422 for what contradicts what was signed, which is kept; 400 for what is no request.
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.signer.memory import Memory
from shared.transparency.checking import ProofRefused, check_consistency
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import LOG, Key, NoteRefused, sign
from shared.transparency.origin import After, Origin
from shared.transparency.tree import EMPTY_ROOT
from shared.witness.cosigner import Answer, read_proof, written_proof
from shared.witness.growth import Stale, check_growth

Proof = tuple[int, tuple[bytes, ...]]
"""The size it begins at, and its hashes."""


@dataclass(frozen=True)
class Request:
    """`after`: the proof that what a restored log grew from is what was signed."""

    checkpoint: Checkpoint
    old: Proof
    after: Proof | None = None

    @staticmethod
    def read(body: bytes) -> "Request":
        """Raises NoteRefused."""
        head, blank, rest = body.partition(b"\n\n")
        lines, text = head.decode("utf-8", "replace").split("\n"), rest.decode("utf-8", "replace")
        checkpoint = Checkpoint.read(text)
        if not blank or str(checkpoint) != text:
            raise NoteRefused(
                "a request is `old` and a size, the proof, an empty line, and a checkpoint of three lines"
            )
        second = next((n for n, line in enumerate(lines) if line.startswith("after ")), len(lines))
        after = read_proof("after", lines[second:]) if second < len(lines) else None
        return Request(checkpoint, read_proof("old", lines[:second]), after)

    def __bytes__(self) -> bytes:
        after = "" if self.after is None else written_proof("after", *self.after)
        return f"{written_proof('old', *self.old)}{after}\n{self.checkpoint}".encode()


class Fork(ValueError):
    """It has no place after what was signed for this log."""


@dataclass(frozen=True)
class Signer:
    """`logs`: the JURISDICTION/SERVICE it signs for; `now`: seconds since 1970."""

    private: Ed25519PrivateKey
    logs: Collection[str]
    memory: Memory
    now: Callable[[], int]

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes_raw()

    def vkeys(self) -> list[Key]:
        """The keys under which it signed, one for every lineage of every log, oldest first."""
        return [Key(origin, LOG, self.public) for origin in self.memory.origins()]

    def answer(self, body: bytes) -> Answer:
        """Checks, remembers, signs; in this order, and the first two in one transaction."""
        try:
            request = Request.read(body)
            origin = Origin.read(request.checkpoint.origin)
        except NoteRefused as error:
            return Answer(400, f"{error}\n")
        if origin.log not in self.logs:
            return Answer(404, f"{origin.log} is not among the logs signed here\n")
        if request.checkpoint.size == 0:
            return Answer(400, "an empty log is not signed\n")
        with self.memory.held():
            try:
                self._check(origin, request)
            except Stale as error:
                if not error.other_root:
                    return Answer(409, self._begin_at(origin))
                return self._refused(str(origin), str(error), body)
            except (ProofRefused, Fork) as error:
                return self._refused(str(origin), str(error), body)
            self.memory.put(request.checkpoint)
        return Answer(200, str(sign(str(request.checkpoint), str(origin), self.private)))

    def _check(self, origin: Origin, request: Request) -> None:
        """Raises Stale, ProofRefused, Fork."""
        known = self.memory.latest(str(origin))
        if known is None:
            known = self._new(origin, request.after)
        check_growth(known, *request.old, request.checkpoint)

    def _new(self, origin: Origin, proof: Proof | None) -> tuple[int, bytes] | None:
        """What the first checkpoint of a lineage has to grow from. A log has one beginning; every later lineage says which
        earlier checkpoint it grew from, and that has to grow from what was signed."""
        if origin.after is None:
            if self._others(origin):
                raise Fork(f"{origin.log} was signed under another lineage; what comes after that has to name it")
            return None
        size, root = self._signed_before(origin, origin.after)
        if proof is None or proof[0] != size:
            raise Stale(size)
        check_consistency(size, root, origin.after.size, origin.after.root, proof[1])
        return origin.after.size, origin.after.root

    def _begin_at(self, origin: Origin) -> str:
        """The first lines of both proofs, as they have to be."""
        known = self.memory.latest(str(origin))
        if known is not None or origin.after is None:
            return written_proof("old", known[0] if known else 0, ())
        before, _ = self._signed_before(origin, origin.after)
        return written_proof("old", origin.after.size, ()) + written_proof("after", before, ())

    def _signed_before(self, origin: Origin, after: After) -> tuple[int, bytes]:
        """The last checkpoint at or below the size the log was set back to: of the lineage it grew from; where that was never
        signed, of the one that was signed last; nothing where none was."""
        others = self._others(origin)
        parent = [other for other in others if other.lineage == after.parent] or others[-1:]
        found = [self.memory.at_or_below(str(other), after.size) for other in parent]
        return next((each for each in found if each is not None), (0, EMPTY_ROOT))

    def _others(self, origin: Origin) -> list[Origin]:
        signed = map(Origin.read, self.memory.origins())
        return [known for known in signed if known.log == origin.log and known != origin]

    def _refused(self, origin: str, why: str, body: bytes) -> Answer:
        self.memory.refuse(self.now(), origin, why, body)
        return Answer(422, f"{why}\n")
