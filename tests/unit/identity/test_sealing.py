"""Sealed texts: only the audience opens them, only in their place, only with the key they were sealed with."""

import base64
import json
from datetime import UTC, date, datetime
from typing import Annotated, Any, get_args, get_origin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from shared.contracts.event import Clear, Event, Sealed, SealedBy
from shared.contracts.intake.patrol import PatrolRecorded
from shared.contracts.intake.tip import TipReceived, TipSupplemented
from shared.contracts.parts import Value
from shared.contracts.registry import CONTRACTS
from shared.identity.key_store import Key
from shared.identity.sealing import open_many, opened, seal, sealed
from tests.unit.identity.keys import MemoryKeys, Page, Written, a_patrol, a_tip, an_appointment

KEY, OTHER_KEY = Key("k-1", b"k" * 32), Key("k-2", b"o" * 32)
TEXT = st.text()


async def stored(event: Event, stream_id: str, keys: MemoryKeys) -> Event:
    """The event as it is read from its bytes: sealed, and nothing opened."""
    data = json.loads(json.dumps(await seal(event, stream_id, keys)))
    return type(event).model_validate(data)


async def reopened(event: Event, stream_id: str, keys: MemoryKeys) -> Event:
    return (await open_many([(event, stream_id)], keys))[0]


# ------------------------------------------------------------------------------------------------ one text


@given(TEXT, st.binary(max_size=80))
def test_any_text_comes_back(text: str, place: bytes) -> None:
    assert opened(sealed(text, place, KEY), place, KEY.secret) == text


@given(TEXT)
def test_the_same_text_never_looks_the_same(text: str) -> None:
    one, two = sealed(text, b"", KEY), sealed(text, b"", KEY)
    assert one.n != two.n
    assert one.c != two.c


