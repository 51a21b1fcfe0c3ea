"""The timeline of a pack as page and PDF: whatever stands in a text, it is all there, and nothing in it takes effect."""

import importlib
import re
from pathlib import Path

import pytest

from shared.audit import pack_pdf, pack_readme
from shared.audit.pack_pages import CLOSED, NOTES, OPENED, RECORDS, Told, html
from shared.audit.pack_pdf import pdf, printable
from shared.audit.pack_timeline import SEALED, SERVICES, Entry, Fact
from shared.contracts.words import FIELDS, TITLES, VALUES


def an_entry(text: str, no: int = 1) -> Entry:
    return Entry(
        service=("隐患整治", "cases"),
        section="cases",
        position=no,
        stream="hazard-1",
        version=no,
        type="cases.hazard.listed.v1",
        title=("列入隐患清单", "Hazard listed"),
        occurred_at="2018-01-22 09:00:00",
        recorded_at="2018-01-22 09:00:01",
        who="严守一 (p-inspector-1)",
        role="安监办人员",
        on_behalf_of=None,
        facts=(Fact(("情况", "summary"), text),),
        leaf="ab" * 32,
        event_id="1",
        file=f"cases/events/{no:08}.json",
        order=False,
    )


def told(*texts: str) -> Told:
    entries = tuple(an_entry(text, no) for no, text in enumerate(texts, 1))
    return Told(
        "隐患 1 号",
        (Fact(("记录", "records"), "hazard-1"),),
        NOTES,
        entries,
        ((Fact(("日志", "log"), "t/cases/l"),),),
        (),
    )


def pages(document: bytes) -> int:
    return len(re.findall(rb"/Type /Page\b", document))


def test_the_same_timeline_is_the_same_bytes() -> None:
    first = pdf(told("坑口有新车辙。"))
    pdf(told("另一份，字不一样：龘靐齉。"))
    assert pdf(told("坑口有新车辙。")) == first


def test_its_type_is_inside_and_no_other_is_asked_for() -> None:
    document = pdf(told("坑口有新车辙。"))
    fonts = set(re.findall(rb"/BaseFont /([A-Za-z0-9+-]+)", document))
    assert fonts and all(re.fullmatch(rb"[A-Z]{6}\+WenQuanYiMicroHei-?\d*", font) for font in fonts), fonts
    assert document.count(b"/FontFile2") == len(fonts)


def test_a_machine_without_a_chinese_type_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as without:
        without.setattr(Path, "is_file", lambda path: False)
        importlib.reload(pack_pdf)
    try:
        document = pack_pdf.pdf(told("坑口有新车辙。"))
    finally:
        importlib.reload(pack_pdf)
    assert b"/BaseFont /STSong-Light" in document and b"/FontFile2" not in document
    assert pages(document) == 1


@pytest.mark.parametrize("length", [1, 2_000, 20_000])
def test_a_text_of_any_length_finds_room(length: int) -> None:
    assert pages(pdf(told("长" * length))) >= 1 + length // 4_000


def test_a_hundred_events_fill_pages_one_after_another() -> None:
    assert 10 <= pages(pdf(told(*["坑口有新车辙。"] * 100))) <= 40


def test_markup_in_a_text_is_text() -> None:
    text = "<script>alert(1)</script> & <b>粗</b> </para> &lt;"
    shown = html(told(text)).decode()
    assert "<script" not in shown and "&lt;script&gt;alert(1)&lt;/script&gt; &amp; &lt;b&gt;" in shown
    assert pdf(told(text)).startswith(b"%PDF")


def test_a_page_needs_nothing_from_elsewhere() -> None:
    shown = html(told("坑口有新车辙。")).decode()
    assert not re.search(r"(src|href)=|@import|url\(|https?://", shown)


def test_what_the_type_lacks_is_named_by_its_number() -> None:
    assert printable("有𠮷㙓字") == "有[U+20BB7][U+3653]字"


def test_every_word_of_ours_can_be_printed() -> None:
    ours = [*NOTES, OPENED, CLOSED, SEALED, *RECORDS.values(), *SERVICES.values()]
    ours += [*TITLES.values(), *FIELDS.values(), *VALUES.values()]
    assert [pair for pair in ours for text in pair if printable(text) != text] == []


def test_the_readme_says_how_to_verify_in_both_languages() -> None:
    for text in (pack_readme.ZH, pack_readme.EN):
        assert "python minewatch-verify.pyz PACK.zip --policy" in text
