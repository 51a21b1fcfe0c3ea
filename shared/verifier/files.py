"""A log as a folder of C2SP tlog-tiles, read with suspicion: exactly the paths that belong to its size, and no byte too many."""

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from shared.verifier.doubts import Doubt, doubt, refused

WIDTH = 256
MOST_BODY = 65_535
MOST_NOTE = 1_000_000


@dataclass(frozen=True)
class FolderLog:
    """SERVICE/checkpoint and SERVICE/tile/… of an export; `size` is the verified checkpoint's."""

    folder: Path
    size: int

    def entries(self, index: int) -> list[bytes]:
        """The bodies of bundle `index`. Raises Refused with the position that cannot be read."""
        width, begin = min(WIDTH, self.size - index * WIDTH), index * WIDTH + 1
        name = tile_path("entries", index, width)
        content = read_file(self.folder / name, WIDTH * (MOST_BODY + 2), name, begin)
        found: list[bytes] = []
        at, end = 0, len(content)
        for nth in range(width):
            body = at + 2
            at = body + (content[at] << 8 | content[at + 1]) if body <= end else end + 1
            if at > end:
                raise refused("bundle_short", begin + nth, file=name, there=nth, wanted=width)
            found.append(content[body:at])
        if at != end:
            raise refused("bundle_trailing", begin + width - 1, file=name, bytes=end - at)
        return found

    def tile(self, level: int, index: int) -> bytes:
        """The hashes of a tile, 32 bytes each. Raises Refused."""
        width = min(WIDTH, (self.size >> 8 * level) - index * WIDTH)
        name, begin = tile_path(level, index, width), (index * WIDTH << 8 * level) + 1
        content = read_file(self.folder / name, 32 * WIDTH, name, begin)
        if len(content) != 32 * width:
            raise refused("tile_length", begin, file=name, there=len(content), wanted=32 * width)
        return content

    def strays(self) -> Iterator[Doubt]:
        """Files under `tile` that a log of this size does not have."""
        for folder, _, names in os.walk(self.folder / "tile"):
            below = Path(folder).relative_to(self.folder).as_posix()
            for name in names:
                if not self._has(f"{below}/{name}"):
                    yield doubt("file_stray", file=f"{below}/{name}")

    def _has(self, name: str) -> bool:
        word, level, *groups = name.split("/")
        if word != "tile" or not (level == "entries" or (level.isascii() and level.isdigit() and len(level) < 3)):
            return False
        digits = "".join(groups).replace("x", "").partition(".")[0]
        if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
            return False
        hashes = self.size >> (0 if level == "entries" else 8 * int(level))
        width = min(WIDTH, hashes - int(digits) * WIDTH)
        return width > 0 and tile_path(level, int(digits), width) == name


def tile_path(level: int | str, index: int, width: int) -> str:
    """As C2SP tlog-tiles has it: groups of three digits, an x before all but the last, `.p/<width>` where it is not full."""
    groups = [f"{index % 1000:03}"]
    while index := index // 1000:
        groups.insert(0, f"x{index % 1000:03}")
    return f"tile/{level}/{'/'.join(groups)}" + (f".p/{width}" if width < WIDTH else "")


def read_file(path: Path, most: int, name: str, position: int | None = None) -> bytes:
    """An ordinary file of at most `most` bytes. Raises Refused."""
    try:
        found = os.stat(path)
        if not stat.S_ISREG(found.st_mode):  # looked at before it is opened: a pipe would wait for ever
            raise refused("file_missing", position, file=name)
        with open(path, "rb", buffering=0) as file:
            content = file.read(min(most, found.st_size) + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise refused("file_missing", position, file=name) from None
    if len(content) > most:
        raise refused("file_long", position, file=name, most=most)
    return content
