"""An evidence pack passes whole, and with nothing left out, added, altered or exchanged."""

import base64
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from shared.verifier.trust import Unusable
from tests.unit.verifier.logs import ORIGIN, Events, Tree, checkpoint, first, found, some_events
from tests.unit.verifier.packs import (
    FILE_HASH,
    Files,
    add_event,
    events_of_a_case,
    files_of,
    listed,
    the_list,
    verified,
    with_list,
    zipped,
)

EVENTS = events_of_a_case()
MADE = Tree(EVENTS.bodies)
NOTE = checkpoint(MADE.size, MADE.root)
WHOLE = files_of(EVENTS)


def left_out(files: Files, *positions: int) -> None:
    """With its proof, and from the list."""
    for position in positions:
        del files[f"cases/events/{position:08}.json"], files[f"cases/proofs/{position:08}.tlog-proof"]
    with_list(files, events=[each for each in the_list(files)["events"] if each not in positions])


def shorter(files: Files, stream: str, version: int) -> None:
    """The list says that the stream ended earlier."""
    with_list(files, streams=[
        {**each, "version": version} if each["stream"] == stream else each for each in the_list(files)["streams"]
    ])  # fmt: skip


def last_left_out(files: Files) -> None:
    left_out(files, 10)
    shorter(files, "hazard-a", 3)


def stream_left_out(files: Files) -> None:
    left_out(files, 1, 4, 7, 10)
    with_list(files, streams=[each for each in the_list(files)["streams"] if each["stream"] != "hazard-a"])


def listed_too(*positions: int) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        for position in positions:
            add_event(files, MADE, NOTE, position)
        with_list(files, events=[*the_list(files)["events"], *positions])

    return change


def altered(name: str, old: bytes, new: bytes) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        assert old in files[name]
        files[name] = files[name].replace(old, new, 1)

    return change


def exchanged(one: str, other: str) -> Callable[[Files], None]:
    def change(files: Files) -> None:
        files[one], files[other] = files[other], files[one]

    return change


def another_stream(files: Files) -> None:
    """c, whole and proven, but the opening is not about it."""
    for position in (3, 6, 9, 12):
        add_event(files, MADE, NOTE, position)
    forged = EVENTS.copy()
    forged.envelopes[12]["data"]["about"].append("hazard-c")
    files["cases/pack.json"] = json.dumps(listed(forged, 13)).encode()


def in_list(**changed: object) -> Callable[[Files], None]:
    return lambda files: with_list(files, **changed)


def head(**changed: object) -> Callable[[Files], None]:
    return lambda files: with_list(
        files, streams=[the_list(files)["streams"][0] | changed, the_list(files)["streams"][1]]
    )


def on_an_older_checkpoint(files: Files) -> None:
    older = checkpoint(13, MADE.root_at(13))
    add_event(files, Tree(EVENTS.bodies[:13]), older, 4)


