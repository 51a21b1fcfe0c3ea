"""What was verified and what was found, for people (Chinese first) and for machines."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from shared.verifier.doubts import Doubt, Doubts, shown
from shared.verifier.trust import Signed

PROVEN, DOUBTED, UNREADABLE = 0, 1, 2
"""Exit codes."""

Said = tuple[str, str]
"""The same in Chinese and in English."""


@dataclass
class Part:
    """One log, or one service's part of a pack. `events`: how many were checked, in so many `seconds`; `remarks`: what somebody
    should know who relies on it."""

    name: str
    signed: Signed | None = None
    events: int = 0
    streams: int = 0
    statements: int = 0
    seconds: float = 0.0
    doubts: Doubts = field(default_factory=Doubts)
    remarks: list[Said] = field(default_factory=list)


@dataclass
class Report:
    """`kind`: export, pack or proof."""

    kind: str
    parts: list[Part] = field(default_factory=list)
    doubts: Doubts = field(default_factory=Doubts)
    remarks: list[Said] = field(default_factory=list)

    @property
    def code(self) -> int:
        """PROVEN only when something was verified and nothing was doubted."""
        doubted = self.doubts.count + sum(part.doubts.count for part in self.parts)
        return PROVEN if not doubted and self.parts and all(part.signed for part in self.parts) else DOUBTED

    def lines(self) -> Iterator[str]:
        for part in self.parts:
            yield from _part(part)
        yield from _doubts("", self.doubts)
        for remark in self.remarks:
            yield from _remark(remark)
        if self.code == PROVEN:
            yield "结论：全部证实"
            yield "Result: all proven"
        else:
            yield "结论：有疑点，不能采信"
            yield "Result: in doubt, not to be relied on"

    def as_json(self) -> str:
        written = {
            "result": "proven" if self.code == PROVEN else "doubt",
            "kind": self.kind,
            "parts": [_written(part) for part in self.parts],
            "doubts": [_doubt(one) for one in self.doubts.first],
            "remarks": [{"zh": zh, "en": en} for zh, en in self.remarks],
        }
        return json.dumps(written, ensure_ascii=False, indent=1)


def unreadable(chinese: str, english: str) -> str:
    """The answer for machines when nothing could be verified."""
    return json.dumps({"result": "unreadable", "zh": chinese, "en": english}, ensure_ascii=False, indent=1)


def when(at: int) -> str:
    if at >= 1 << 37:  # beyond the calendar's end
        return str(at)
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%SZ")


def _part(part: Part) -> Iterator[str]:
    if part.signed is not None:
        point, names = part.signed.checkpoint, [f"{name} {when(at)}" for name, at in part.signed.witnesses]
        seen = "、".join(names) or "无 none"
        yield f"{part.name}：日志 log {shown(point.origin)}"
        yield f"  检查点 checkpoint: {point.size:,} 个事件 events，根 root {point.root.hex()}"
        yield f"  见证 witnessed by: {shown(seen)}"
        counted = f"{part.events:,} 个事件 events，{part.streams:,} 个流 streams"
        yield f"  已核对 checked: {counted}，{part.statements:,} 条流首声明 statements of heads"
    yield from _doubts(part.name, part.doubts)
    for remark in part.remarks:
        yield from _remark(remark)


def _doubts(name: str, doubts: Doubts) -> Iterator[str]:
    for one in doubts.first:
        zh = f"第 {one.position} 号事件：" if one.position is not None else ""
        en = f"event {one.position}: " if one.position is not None else ""
        yield f"✗ 疑点 {name}{' ' if name else ''}{zh}{one.chinese}"
        yield f"  doubt {name}{': ' if name and not en else ' ' if name else ''}{en}{one.english}"
    if doubts.count > len(doubts.first):
        yield f"  共 {doubts.count} 处疑点，以上是最先的 {len(doubts.first)} 处"
        yield f"  {doubts.count} doubts in all, these are the first {len(doubts.first)}"


def _remark(remark: Said) -> Iterator[str]:
    yield f"· 注意 {remark[0]}"
    yield f"  note {remark[1]}"


def _written(part: Part) -> dict[str, Any]:
    found: dict[str, Any] = {"name": part.name}
    if part.signed is not None:
        point = part.signed.checkpoint
        found |= {"origin": point.origin, "size": point.size, "root": point.root.hex()}
        found["witnesses"] = [{"name": name, "at": when(at)} for name, at in part.signed.witnesses]
    found |= {"events": part.events, "streams": part.streams, "statements": part.statements}
    found["seconds"] = round(part.seconds, 3)
    found |= {"doubts": part.doubts.count, "first": [_doubt(one) for one in part.doubts.first]}
    found["remarks"] = [{"zh": zh, "en": en} for zh, en in part.remarks]
    return found


def _doubt(one: Doubt) -> dict[str, Any]:
    return {"position": one.position, "code": one.code, "zh": one.chinese, "en": one.english}
