"""The readable timeline of an evidence pack, put together once, and laid out as a page that needs nothing but itself."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from shared.audit.pack import Section
from shared.audit.pack_timeline import SERVICES, Entry, Fact, Names, entries, signers, town
from shared.contracts.parts import Opening
from shared.contracts.words import Words, field_words
from shared.evidence import kind_of

TEMPLATES = Path(__file__).parent / "templates"
RECORDS: dict[str, Words] = {
    "hazard": ("隐患", "hazard"),
    "site": ("点位", "site"),
    "campaign": ("专项行动", "campaign"),
    "tip": ("举报", "tip"),
    "patrol": ("巡查", "patrol"),
    "disclosure": ("查看举报人身份", "disclosure"),
    "words": ("删除记录中的文字", "erasure of words"),
    "weekly_report": ("周报", "weekly report"),
    "message": ("通知", "message"),
    "opening": ("调阅", "opening"),
}
NOTES: tuple[Words, ...] = (
    (
        "本页供阅读。能够证明的是 events 文件夹里的原始字节；页面与原始字节不一致时，以原始字节为准。",
        "This page is for reading. What is proven are the exact bytes in the folder events; where they differ, the bytes hold.",
    ),
    (
        "原始字节中的文字是加密封存的，本页打开了其中属于这些记录的文字；举报人的话和个人的姓名、联系方式不打开。",
        "In the exact bytes texts are sealed. This page opens those of the records; informants' words, and names and contacts "
        "sealed for a person, stay closed.",
    ),
    (
        "核验办法见 README.txt：核验程序会指出缺失、改动、增添的事件。时间为北京时间。",
        "README.txt says how to verify: the verifier finds events that are missing, altered or added. Times are UTC+8.",
    ),
)
OPENED: Words = ("原文件，文件名即其校验值", "as it was kept; its name is its SHA-256")
CLOSED: Words = ("密钥已销毁，只有加密内容", "its key is destroyed; only the sealed bytes are left")


@dataclass(frozen=True)
class FileLine:
    name: str
    bytes: int
    state: Words


@dataclass(frozen=True)
class Told:
    """Everything that page and PDF say."""

    title: str
    facts: tuple[Fact, ...]
    notes: tuple[Words, ...]
    entries: tuple[Entry, ...]
    logs: tuple[tuple[Fact, ...], ...]
    files: tuple[FileLine, ...]


def told_of(sections: Sequence[Section], names: Names) -> Told:
    """`sections`: the first is that of the service that was asked."""
    asked = sections[0].order
    assert isinstance(asked.event, Opening)
    told = entries(sections, names)
    role = names.role(asked.in_role)
    title = "；".join(_record(stream, sections[0]) for stream in asked.event.about)
    facts = (
        Fact(("记录", "records"), title),
        Fact(("调阅人", "ordered by"), f"{names.person(asked.actor)}，{role}" if role else names.person(asked.actor)),
        Fact(("调阅理由", "reason"), str(asked.event.reason)),
        Fact(("调阅时间", "ordered"), town(asked.recorded_at)),
        Fact(
            ("事件", "events"),
            f"{len(told)} 个，含调阅本身 {len(sections)} 个 ({len(told)}, {len(sections)} of them this order)",
        ),
    )
    return Told(
        title=title,
        facts=facts,
        notes=NOTES,
        entries=tuple(told),
        logs=tuple(tuple(_log(section)) for section in sections),
        files=tuple(
            FileLine(f"{section.service}/files/{kept.name}", len(kept.content), OPENED if kept.opened else CLOSED)
            for section in sections
            for kept in section.files
        ),
    )


def _record(stream: str, section: Section) -> str:
    """隐患 12 号 (hazard-0f3c…), with the number where the register gives one."""
    first = next(e.recorded.event for e in section.events if e.recorded.stream_id == stream)
    number = getattr(first, "hazard_no", None) or getattr(first, "site_no", None)
    zh, _ = RECORDS.get(kind_of(stream), ("记录", "record"))
    return f"{zh} {number} 号 ({stream})" if number else f"{zh} ({stream})"


def _log(section: Section) -> list[Fact]:
    zh, en = SERVICES.get(section.service, (section.service, section.service))
    point, order = section.point, section.order.event
    assert isinstance(order, Opening) and order.heads is not None
    cosigned = signers(section.checkpoint)[1:]
    return [
        Fact(("服务", "service"), f"{zh} ({en})"),
        Fact(("日志", "log"), point.origin),
        Fact(("检查点", "checkpoint"), f"{point.size} 个事件 events · {point.root.hex()}"),
        Fact(
            ("见证", "witnesses"),
            "，".join(cosigned) if cosigned else "无：只有日志自己的签名 none: the log's own signature alone",
        ),
        Fact(("记录", "records"), "；".join(f"{s.stream} 1–{s.version}" for s in section.streams)),
        Fact(
            ("完整性声明", "statement of completeness"),
            f"第 {section.statement} 号事件，截至第 {order.heads.size} 号 "
            f"(event {section.statement}, of the first {order.heads.size}) · {field_words('root')[0]} {order.heads.root}",
        ),
    ]


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(told: Told) -> bytes:
    return _environment().get_template("timeline.html").render(told=told).encode()
