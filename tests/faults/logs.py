"""What the processes should not have said in their logs: that a part died or stopped for good while its process lived on, that a
history differs where nobody had restored anything, that a log is not signed. A later kill would heal all that, and nobody would
know."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from tests.faults.town import Restore

AFTERWARDS = timedelta(seconds=10)
"""So long after the last reader has accepted a restore, or streams of before it came back, may somebody still say that histories
differ."""

Span = tuple[datetime, datetime]


def outcries(logs: Path, restores: Sequence[Restore], relapses: Sequence[Span] = ()) -> list[str]:
    """One line for each kind, with how often it was said."""
    found: Counter[str] = Counter()
    spans = [*((r.began, r.accepted) for r in restores), *relapses]
    for path in sorted(logs.glob("*.log")):
        for line in _lines(path):
            if line.get("event") in ("part died", "stopped") or _differs(line, spans) or _refused(line):
                what = line.get("reason") or f"{line.get('error')}: {line.get('text')}"
                found[f"{path.stem}: {line.get('part')} {line['event']}: {what}"] += 1
    return [f"{text} ({times} times)" for text, times in found.items()]


def _differs(line: dict[str, Any], spans: Sequence[Span]) -> bool:
    if line.get("event") != "history differs":
        return False
    said = datetime.fromisoformat(line["timestamp"])
    return line.get("part") != "receiver" or not any(began <= said <= ended + AFTERWARDS for began, ended in spans)


def _refused(line: dict[str, Any]) -> bool:
    """By the signer. A witness is told of a restored log a moment later, and says so until then."""
    return line.get("event") == "not signed" and line.get("part") == "checkpoint"


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    for text in path.read_text("utf-8", errors="replace").splitlines():
        if text.startswith("{"):
            try:
                yield json.loads(text)
            except ValueError:  # a killed process was in the middle of it
                continue
