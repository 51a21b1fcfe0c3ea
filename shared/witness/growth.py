"""The one rule of whoever signs checkpoints, witness or signer: each grows from the one signed before it."""

from collections.abc import Sequence

from shared.transparency.checking import check_consistency
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.tree import EMPTY_ROOT


class Stale(ValueError):
    """The proof does not begin at `size`, which was signed last. `other_root`: what is offered has that size and another root."""

    def __init__(self, size: int, other_root: bool = False) -> None:
        super().__init__(f"another root at size {size}" if other_root else f"what was signed last has size {size}")
        self.size, self.other_root = size, other_root


def check_growth(known: tuple[int, bytes] | None, old: int, proof: Sequence[bytes], checkpoint: Checkpoint) -> None:
    """`known`: (size, root) signed last, None before the first; `proof` leads from size `old` to the checkpoint. Raises Stale,
    ProofRefused."""
    size, root = known or (0, EMPTY_ROOT)
    if checkpoint.size == size and checkpoint.root != root:
        raise Stale(size, other_root=True)
    if old != size:
        raise Stale(size)
    check_consistency(size, root, checkpoint.size, checkpoint.root, proof)
