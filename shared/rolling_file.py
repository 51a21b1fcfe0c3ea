"""A log file that does not fill the disk."""

import os
from collections.abc import Mapping
from io import TextIOBase
from pathlib import Path
from typing import TextIO, cast

from shared.errors import MinewatchError


class NoLogLimit(MinewatchError):
    """A setting of the log files that is no such number."""


def log_limits(environment: Mapping[str, str] = os.environ) -> tuple[int, int]:
    """(bytes of a log file, files of each log): MINEWATCH_LOG_MEGABYTES and MINEWATCH_LOG_FILES. Raises NoLogLimit."""

    def number(name: str, otherwise: int, least: int) -> int:
        given = environment.get(name) or str(otherwise)
        if not given.isdecimal() or int(given) < least:
            raise NoLogLimit(f"{name} is a number, {least} or more")
        return int(given)

    return number("MINEWATCH_LOG_MEGABYTES", 16, 1) * 1024 * 1024, number("MINEWATCH_LOG_FILES", 5, 2)


class RollingFile(TextIOBase):
    """Text is added to `path`; grown to `most` bytes it becomes NAME.1, the one before NAME.2 …; `kept` old ones stay.

    It rolls between lines only, and one file is written by one process.
    """

    def __init__(self, path: Path, most: int, kept: int) -> None:
        self._path, self._most, self._kept = path, most, kept
        path.parent.mkdir(parents=True, exist_ok=True)
        self._open()

    def _open(self) -> None:
        self._file = self._path.open("a", encoding="utf-8", buffering=1)
        self._size = self._path.stat().st_size
        self._between_lines = True

    def write(self, text: str) -> int:
        if self._between_lines and self._size >= self._most:
            self._roll()
        self._size += len(text.encode())
        self._between_lines = text.endswith("\n") if text else self._between_lines
        return self._file.write(text)

    def flush(self) -> None:
        if not self.closed:
            self._file.flush()

    def close(self) -> None:
        super().close()
        self._file.close()

    def _roll(self) -> None:
        self._file.close()
        for nth in range(self._kept, 0, -1):
            older = self._named(nth - 1)
            if older.exists():
                older.replace(self._named(nth))
        self._open()

    def _named(self, nth: int) -> Path:
        return self._path.with_name(f"{self._path.name}.{nth}") if nth else self._path


def rolling(path: Path) -> TextIO:
    """A RollingFile within the limits that are set, called by the name of what it stands in for. Raises NoLogLimit."""
    most, files = log_limits()
    return cast(TextIO, RollingFile(path, most, files - 1))
