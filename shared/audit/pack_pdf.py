"""The timeline as a PDF, laid out by ReportLab.

Where the machine has a Chinese TrueType font (Debian: fonts-wqy-microhei) it is put inside, so that the document reads and prints
the same anywhere; elsewhere it names Adobe's STSong, for which every reader of Chinese PDFs has a type of its own.
"""

import threading
from collections.abc import Container, Iterator, Sequence
from functools import cache
from html import escape
from io import BytesIO
from pathlib import Path
from typing import Any

from reportlab.lib.colors import HexColor
from reportlab.lib.enums import TA_RIGHT
from reportlab.lib.pagesizes import A4
from reportlab.lib.styles import ParagraphStyle
from reportlab.lib.units import mm
from reportlab.pdfbase import pdfmetrics
from reportlab.pdfbase.cidfonts import UnicodeCIDFont
from reportlab.pdfbase.ttfonts import TTFont
from reportlab.platypus import Flowable, KeepTogether, Paragraph, SimpleDocTemplate, Spacer, Table

from shared.audit.pack_pages import Told
from shared.audit.pack_timeline import Entry, Fact

FONT_FILES = (
    Path("/usr/share/fonts/truetype/wqy/wqy-microhei.ttc"),
    Path("/usr/share/fonts/truetype/wqy/wqy-zenhei.ttc"),
    Path("/usr/share/fonts/truetype/droid/DroidSansFallbackFull.ttf"),
    Path("/usr/share/fonts/truetype/arphic/uming.ttc"),
)
"""Where Debian's packages put the TrueType ones; ReportLab cannot put a CFF font (Noto, Source Han) inside."""
FONT_FILE = next((path for path in FONT_FILES if path.is_file()), None)
FONT = "MinewatchHan" if FONT_FILE is not None else "STSong-Light"
INK, SOFT, LINE, PALE, AMBER = (HexColor(c) for c in ("#1f4e6b", "#4a5a68", "#d5dce2", "#e6eef3", "#f0a500"))
WIDTH = A4[0] - 32 * mm - 12  # a frame keeps six points on each side
LABEL = 46 * mm
_one_at_a_time = threading.Lock()
"""ReportLab does not say that two documents may be made at once."""


def _style(name: str, size: float, **more: Any) -> ParagraphStyle:
    return ParagraphStyle(
        name, fontName=FONT, bulletFontName=FONT, fontSize=size, leading=size * 1.5, wordWrap="CJK", **more
    )


TITLE = _style("title", 18, textColor=INK, spaceAfter=6)
HEADING = _style("heading", 13, textColor=INK, spaceBefore=12, spaceAfter=6)
STEP = _style("step", 11)
TEXT = _style("text", 9.5)
SMALL = _style("small", 8, textColor=SOFT)
RIGHT = _style("right", 8, textColor=SOFT, alignment=TA_RIGHT)


@cache
def _known() -> Container[int]:
    """Registers the type; the code points it has."""
    known: Container[int] = range(0x10000)
    if FONT_FILE is None:
        pdfmetrics.registerFont(UnicodeCIDFont(FONT))
    else:
        inside = TTFont(FONT, str(FONT_FILE), subfontIndex=0)
        pdfmetrics.registerFont(inside)
        known = frozenset(inside.face.charToGlyph)
    pdfmetrics.registerFontFamily(FONT, normal=FONT, bold=FONT, italic=FONT, boldItalic=FONT)
    return known


def pdf(told: Told) -> bytes:
    """The same bytes for the same timeline. Takes some 50 ms a page of a processor: call it in a thread."""
    with _one_at_a_time:
        _known()
        out = BytesIO()
        document = SimpleDocTemplate(
            out,
            pagesize=A4,
            leftMargin=16 * mm,
            rightMargin=16 * mm,
            topMargin=16 * mm,
            bottomMargin=18 * mm,
            title=f"证据包 {told.title}",
            author="minewatch 矿巡",
            lang="zh-CN",
            invariant=1,
            initialFontName=FONT,
        )
        document.build(list(_story(told)), onFirstPage=_foot(told), onLaterPages=_foot(told))
        return out.getvalue()


