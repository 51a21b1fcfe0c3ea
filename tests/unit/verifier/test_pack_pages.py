"""What people read of a pack is what the service signed, or the verifier says that it is not, or that nothing shows it."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.receipts import Receipts
from shared.verifier.pack_pages import PAGES
from shared.verifier.report import Report
from tests.unit.verifier.logs import ORIGIN, Tree, first
from tests.unit.verifier.packs import Files, events_of_a_case, files_of, verified, with_list, zipped

EVENTS = events_of_a_case()
ORDER = Tree(EVENTS.bodies).leaves[12]
OWN = Receipts(ORIGIN, Ed25519PrivateKey.generate())
ELSE = Receipts(ORIGIN, Ed25519PrivateKey.generate())


def signed(
    files: Files, by: Receipts = OWN, order: bytes = ORDER, origin: str = ORIGIN, form: str = "minewatch-pages/1"
) -> Files:
    hashes = [f"{name} {hashlib.sha256(files[name]).hexdigest()}" for name in PAGES]
    note = by.signed(form, origin, base64.b64encode(order).decode(), *hashes)
    with_list(files, pages=str(note))
    return files


def a_pack() -> Files:
    return files_of(EVENTS) | {"README.txt": b"read", "timeline.html": b"<p>two shafts</p>", "timeline.pdf": b"%PDF"}


def said(report: Report) -> str:
    return "\n".join(english for part in report.parts for _, english in part.remarks)


def test_pages_that_the_service_signed_are_its_word_where_its_key_is_known(tmp_path: Path) -> None:
    pack = zipped(tmp_path / "pack.zip", signed(a_pack()))
    report = verified(pack, OWN.key)
    assert report.code == 0 and f"those that {OWN.key.name} signed" in said(report)
    report = verified(pack)
    assert report.code == 0 and f"you gave no key of {OWN.key.name}" in said(report)


@pytest.mark.parametrize("page", PAGES)
def test_an_altered_page_is_named_whether_the_key_is_known_or_not(tmp_path: Path, page: str) -> None:
    files = signed(a_pack())
    files[page] += b" and more"
    for keys in ((), (OWN.key,)):
        report = verified(zipped(tmp_path / "pack.zip", files), *keys)
        assert first(report) == ("page", None) and page in report.parts[0].doubts.first[0].english
    del files[page]
    assert first(verified(zipped(tmp_path / "pack.zip", files))) == ("file_missing", None)


def test_pages_that_somebody_else_signed_are_doubted_by_whoever_knows_the_key(tmp_path: Path) -> None:
    pack = zipped(tmp_path / "pack.zip", signed(a_pack(), by=ELSE))
    assert first(verified(pack, OWN.key)) == ("pages_unsigned", None)
    assert "is not proven" in said(verified(pack))


def test_a_signature_that_was_taken_away_is_missed_by_whoever_knows_the_key(tmp_path: Path) -> None:
    pack = zipped(tmp_path / "pack.zip", a_pack())
    assert first(verified(pack, OWN.key)) == ("pages_unsigned", None)
    report = verified(pack)
    assert report.code == 0 and "nobody signed README and timeline" in said(report)


def test_a_pack_of_before_has_none_and_is_not_doubted_for_it(tmp_path: Path) -> None:
    report = verified(zipped(tmp_path / "pack.zip", files_of(events_of_a_case(pack=None))), OWN.key)
    assert report.code == 0 and "nobody signed README and timeline" in said(report)


def test_pages_of_another_pack_are_not_this_ones(tmp_path: Path) -> None:
    for name, files in {
        "order": signed(a_pack(), order=bytes(32)),
        "log": signed(a_pack(), origin=ORIGIN.replace("cases", "intake")),
    }.items():
        assert first(verified(zipped(tmp_path / name, files), OWN.key)) == ("pages_other", None)


@pytest.mark.parametrize("written", ["", "x", "minewatch-pages/1\n\n— x AAAAAAAA\n", "\ud800"])
def test_what_is_no_such_note_is_a_doubt(tmp_path: Path, written: str) -> None:
    files = a_pack()
    with_list(files, pages=written)
    assert first(verified(zipped(tmp_path / "pack.zip", files))) == ("pages_form", None)
    with_list(files, pages=1)
    assert first(verified(zipped(tmp_path / "pack.zip", files))) == ("list_form", None)


def test_what_the_same_key_signed_for_another_purpose_says_nothing_of_pages(tmp_path: Path) -> None:
    files = signed(a_pack(), form="minewatch-receipt/1")
    assert first(verified(zipped(tmp_path / "pack.zip", files), OWN.key)) == ("pages_form", None)
