"""The public form: what was typed, what is wrong with it, and where a sign-in may lead."""

import pytest

from services.intake.sign_in_pages import FIRST, within
from services.intake.tip_forms import MOST, Typed


def test_a_box_that_is_not_sent_is_not_ticked() -> None:
    typed = Typed.of({"words": " 有人挖 ", "live": "yes"})
    assert (typed.words, typed.live, typed.anonymous) == ("有人挖", True, False)


def test_everything_wrong_is_told_at_once() -> None:
    assert set(Typed(anonymous=False, where="沟" * 501).complaints()) == {"where", "words", "name"}
    assert Typed(words="有人挖").complaints() == {}
    assert Typed(words="有人挖", anonymous=False, contact="138").complaints() == {}
    assert set(Typed(words="挖" * (MOST["words"] + 1)).complaints()) == {"words"}


def test_name_and_contact_travel_only_with_a_named_tip() -> None:
    hidden = Typed(words="有人挖", name="王某", contact="138")
    assert not {"name", "contact"} & hidden.facts().keys()
    named = Typed(words="有人挖", anonymous=False, name="王某")
    assert named.facts()["name"] == "王某"


def test_the_place_stands_before_the_words_and_never_alone() -> None:
    assert Typed(words="有人挖", where="西沟").facts()["words"] == "地点：西沟\n有人挖"
    assert Typed(where="西沟").facts()["words"] == ""


@pytest.mark.parametrize("address", ["/cases/hazards", "/reporting/reports?unit=dulan&state=due", "/"])
def test_a_sign_in_leads_back_to_our_own_pages(address: str) -> None:
    assert within(address) == address


@pytest.mark.parametrize(
    "address",
    ["", "//evil.example", "https://evil.example/", "/\\evil.example", "javascript:alert(1)", "/a\nb", "/\t/evil.example"],
)  # fmt: skip
def test_a_sign_in_leads_nowhere_else(address: str) -> None:
    assert within(address) == FIRST
