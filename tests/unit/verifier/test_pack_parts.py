"""A part of an evidence pack that was left out, put in or exchanged is found by what the orders of the other parts say."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from shared.verifier.report import Report
from tests.unit.verifier.logs import Events, found
from tests.unit.verifier.packs import ORDER, Files, events_of_a_case, files_of, verified, zipped

BOTH = {**ORDER, "services": ["cases", "intake"]}
ANOTHER = {**BOTH, "order": "0b6f8a52-2f0e-4a53-9d0c-5e1d6c7b8a91"}


def cases(pack: Mapping[str, Any] | None = BOTH) -> Files:
    return files_of(events_of_a_case(pack))


def intake(pack: Mapping[str, Any] | None = BOTH) -> Files:
    return files_of(events_of_a_case(pack, "intake"))


def without(files: Files, service: str) -> Files:
    return {name: content for name, content in files.items() if not name.startswith(f"{service}/")}


def words(report: Report) -> str:
    return "\n".join(report.lines())


def test_a_pack_of_two_services_is_proven_whole_and_says_whose_parts_it_is_made_of(tmp_path: Path) -> None:
    report = verified(zipped(tmp_path / "pack.zip", {**cases(), **intake()}))
    assert (report.code, found(report)) == (0, [])
    assert [(part.name, part.events) for part in report.parts] == [("cases", 9), ("intake", 9)]
    assert "by its orders the pack is made of the parts of cases, intake" in words(report)


@pytest.mark.parametrize(("gone", "left"), [("intake", "cases"), ("cases", "intake")])
def test_a_part_left_out_whole_is_named_by_the_order_of_the_one_that_came(tmp_path: Path, gone: str, left: str) -> None:
    """Also when it is that of the service that was asked first."""
    report = verified(zipped(tmp_path / "pack.zip", without({**cases(), **intake()}, gone)))
    assert (report.code, found(report)) == (1, [("part_missing", None)])
    assert f"by the order in the part of {left} the pack has a part of {gone}, and it is not there" in words(report)
    assert f"{left} 部分的调阅记录写明本包有 {gone} 的部分" in words(report)


def without_the_order(files: Files) -> Files:
    """What is left when somebody takes a part away and leaves its name."""
    return {
        name: content
        for name, content in files.items()
        if not name.startswith("intake/") or name == "intake/checkpoint"
    }


def an_export_for_an_order(files: Files) -> Files:
    """In place of intake's part another opening of its log, about no record, and every proof is right."""
    events = Events(service="intake")
    for number in range(1, 4):
        events.add(f"tip-{number}", n=number)
    events.state((), "export", pack=BOTH)
    exported = files_of(events, 4)
    return {**without(files, "intake"), **{name: exported[name] for name in exported if "/files/" not in name}}


FAULTS: dict[str, tuple[Callable[[], Files], list[tuple[str, int | None]]]] = {
    "a part of another order": (lambda: {**cases(), **intake(ANOTHER)}, [("part_other", None)]),
    "a part of an order of before, which says nothing": (lambda: {**cases(), **intake(None)}, [("part_other", None)]),
    "a part that is in no order": (
        lambda: {**cases(ORDER), **intake({**ORDER, "services": ["intake"]})},
        [("part_extra", None), ("part_extra", None), ("part_other", None)],
    ),
    "parts of one order that do not name the same": (
        lambda: {**cases(), **intake({**BOTH, "services": ["cases"]})}, [("part_extra", None), ("part_other", None)],
    ),
    "a part of which only the checkpoint is left": (lambda: without_the_order({**cases(), **intake()}), [("file_missing", None)]),
    "another opening in the place of the order": (lambda: an_export_for_an_order({**cases(), **intake()}), [("no_order", 4)]),
    "an order whose word on the pack cannot be read": (lambda: cases({"order": 1, "services": []}), [("pack_form", 13)]),
    "an order without a name": (lambda: cases({"order": "", "services": ["cases"]}), [("pack_form", 13)]),
    "an order that names no services": (lambda: cases({"order": "x", "services": "cases"}), [("pack_form", 13)]),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
def test_parts_that_do_not_belong_together_are_found(tmp_path: Path, fault: str) -> None:
    make, doubts = FAULTS[fault]
    report = verified(zipped(tmp_path / "pack.zip", make()))
    assert (report.code, found(report)) == (1, doubts)


def test_a_pack_of_before_verifies_and_what_its_orders_do_not_say_is_said(tmp_path: Path) -> None:
    report = verified(zipped(tmp_path / "pack.zip", {**cases(None), **intake(None)}))
    assert (report.code, found(report)) == (0, [])
    said = words(report)
    assert "do not say whose parts belong to it" in said and "没有写明本包应有哪些服务的部分" in said
