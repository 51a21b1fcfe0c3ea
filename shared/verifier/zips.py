"""A zip from strangers: no name that leads elsewhere, none twice, and never more read than was allowed."""

import hashlib
import stat
import zipfile
import zlib
from pathlib import Path
from types import TracebackType

from shared.verifier.doubts import Doubts, doubt, refused
from shared.verifier.trust import Unusable

MOST_MEMBERS = 50_000
MOST_FILE = 2 << 30
MOST_WHOLE = 8 << 30
"""Bytes unpacked."""
CHUNK = 1 << 20


class Zip:
    """`doubts`: against the zip as such; with any of them nothing in it may be read."""

    def __init__(self, path: Path) -> None:
        """Raises Unusable."""
        try:
            self._zip = zipfile.ZipFile(path)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
            raise Unusable(f"{path} 不是可读的压缩包：{error}", f"{path} is no zip that can be read: {error}") from None
        self.doubts = Doubts()
        self.names: set[str] = set()
        self._look(self._zip.infolist())

    def __enter__(self) -> "Zip":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._zip.close()

    def read(self, name: str, most: int, position: int | None = None) -> bytes:
        """At most `most` bytes, or a doubt about `position`. Raises Refused."""
        try:
            with self._zip.open(name) as file:
                content = file.read(most + 1)
                if len(content) > most:
                    raise refused("file_long", position, file=name, most=most)
                return content
        except KeyError:
            raise refused("file_missing", position, file=name) from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise refused("zip", position, why=f"{name}: {error}") from None

    def sha256(self, name: str) -> str:
        """Raises Refused."""
        hashed, read = hashlib.sha256(), 0
        try:
            with self._zip.open(name) as file:
                while chunk := file.read(CHUNK):
                    hashed.update(chunk)
                    read += len(chunk)
                    if read > MOST_FILE:
                        raise refused("zip_large", name=name)
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, NotImplementedError) as error:
            raise refused("zip", why=f"{name}: {error}") from None
        return hashed.hexdigest()

    def _look(self, members: list[zipfile.ZipInfo]) -> None:
        if len(members) > MOST_MEMBERS or sum(member.file_size for member in members) > MOST_WHOLE:
            self.doubts.add(doubt("zip_large", name=f"{len(members)} files"))
            return
        for member in members:
            name, kind = member.orig_filename, stat.S_IFMT(member.external_attr >> 16)
            if not _plain(name) or kind not in (0, stat.S_IFREG) or member.flag_bits & 1:
                self.doubts.add(doubt("zip_name", name=name))
            if member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
                self.doubts.add(doubt("zip", why=f"{name}: compression {member.compress_type}"))
            if name in self.names:
                self.doubts.add(doubt("zip_doubled", name=name))
            if member.file_size > MOST_FILE:
                self.doubts.add(doubt("zip_large", name=name))
            self.names.add(name)


def _plain(name: str) -> bool:
    parts = name.split("/")
    return (
        all(part not in ("", ".", "..") for part in parts) and name.isprintable() and not set(name) & set('\\:*?"<>|')
    )
