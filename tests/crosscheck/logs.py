"""Logs as folders for other people's verifiers, whole and forged."""

import base64
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.contracts.envelope import leaf_of
from shared.transparency import proofs, tiles, tree
from shared.transparency.checkpoint import Checkpoint, proof_file
from shared.transparency.note import LOG, WITNESS, Key, Note, cosign, sign

ORIGIN, WITNESS_NAME = "town.example/intake", "police.example"
LOG_PRIVATE, WITNESS_PRIVATE = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))
LOG_KEY = Key(ORIGIN, LOG, LOG_PRIVATE.public_key().public_bytes_raw())
WITNESS_KEY = Key(WITNESS_NAME, WITNESS, WITNESS_PRIVATE.public_key().public_bytes_raw())


def some_entries(count: int) -> list[bytes]:
    return [json.dumps({"id": n, "data": "井口" * (n % 7)}, ensure_ascii=False).encode() for n in range(count)]


class Log:
    """A log of `entries`, written into `folder` as C2SP tiles with a checkpoint, and with proofs of some entries and sizes."""

    def __init__(self, folder: Path, entries: Sequence[bytes]) -> None:
        self.folder, self.entries, self.size = folder, entries, len(entries)
        self.leaves = [leaf_of(entry) for entry in entries]
        held: list[tree.Completed] = []
        _, frontier = tree.extend(0, [], self.leaves, held)
        self.root = tree.root(frontier)
        rows = {(0, i): leaf for i, leaf in enumerate(self.leaves)} | {(lv, i): hashed for lv, i, hashed in held}
        self.tiles = {
            (level, index, width): [rows[level, index * tiles.WIDTH + n] for n in range(width)]
            for level, index, width in tiles.of_tree(self.size)
        }
        text = str(Checkpoint(ORIGIN, self.size, self.root))
        lines = (sign(text, ORIGIN, LOG_PRIVATE), cosign(text, WITNESS_NAME, WITNESS_PRIVATE, 1_800_000_000))
        self.checkpoint = Note(text, lines)

    def write(self) -> None:
        self._put("checkpoint", str(self.checkpoint).encode())
        for (level, index, width), hashes in self.tiles.items():
            self._put(tiles.path(level, index, width), tree.pack(hashes))
            if level == 0:
                begin = index * tiles.WIDTH
                self._put(tiles.path("entries", index, width), tiles.bundle(self.entries[begin : begin + width]))
        for index in {0, 1, self.size // 3, 254, 255, 256, self.size - 1} & set(range(self.size)):
            proof = self._folded(proofs.inclusion(index, self.size))
            self._put(f"inclusion/{index}.tlog-proof", proof_file(index, proof, self.checkpoint).encode())
        for old in {1, 2, 254, 255, 256, self.size // 2, self.size} & set(range(1, self.size + 1)):
            _, frontier = tree.extend(0, [], self.leaves[:old])
            proof = [tree.root(frontier), *self._folded(proofs.consistency(old, self.size))]
            lines = ["consistency", f"index {old}", *(base64.b64encode(hashed).decode() for hashed in proof)]
            self._put(f"consistency/{old}", "\n".join(lines).encode())

    def _folded(self, ranges: list[proofs.Range]) -> list[bytes]:
        return proofs.folded(
            ranges, {node: tiles.hash_of(node, self.tiles, self.size) for node in proofs.wanted(ranges)}
        )

    def _put(self, name: str, content: bytes) -> None:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def forged(folder: Path, copies: Path) -> Iterator[tuple[str, Path]]:
    """(what was done, the forged copy of the log in `folder`), one after another."""

    def flip(path: Path, at: int = -1) -> None:
        content = bytearray(path.read_bytes())
        content[at] ^= 1
        path.write_bytes(content)

    def other_root(copy: Path) -> None:
        lines = (copy / "checkpoint").read_text("utf-8").split("\n")
        lines[2] = base64.b64encode(bytes(32)).decode()
        (copy / "checkpoint").write_text("\n".join(lines), "utf-8")

    def other_size(copy: Path) -> None:
        lines = (copy / "checkpoint").read_text("utf-8").split("\n")
        lines[1] = str(int(lines[1]) + 1)
        (copy / "checkpoint").write_text("\n".join(lines), "utf-8")

    def unsigned(copy: Path) -> None:
        lines = (copy / "checkpoint").read_text("utf-8").split("\n")
        (copy / "checkpoint").write_text("\n".join([*lines[:4], *lines[5:]]), "utf-8")

    def other_entry(copy: Path) -> None:
        flip(sorted((copy / "tile" / "entries").rglob("*"))[-1])

    def other_tile(copy: Path) -> None:
        flip(sorted((copy / "tile" / "0").rglob("*"))[-1])

    def other_proof(copy: Path) -> None:
        path = max((copy / "inclusion").iterdir(), key=lambda each: each.stat().st_size)
        lines = path.read_text("utf-8").split("\n")
        lines[2] = base64.b64encode(bytes(32)).decode()
        path.write_text("\n".join(lines), "utf-8")

    does: list[Callable[[Path], None]] = [other_root, other_size, unsigned, other_entry, other_tile, other_proof]
    for do in does:
        copy = copies / do.__name__
        shutil.copytree(folder, copy)
        do(copy)
        yield do.__name__, copy
        shutil.rmtree(copy)