@given(TEXT, TEXT)
def test_the_length_tells_the_bucket_only(one: str, two: str) -> None:
    buckets = [len(text.encode()) // 16 for text in (one, two)]
    lengths = [len(sealed(text, b"", KEY).c) for text in (one, two)]
    assert (buckets[0] == buckets[1]) == (lengths[0] == lengths[1])


@pytest.mark.parametrize("text", ["", "x" * 15, "x" * 16, "末尾\x00\x00", "\u0080", "x\x80", "\x80"])
def test_text_that_looks_like_padding_comes_back(text: str) -> None:
    assert opened(sealed(text, b"", KEY), b"", KEY.secret) == text


def test_a_text_opens_in_its_place_only() -> None:
    assert opened(sealed("甲某", b"here", KEY), b"there", KEY.secret) is None


def test_another_key_opens_nothing() -> None:
    assert opened(sealed("甲某", b"", KEY), b"", OTHER_KEY.secret) is None


def test_a_commitment_of_another_text_does_not_fit() -> None:
    one, two = sealed("甲某", b"", KEY), sealed("乙某", b"", KEY)
    assert opened(one.model_copy(update={"m": two.m}), b"", KEY.secret) is None


def test_a_commitment_made_with_another_key_does_not_fit() -> None:
    """The ciphertext opens with the key all the same: it is the commitment that refuses."""
    honest = sealed("甲某", b"", KEY)
    assert opened(honest.model_copy(update={"m": sealed("甲某", b"", OTHER_KEY).m}), b"", KEY.secret) is None


@given(st.sampled_from(["n", "c", "m"]), st.integers(0, 200), st.integers(1, 63))
def test_one_altered_character_opens_nothing(part: str, at: int, by: int) -> None:
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    whole = sealed("有人夜里挖煤", b"", KEY)
    text = getattr(whole, part)
    at %= len(text)
    altered = text[:at] + letters[(letters.index(text[at]) + by) % 64] + text[at + 1 :]
    assert opened(whole.model_copy(update={part: altered}), b"", KEY.secret) is None


@pytest.mark.parametrize("part", ["c", "m"])
def test_bytes_are_written_in_one_way_only(part: str) -> None:
    """The last letter has bits that no byte needs; what differs there would be other event bytes with the same text."""
    letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    whole = sealed("甲某", b"", KEY)
    text = getattr(whole, part)
    twin = text[:-1] + letters[letters.index(text[-1]) + 1]
    assert base64.urlsafe_b64decode(twin + "==") == base64.urlsafe_b64decode(text + "==")
    assert opened(whole.model_copy(update={part: twin}), b"", KEY.secret) is None


@pytest.mark.parametrize("junk", ["", "=", "AAAA=", "A", "煤", "AA AA", "+/+/"])
@pytest.mark.parametrize("part", ["n", "c", "m"])
def test_junk_opens_nothing(part: str, junk: str) -> None:
    assert opened(sealed("甲某", b"", KEY).model_copy(update={part: junk}), b"", KEY.secret) is None


# ------------------------------------------------------------------------------------------------ events


async def test_a_tip_comes_back_for_those_it_is_meant_for() -> None:
    office = MemoryKeys("all", "office")
    closed = await stored(a_tip(), "tip-1", office)
    at_office = await reopened(closed, "tip-1", office)
    assert isinstance(at_office, TipReceived)
    assert at_office.words == "有人夜里挖煤"
    assert isinstance(at_office.name, Sealed)
    assert isinstance(at_office.contact, Sealed)
    custodian = await reopened(closed, "tip-1", MemoryKeys("custodian", kept=office.kept))
    assert isinstance(custodian, TipReceived)
    assert (custodian.name, custodian.contact) == ("甲某", "13900000000")
    assert isinstance(custodian.words, Sealed)


async def test_no_sealed_text_stands_in_the_data() -> None:
    data = json.dumps(await seal(a_tip(), "tip-1", MemoryKeys("all", "office")), ensure_ascii=False)
    assert not [text for text in ("夜里", "甲某", "13900000000") if text in data]
    assert '"channel": "web"' in data


async def test_absent_texts_stay_absent() -> None:
    data = await seal(a_tip(name=None, contact=None, anonymous=True), "tip-1", MemoryKeys("all", "office"))
    assert "name" not in data
    assert "contact" not in data


async def test_one_fact_needs_one_key_for_each_subject_and_audience() -> None:
    """The office gets a new custodian key at each call, so name and contact must share one call."""
    keys = MemoryKeys("all", "office")
    closed = await stored(a_tip(), "tip-1", keys)
    assert isinstance(closed, TipReceived)
    assert isinstance(closed.name, Sealed) and isinstance(closed.contact, Sealed) and isinstance(closed.words, Sealed)
    assert closed.name.k == closed.contact.k != closed.words.k
    assert sorted((about, whose) for about, whose, _ in keys.kept.values()) == [
        ("i-1", "custodian"),
        ("i-1", "office"),
    ]


async def test_a_persons_texts_have_the_persons_key() -> None:
    keys = MemoryKeys("all", "office")
    await seal(an_appointment(), "campaign-x", keys)
    await seal(an_appointment(assignment="a-2", phone="13900000001"), "campaign-x", keys)
    assert [(about, whose) for about, whose, _ in keys.kept.values()] == [("p-1", "office")]


async def test_texts_in_structures_and_lists_come_back() -> None:
    keys = MemoryKeys("office")
    patrol = a_patrol("洞口有新车辙", "", "煤堆")
    closed = await stored(patrol, "patrol-1", keys)
    assert isinstance(closed, PatrolRecorded)
    assert all(isinstance(finding.summary, Sealed) for finding in closed.findings)
    assert await reopened(closed, "patrol-1", keys) == patrol
    assert len(keys.kept) == 1


LINES = st.lists(TEXT, max_size=3).map(tuple)
PAGE = st.builds(Page, lines=LINES)


@given(title=st.none() | TEXT, pages=st.lists(PAGE, max_size=3).map(tuple), cover=st.none() | PAGE)
async def test_any_nesting_comes_back(title: str | None, pages: tuple[Page, ...], cover: Page | None) -> None:
    keys = MemoryKeys("office")
    letter = Written(title=title, pages=pages, cover=cover)
    closed = await stored(letter, "letter-1", keys)
    assert await reopened(closed, "letter-1", keys) == letter


async def test_lines_that_changed_places_stay_closed() -> None:
    keys = MemoryKeys("office")
    closed = await stored(Written(pages=(Page(lines=("一", "二")),)), "letter-1", keys)
    assert isinstance(closed, Written)
    swapped = Written(pages=(Page(lines=closed.pages[0].lines[::-1]),))
    assert await reopened(swapped, "letter-1", keys) == swapped


@pytest.mark.parametrize(
    ("stream_id", "changes"), [("tip-2", {}), ("tip-1", {"informant": "i-2"}), ("tip-1", {"as": TipSupplemented})]
)
async def test_a_text_moved_to_another_stream_subject_or_fact_stays_closed(
    stream_id: str, changes: dict[str, Any]
) -> None:
    keys = MemoryKeys("office")
    closed = await stored(a_tip(), "tip-1", keys)
    kind = changes.pop("as", TipReceived)
    moved = kind.model_validate(closed.model_dump() | changes)
    assert isinstance((await reopened(moved, stream_id, keys)).words, Sealed)  # type: ignore[attr-defined]


async def test_a_text_survives_into_the_next_version_of_its_contract() -> None:
    class WrittenAgain(Written):
        type = "cases.letter.written.v2"

    keys = MemoryKeys("office")
    closed = await stored(Written(title="通知"), "letter-1", keys)
    newer = WrittenAgain.model_validate(closed.model_dump())
    assert (await reopened(newer, "letter-1", keys)).title == "通知"  # type: ignore[attr-defined]


async def test_an_unknown_key_leaves_the_text_sealed() -> None:
    closed = await stored(a_tip(), "tip-1", MemoryKeys("office"))
    assert await reopened(closed, "tip-1", MemoryKeys("office")) == closed


async def test_one_question_opens_many_events() -> None:
    keys = MemoryKeys("all", "office")
    closed = [(await stored(a_tip(informant=f"i-{n}"), f"tip-{n}", keys), f"tip-{n}") for n in range(5)]
    events = await open_many(closed, keys)
    assert [event.words for event in events] == ["有人夜里挖煤"] * 5  # type: ignore[attr-defined]
    assert [len(asked) for asked in keys.asked] == [5], "the custodian's keys are not even asked for"


async def test_events_without_sealed_text_ask_no_question() -> None:
    keys = MemoryKeys("office")
    event = CONTRACTS.read("cases.campaign.started.v1", {})
    assert await open_many([(event, "campaign-x")], keys) == [event]
    assert keys.asked == []


async def test_what_is_sealed_already_is_not_sealed_again() -> None:
    keys = MemoryKeys("office")
    closed = await stored(Written(title="通知", cover=Page(lines=("甲",))), "letter-1", keys)
    assert await stored(closed, "letter-1", keys) == closed


async def test_a_text_about_nobody_is_refused() -> None:
    tip = a_tip().model_copy(update={"informant": None})
    with pytest.raises(ValueError, match="informant"):
        await seal(tip, "tip-1", MemoryKeys("office"))


# ------------------------------------------------------------------------------------------------ every contract


@pytest.mark.parametrize(("type_", "event"), sorted(CONTRACTS.types.items()))
async def test_every_text_that_a_contract_seals_is_sealed(type_: str, event: type[Event]) -> None:
    """One event of each contract, every sealed field filled with a text that must not be found afterwards."""
    filled = filled_in(event)
    keys = MemoryKeys("all", "office", "police", "custodian")
    data = await seal(filled, "stream-1", keys)
    assert "秘密" not in json.dumps(data, ensure_ascii=False)
    assert await reopened(event.model_validate(data), "stream-1", keys) == filled
    assert bool(keys.kept) == ("秘密" in filled.model_dump_json())


def filled_in(model: Any) -> Any:
    """A model with every field filled, and "秘密" in every sealed one."""

    def example(annotation: Any, markers: list[Any]) -> Any:
        if get_origin(annotation) is Annotated:
            inner, *extra = get_args(annotation)
            return example(inner, markers + extra)
        if any(isinstance(marker, SealedBy) for marker in markers):
            return "秘密"
        if any(isinstance(marker, Clear) for marker in markers):
            return "a1"
        if annotation in (int, bool):
            return annotation(1)
        if annotation is datetime:
            return datetime(2018, 1, 16, tzinfo=UTC)
        if annotation is date:
            return date(2018, 1, 16)
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            return filled_in(annotation)
        if get_origin(annotation) is tuple:
            return (example(get_args(annotation)[0], []),) * 2
        return example(get_args(annotation)[0], markers)

    return model(**{name: example(field.annotation, field.metadata) for name, field in model.model_fields.items()})


def test_the_example_of_a_contract_is_complete() -> None:
    assert filled_in(Value).text == "秘密"
