"""A zip from strangers does no harm: names that lead elsewhere, names twice, bombs, links, encryption, broken members."""

import stat
import zipfile
from pathlib import Path

import pytest

from shared.verifier.doubts import Refused
from shared.verifier.zips import Zip
from tests.unit.verifier.logs import found
from tests.unit.verifier.packs import events_of_a_case, files_of, verified, zipped

WHOLE = files_of(events_of_a_case())


@pytest.mark.parametrize(
    "name",
    [
        "../evil",
        "cases/../../evil",
        "/etc/passwd",
        "cases//x",
        "C:/evil",
        "cases\\..\\evil",
        "cases/./x",
        "cases/",
        "a\x07b",
        "x\x00y",
    ],
)
def test_a_name_that_leads_elsewhere_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for each, content in WHOLE.items():
            archive.writestr(each, content)
        info = zipfile.ZipInfo("placeholder")
        info.filename = name  # as an attacker writes it, not tidied
        archive.writestr(info, b"")
    assert found(verified(path)) == [("zip_name", None)]


def test_a_name_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "pack.zip", WHOLE, [("cases/pack.json", b"{}")])
    assert found(verified(path)) == [("zip_doubled", None)]


def test_a_link_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pack.zip", WHOLE)
    with zipfile.ZipFile(path, "a") as archive:
        info = zipfile.ZipInfo("policy2")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    assert found(verified(path)) == [("zip_name", None)]


def test_another_compression_and_encryption_are_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pack.zip", WHOLE)
    with zipfile.ZipFile(path, "a", zipfile.ZIP_LZMA) as archive:
        archive.writestr("x", b"x")
    assert found(verified(path)) == [("zip", None)]
    path = zipped(tmp_path / "secret.zip", {"README.txt": b"x"})
    content = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(mark) + at] |= 1
    path.write_bytes(content)
    assert found(verified(path)) == [("zip_name", None)]


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """An event of 40 MB that takes 40 kB: no more than an event may have is read of it."""
    files = dict(WHOLE)
    files["cases/events/00000004.json"] = bytes(40_000_000)
    path = zipped(tmp_path / "pack.zip", files)
    assert path.stat().st_size < 1_000_000
    assert found(verified(path))[0] == ("file_long", 4)


def test_a_zip_that_says_it_holds_more_than_anybody_needs_is_refused(tmp_path: Path) -> None:
    path = zipped(tmp_path / "pack.zip", WHOLE)
    content = bytearray(path.read_bytes())
    at = content.rindex(b"PK\x01\x02")  # the last member's size, in the central directory
    content[at + 24 : at + 28] = (3 << 30).to_bytes(4, "little")
    path.write_bytes(content)
    assert ("zip_large", None) in found(verified(path))


def test_so_is_one_of_more_files_than_that(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "pack.zip", "w") as archive:
        archive.writestr("README.txt", b"")
        archive.filelist *= 50_001
        archive._didModify = True  # type: ignore[attr-defined]
    assert found(verified(tmp_path / "pack.zip")) == [("zip_large", None)]


def test_a_broken_member_is_named(tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for name, content in WHOLE.items():
            archive.writestr(name, content)
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b'"n":4,', b'"n":5,').replace(b'"n":4}', b'"n":5}'))  # the checksum is another's
    report = verified(path)
    assert found(report)[0] == ("zip", 4) and "00000004.json" in report.parts[0].doubts.first[0].english


def test_reading_what_is_not_there_is_a_doubt(tmp_path: Path) -> None:
    with Zip(zipped(tmp_path / "pack.zip", WHOLE)) as files, pytest.raises(Refused):
        files.read("nothing", 10)
