"""An opening needs a reason that says something, and stands as it was made."""

from uuid import UUID

import pytest

from shared.contracts.cases.opening import CasesOpeningMade
from shared.contracts.parts import Heads
from shared.errors import StreamExists
from shared.opening import MOST_REASON, MakeOpening, OpeningNeedsReason, opening_of
from tests.support.spec import given

OPENING = opening_of(CasesOpeningMade)
HEADS = Heads(size=12, streams=3, root="ab" * 32)


def asked(reason: str = "核对这一隐患。") -> MakeOpening:
    return MakeOpening(opening=UUID(int=7), kind="evidence_pack", about=("hazard-1",), reason=reason, heads=HEADS)


def test_it_says_what_was_opened_and_why() -> None:
    made = CasesOpeningMade(kind="evidence_pack", about=("hazard-1",), reason="核对这一隐患。", heads=HEADS)
    given(OPENING).when(asked(" 核对这一隐患。\n"), None).then(made)


@pytest.mark.parametrize("reason", ["", "   \n  ", " 复查 ", "……"[:1] * 3, "因" * (MOST_REASON + 1)])
def test_a_reason_that_says_nothing_is_refused(reason: str) -> None:
    given(OPENING).when(asked(reason), None).refused(OpeningNeedsReason)


def test_what_was_opened_once_is_not_opened_again_under_the_same_name() -> None:
    made = CasesOpeningMade(kind="evidence_pack", about=("hazard-1",), reason="核对这一隐患。")
    given(OPENING, made).when(asked(), None).refused(StreamExists)