def _foot(told: Told) -> Any:
    def draw(canvas: Any, document: Any) -> None:
        canvas.setFont(FONT, 8)
        canvas.setFillColor(SOFT)
        canvas.drawString(16 * mm, 10 * mm, printable(told.title)[:90])
        canvas.drawRightString(A4[0] - 16 * mm, 10 * mm, str(document.page))

    return draw


def _story(told: Told) -> Iterator[Flowable]:
    yield _p("证据包：办理过程 <font size=11 color='#4a5a68'>Evidence pack: the timeline</font>", TITLE, marked=True)
    yield _facts(told.facts)
    yield Spacer(0, 6)
    yield _box([_p(f"{zh} {en}", SMALL) for zh, en in told.notes], PALE)
    yield _p("办理过程 What happened, in the order in which it was recorded", HEADING)
    for entry in told.entries:
        yield from _entry(entry)
    for nth, log in enumerate(told.logs):
        heading = [] if nth else [_p("日志与签名 Logs and signatures", HEADING)]
        yield KeepTogether([*heading, _facts(log), Spacer(0, 8)])
    if told.files:
        yield _p("附件 Files that the events name", HEADING)
        for file in told.files:
            yield _p(f"{file.name}　{file.bytes} 字节 bytes　{file.state[0]} {file.state[1]}", SMALL)


def _entry(e: Entry) -> Iterator[Flowable]:
    by = e.who + (f"，{e.role}" if e.role else "") + (f"，代 for {e.on_behalf_of}" if e.on_behalf_of else "")
    head = Table(
        [[_p(f"{e.title[0]} {e.title[1]}", STEP), _p(e.occurred_at, RIGHT)]],
        colWidths=[WIDTH - 38 * mm, 38 * mm],
        style=[
            ("VALIGN", (0, 0), (-1, -1), "BOTTOM"),
            *_LEAN,
            ("LINEABOVE", (0, 0), (-1, 0), 1.5, AMBER if e.order else INK),
        ],
    )
    place = _p(
        f"{e.service[0]} {e.section} · 第 {e.position} 号 no. {e.position} · {e.stream} 第 {e.version} 项 version {e.version}",
        SMALL,
    )
    facts = _facts([Fact(("经办人", "by"), by), *e.facts])
    proof = _p(f"登记 recorded {e.recorded_at} · {e.type}\n{e.leaf}\n{e.file}", SMALL)
    yield KeepTogether([head, place])
    yield facts
    yield proof
    yield Spacer(0, 9)


_LEAN = [
    ("FONTNAME", (0, 0), (-1, -1), FONT),
    ("LEFTPADDING", (0, 0), (-1, -1), 0),
    ("RIGHTPADDING", (0, 0), (-1, -1), 4),
    ("TOPPADDING", (0, 0), (-1, -1), 2),
    ("BOTTOMPADDING", (0, 0), (-1, -1), 1),
]


def _facts(facts: Sequence[Fact]) -> Table:
    rows = [[_p(f"{f.label[0]} {f.label[1]}", SMALL), _p(f.value, TEXT)] for f in facts]
    return Table(
        rows, colWidths=[LABEL, WIDTH - LABEL], style=[("VALIGN", (0, 0), (-1, -1), "TOP"), *_LEAN], splitInRow=1
    )


def _box(inside: list[Flowable], colour: Any) -> Table:
    return Table(
        [[inside]],
        colWidths=[WIDTH],
        style=[("FONTNAME", (0, 0), (-1, -1), FONT), ("BACKGROUND", (0, 0), (-1, -1), colour)],
    )


def _p(text: str, style: ParagraphStyle, marked: bool = False) -> Paragraph:
    """`marked`: the text is markup of ours already."""
    ready = text if marked else escape(printable(text), quote=False).replace("\n", "<br/>")
    return Paragraph(ready, style)


def printable(text: str) -> str:
    """Characters that the type lacks are named by their number: nothing is left out unseen."""
    known = _known()
    return "".join(c if ord(c) in known or c == "\n" else f"[U+{ord(c):04X}]" for c in text)
