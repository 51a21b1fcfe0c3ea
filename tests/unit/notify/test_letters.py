"""The words of every kind of message, made from its template."""

import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from jinja2 import Environment, meta

from services.notify.letters import FOLDER, Subject, words
from services.notify.rules import KINDS
from services.notify.senders import payload
from services.notify.writing import names_in
from shared.contracts.intake.tip import TipReceived
from shared.contracts.notify.message import MessageIssued
from tests.support.plans import plan
from tests.unit.notify.test_senders import a_letter

EVERY = Subject(
    kind="assignment",
    number=14,
    village="140181101207",
    unit="dulan",
    post="inspector",
    due_at=datetime(2018, 2, 18, 10, tzinfo=UTC),
    answer_by=datetime(2018, 2, 17, 10, tzinfo=UTC),
    step=2,
)
NOTHING = replace(EVERY, number=None, village=None, due_at=None, answer_by=None, step=0)
NAMES = names_in(plan())
ALLOWED = {"number", "village", "unit", "post", "due", "answer_by", "step"}


@pytest.mark.parametrize("kind", sorted(KINDS))
@pytest.mark.parametrize("subject", [EVERY, NOTHING], ids=["everything known", "nothing known"])
def test_every_kind_has_a_title_of_one_line_and_a_text_in_two_languages(kind: str, subject: Subject) -> None:
    title, body = words(replace(subject, kind=kind), NAMES)
    assert "\n" not in title and 5 < len(title) < 200
    chinese, english = body.rstrip("\n").split("\n\n")
    assert re.search("[\u4e00-\u9fff]", chinese) and re.search("[A-Za-z]{4}", english)
    assert title.split(" / ")[-1].strip()[0].isascii()
    for odd in ("{{", "{%", "None", "undefined", "Undefined"):
        assert odd not in title + body


def test_there_is_a_folder_for_every_kind_and_no_other() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(KINDS)


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*/*.txt")), ids=lambda p: f"{p.parent.name}-{p.stem}")
def test_a_template_speaks_of_numbers_times_and_names_of_the_plan_only(path: object) -> None:
    source = path.read_text("utf-8")  # type: ignore[attr-defined]
    assert meta.find_undeclared_variables(Environment().parse(source)) <= ALLOWED


def test_a_message_has_no_field_for_anything_a_tip_says() -> None:
    """Neither the fact, nor the letter, nor what a webhook gets."""
    tip = {"words", "name", "contact", "informant", "channel", "place", "receipt_digest", "summary"}
    assert not tip & set(MessageIssued.model_fields)
    assert not tip & {*payload(a_letter())["data"]}
    assert tip - {"summary"} <= set(TipReceived.model_fields), "the list above is out of date"


def test_codes_are_shown_by_the_plans_names_and_times_in_town_time() -> None:
    title, body = words(EVERY, NAMES)
    assert title == "【三落实】隐患 014 由您负责，限 02-18 18:00 前整改 / Hazard 014 is yours, due 02-18 18:00"
    assert body.startswith(f"{plan().name('village', '140181101207')} 隐患 014")


def test_without_a_plan_a_code_stands_for_itself() -> None:
    _, body = words(EVERY, names_in(None))
    assert body.startswith("140181101207 隐患 014")


def test_a_reports_number_is_not_padded() -> None:
    title, _ = words(replace(EVERY, kind="report_due", number=3), NAMES)
    assert "第 3 期" in title
