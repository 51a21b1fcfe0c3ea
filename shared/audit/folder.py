"""One service's log as a folder of files (C2SP tlog-tiles), grown from one checkpoint to the next.

    checkpoint              a signed note: origin, size, root, and the lines of whoever signed it
    tile/<L>/…              the tree's hashes            tile/entries/…          the events' exact bytes

What `checkpoint` covers is never opened for writing again. What lies beyond it was left by a run that was interrupted, and is
written anew. The new checkpoint comes last, in one step; then the tiles go that were narrower at the former size.
"""

import contextlib
import fcntl
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from shared.contracts.envelope import leaf_of
from shared.errors import MinewatchError
from shared.transparency import proofs, tiles, tree
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, NoteRefused
from shared.transparency.tiles import WIDTH, Tile

NEW = ".new"
"""How a file ends that is not whole yet."""
TILE = re.compile(r"tile/(?P<level>entries|[0-9]+)/(?P<groups>(x[0-9]{3}/)*[0-9]{3})(\.p/[0-9]+)?")


class FolderRefused(MinewatchError):
    """The folder does not hold what its checkpoint says, or what was given does not continue it."""


@dataclass(frozen=True)
class LogFolder:
    path: Path

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Makes the folder where it is not there. Raises FolderRefused while another run writes into it."""
        self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
        opened = os.open(self.path, os.O_RDONLY)
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield
        except BlockingIOError:
            raise FolderRefused(f"another run is writing into {self.path}") from None
        finally:
            with contextlib.suppress(OSError):
                self.path.rmdir()  # when nothing came into it
            os.close(opened)

    def note(self) -> Note | None:
        """The checkpoint that stands here. Raises FolderRefused."""
        try:
            return Note.read((self.path / "checkpoint").read_bytes())
        except FileNotFoundError:
            return None
        except NoteRefused as error:
            raise FolderRefused(f"{self.path / 'checkpoint'}: {error}") from error

    def checkpoint(self) -> Checkpoint | None:
        """The same as origin, size and root. Raises FolderRefused."""
        note = self.note()
        try:
            return Checkpoint.read(note.text) if note is not None else None
        except NoteRefused as error:
            raise FolderRefused(f"{self.path / 'checkpoint'}: {error}") from error

    def tile(self, tile: Tile) -> list[bytes]:
        """Raises FolderRefused for one that is missing or of another width."""
        written = self._read(tiles.path(*tile))
        if len(written) != 32 * tile[2]:
            raise FolderRefused(f"{self.path / tiles.path(*tile)} does not hold {tile[2]} hashes")
        return tree.unpack(written)

    def frontier(self, begin: int, size: int) -> list[bytes]:
        """Of the first `begin` entries, from the tiles of a log of `size`. Raises FolderRefused."""
        nodes = proofs.covering(0, begin)
        held = {tile: self.tile(tile) for tile in tiles.holding(nodes, size)}
        return [tiles.hash_of(node, held, size) for node in nodes]

    def put(self, name: str, content: bytes) -> None:
        """In one step, so that no file is ever half written."""
        path = self.path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        fresh = path.with_name(path.name + NEW)
        fresh.write_bytes(content)
        fresh.replace(path)

    def _read(self, name: str) -> bytes:
        try:
            return (self.path / name).read_bytes()
        except OSError as error:
            raise FolderRefused(f"{self.path / name} is not there: {error.strerror}") from error


class Growth:
    """`folder` on its way to `target`: `add` bundle after bundle, from entry `at` on, then `stand`.

    Raises FolderRefused when the folder is of another log, holds more, or another history of the same length.
    """

    def __init__(self, folder: LogFolder, target: Checkpoint) -> None:
        self.folder, self.target = folder, target
        self.held = folder.checkpoint() or Checkpoint(target.origin, 0, tree.EMPTY_ROOT)
        if self.held.origin != target.origin:
            raise FolderRefused(f"{folder.path} holds the log {self.held.origin}, not {target.origin}")
        if self.held.size > target.size:
            raise FolderRefused(f"{folder.path} holds {self.held.size} events; the checkpoint is of {target.size}")
        if self.held.size == target.size and self.held.root != target.root:
            raise FolderRefused(f"{folder.path} holds another history of {target.size} events")
        self.at = target.size if self.held.size == target.size else self.held.size // WIDTH * WIDTH
        self._frontier = folder.frontier(self.at, self.held.size)
        self._open = {level: self._begun(level) for level in range(1, 8)}
        if self.at == self.held.size:
            self._grew_from_held(self._frontier)

    @property
    def width(self) -> int:
        """How many entries the next bundle has; 0 when none is wanted any more."""
        return min(WIDTH, self.target.size - self.at)

    def add(self, entries: Sequence[bytes], said: Sequence[bytes]) -> None:
        """The next bundle; `said`: the leaves that whoever gives it has for its entries. Raises FolderRefused."""
        index, width = self.at // WIDTH, self.width
        if len(entries) != width or len(said) != width:
            raise FolderRefused(f"{len(entries)} entries and {len(said)} leaves after entry {self.at}, not {width}")
        leaves = [leaf_of(entry) for entry in entries]
        for nth, (leaf, other) in enumerate(zip(leaves, said, strict=True), self.at + 1):
            if leaf != other:
                raise FolderRefused(f"event {nth} is not the one that was numbered: its bytes were changed")
        if self.at < self.held.size:
            _, frontier = tree.extend(self.at, self._frontier, leaves[: self.held.size - self.at])
            self._grew_from_held(frontier)
        self.folder.put(tiles.path("entries", index, width), tiles.bundle(entries))
        self.folder.put(tiles.path(0, index, width), tree.pack(leaves))
        full: list[tree.Completed] = []
        self.at, self._frontier = tree.extend(self.at, self._frontier, leaves, full)
        for level, node, hashed in full:
            row = self._open[level]
            row.append(hashed)
            if len(row) == WIDTH:
                self.folder.put(tiles.path(level, node // WIDTH), tree.pack(row))
                row.clear()

    def stand(self, note: Note) -> None:
        """Puts `note`, a checkpoint of the target, in its place. Raises FolderRefused when the entries do not have its root."""
        if note.text != str(self.target):
            raise FolderRefused("that is another checkpoint")
        if self.at != self.target.size or tree.root(self._frontier) != self.target.root:
            found = tree.root(self._frontier).hex()
            raise FolderRefused(f"{self.at} events have the root {found}; the checkpoint says {self.target.root.hex()}")
        for level, row in self._open.items():
            if row and self.held.size != self.target.size:
                index = (self.at >> level * tree.TILE_HEIGHT) // WIDTH
                self.folder.put(tiles.path(level, index, len(row)), tree.pack(row))
        if self.held.size != self.target.size:
            os.sync()  # a checkpoint never stands over files that a power cut can take
        self.folder.put("checkpoint", str(note).encode())
        _keep(self.folder.path / "checkpoint")
        _keep(self.folder.path)
        self._tidy(self.target.size)

    def leave(self) -> None:
        """Gives up: the folder is as its former checkpoint says."""
        self._tidy(self.held.size)

    def _begun(self, level: int) -> list[bytes]:
        """The hashes of the tile that the tree of the held size ends in on this level."""
        whole = self.held.size >> level * tree.TILE_HEIGHT
        return self.folder.tile((level, whole // WIDTH, whole % WIDTH)) if whole % WIDTH else []

    def _grew_from_held(self, frontier: list[bytes]) -> None:
        if tree.root(frontier) != self.held.root:
            raise FolderRefused(
                f"the first {self.held.size} events are not those of the checkpoint in {self.folder.path}: "
                "either its files or the log were changed"
            )

    def _tidy(self, size: int) -> None:
        """Removes tiles that a log of `size` does not have, and files that an interrupted run left half written."""
        for place, _, files in os.walk(self.folder.path / "tile", topdown=False):
            folder = Path(place)
            for name in files:
                if name.endswith(NEW) or not _has(size, (folder / name).relative_to(self.folder.path).as_posix()):
                    (folder / name).unlink()
            if folder.suffix == ".p" and not any(folder.iterdir()):
                folder.rmdir()


def _has(size: int, name: str) -> bool:
    """Whether a log of `size` has the tile of that path; true for what is no tile's path, and somebody else's file."""
    found = TILE.fullmatch(name)
    if found is None:
        return True
    height = 0 if found["level"] == "entries" else int(found["level"])
    index = int(found["groups"].replace("/", "").replace("x", ""))
    width = min(WIDTH, (size >> height * tree.TILE_HEIGHT) - index * WIDTH)
    return name == tiles.path(found["level"], index, width)


def _keep(path: Path) -> None:
    """A file's content, or a folder's names, on the disk itself."""
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