OTHER = base64.b64encode(bytes(32)).decode()
FAULTS: dict[str, tuple[Callable[[Files], object], str, int | None]] = {
    "an event left out": (lambda f: left_out(f, 4), "gap", 7),
    "the first event left out": (lambda f: left_out(f, 1), "gap", 4),
    "the last event left out": (lambda f: left_out(f, 10), "gap", None),
    "the last event left out, the list made to fit": (last_left_out, "head", 7),
    "a whole record left out": (stream_left_out, "about", 13),
    "an event's file gone": (lambda f: f.pop("cases/events/00000004.json"), "event_missing", 4),
    "an event's proof gone": (lambda f: f.pop("cases/proofs/00000004.tlog-proof"), "file_missing", 4),
    "an event altered": (altered("cases/events/00000004.json", b'"n":4', b'"n":9'), "inclusion", 4),
    "two events exchanged": (exchanged("cases/events/00000004.json", "cases/events/00000007.json"), "inclusion", 4),
    "two proofs exchanged": (exchanged("cases/proofs/00000004.tlog-proof", "cases/proofs/00000007.tlog-proof"), "proof_index", 4),
    "a proof for another place": (
        altered("cases/proofs/00000004.tlog-proof", b"index 3\n", b"index 4\n"), "proof_index", 4,
    ),
    "a proof on another checkpoint": (on_an_older_checkpoint, "proof_other", 4),
    "a proof that is none": (lambda f: f.update({"cases/proofs/00000004.tlog-proof": b"?"}), "proof_form", 4),
    "an event that is not listed": (lambda f: add_event(f, MADE, NOTE, 3), "event_extra", 3),
    "an event of another record": (listed_too(3), "foreign", 3),
    "an event after the statement": (listed_too(14), "after", 14),
    "a record that nobody asked for": (another_stream, "unasked", 13),
    "a version in the list that is not the last": (head(version=2), "head", 4),
    "another place among the heads": (head(index=2), "head", 10),
    "another path among the heads": (head(path=[OTHER, OTHER]), "head", 10),
    "a checkpoint of a smaller log": (
        lambda f: f.update({"cases/checkpoint": str(checkpoint(13, MADE.root_at(13))).encode()}), "proof_other", 1,
    ),
    "a checkpoint without a witness": (
        lambda f: f.update({"cases/checkpoint": str(checkpoint(14, MADE.root, witnesses=())).encode()}), "quorum", None,
    ),
    "no checkpoint": (lambda f: f.pop("cases/checkpoint"), "no_log", None),
    "another log in the list": (in_list(origin=f"{ORIGIN}0"), "list_origin", None),
    "no list": (lambda f: f.pop("cases/pack.json"), "file_missing", None),
    "a list that is none": (lambda f: f.update({"cases/pack.json": b"{"}), "list_form", None),
    "a list of another form": (in_list(format="minewatch-pack/2"), "list_form", None),
    "an event listed twice": (in_list(events=[1, 1]), "list_form", None),
    "a record listed twice": (lambda f: with_list(f, streams=the_list(f)["streams"] * 2), "list_form", None),
    "a name twice in the list": (altered("cases/pack.json", b'{"format"', b'{"statement":1,"format"'), "list_form", None),
    "a statement that is none": (in_list(statement=10), "statement", 10),
    "a statement that is not there": (in_list(statement=12), "statement", 12),
    "a file altered": (lambda f: f.update({f"cases/files/{FILE_HASH}": b"<gpx>"}), "file_hash", 5),
    "a file gone": (lambda f: f.pop(f"cases/files/{FILE_HASH}"), "file_absent", 5),
    "a file that no event names": (lambda f: f.update({f"cases/files/{'0' * 64}": b""}), "file_unnamed", None),
    "a file with another name": (lambda f: f.update({"cases/files/x": b""}), "stray", None),
    "an event with a shorter number": (lambda f: f.update({"cases/events/4.json": b""}), "stray", None),
    "something else": (lambda f: f.update({"virus.exe": b""}), "stray", None),
    "no part at all": (lambda f: [f.pop(each) for each in list(f) if "/" in each], "no_section", None),
}  # fmt: skip


def test_a_whole_pack_is_proven(tmp_path: Path) -> None:
    report = verified(zipped(tmp_path / "pack.zip", WHOLE))
    assert (report.code, found(report)) == (0, [])
    part = report.parts[0]
    assert (part.name, part.events, part.streams, part.statements) == ("cases", 9, 2, 1)
    assert part.remarks[0][1].startswith(
        "complete as of the first 12 events of the log (said by event 13, recorded at 2018"
    )


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_in_a_pack_is_found_and_placed(tmp_path: Path, fault: str) -> None:
    change, code, position = FAULTS[fault]
    files = dict(WHOLE)
    change(files)
    assert first(verified(zipped(tmp_path / "pack.zip", files))) == (code, position)


def test_of_a_record_that_is_wrong_in_the_log_itself_the_first_fault_is_named(tmp_path: Path) -> None:
    """The log and its witnesses signed it, and the heads fit."""
    wrong = EVENTS.copy()
    wrong.envelopes[6]["prev"] = "00" * 32
    late = Events(wrong.envelopes[:12])
    late.state(("hazard-a", "hazard-b"), "evidence_pack")
    assert found(verified(zipped(tmp_path / "1.zip", files_of(late)))) == [("prev", 7), ("prev", 10)]
    twice = EVENTS.copy()
    twice.envelopes[9] |= {"version": 3, "prev": twice.envelopes[6]["prev"]}
    late = Events(twice.envelopes[:12])
    late.state(("hazard-a", "hazard-b"), "evidence_pack")
    assert ("twice", 10) in found(verified(zipped(tmp_path / "2.zip", files_of(late))))


def test_a_part_of_another_services_log_is_none_of_this_ones(tmp_path: Path) -> None:
    both = {**WHOLE, **{name.replace("cases/", "intake/"): content for name, content in WHOLE.items()}}
    report = verified(zipped(tmp_path / "pack.zip", both))
    assert ("service", None) in found(report) and report.code == 1
    assert report.parts[0].doubts.count == 0


def test_ciphertext_whose_key_is_gone_is_said_to_be_that(tmp_path: Path) -> None:
    files = dict(WHOLE)
    files[f"cases/files/{FILE_HASH}.sealed"] = files.pop(f"cases/files/{FILE_HASH}")
    report = verified(zipped(tmp_path / "pack.zip", files))
    assert report.code == 0 and [english for _, english in report.parts[0].remarks if "key was destroyed" in english]


def test_a_plan_file_is_named_and_kept_elsewhere(tmp_path: Path) -> None:
    events = Events()
    events.add("campaign-1", "cases.campaign.adopted.v1", sha256=FILE_HASH)
    events.state(("campaign-1",), "evidence_pack")
    files = files_of(events, 2)
    del files[f"cases/files/{FILE_HASH}"]
    assert verified(zipped(tmp_path / "pack.zip", files)).code == 0


def test_a_statement_about_what_comes_later_is_none(tmp_path: Path) -> None:
    for code, change in {"heads_late": {"size": 13}, "heads_form": {"size": None}}.items():
        events = EVENTS.copy()
        files = files_of(events)
        events.envelopes[12]["data"]["heads"] |= change
        made = Tree(events.bodies)
        note = checkpoint(made.size, made.root)
        for position in the_list(files)["events"]:
            add_event(files, made, note, position)
        files["cases/checkpoint"] = str(note).encode()
        assert first(verified(zipped(tmp_path / f"{code}.zip", files))) == (code, 13)


def test_what_is_no_zip_cannot_be_read(tmp_path: Path) -> None:
    whole = zipped(tmp_path / "whole.zip", WHOLE).read_bytes()
    for content in (b"", b"PK", whole[:-30], b"\0" * 1000):
        path = tmp_path / "pack.zip"
        path.write_bytes(content)
        with pytest.raises(Unusable):
            verified(path)


def test_an_events_pack_of_a_log_without_such_a_statement_is_refused(tmp_path: Path) -> None:
    """An opening without heads, and a statement in an event that is no opening."""
    for name, type_ in (("1", "cases.opening.made.v1"), ("2", "cases.hazard.listed.v1")):
        events = some_events(5)
        events.add("opening-x", type_, about=[], **({"heads": {}} if name == "2" else {}))
        made = Tree(events.bodies)
        note, files = checkpoint(made.size, made.root), dict(WHOLE)
        for each in [each for each in files if each.startswith("cases/")]:
            del files[each]
        files["cases/checkpoint"] = str(note).encode()
        add_event(files, made, note, 6)
        index = {"format": "minewatch-pack/1", "origin": ORIGIN, "streams": [], "events": [6], "statement": 6}
        files["cases/pack.json"] = json.dumps(index).encode()
        assert first(verified(zipped(tmp_path / name, files))) == ("heads_form" if name == "1" else "statement", 6)
