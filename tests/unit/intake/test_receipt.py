"""The receipt code: made again, typed badly, never guessed from its digest."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.intake.receipt import ReceiptMistyped, normalised, receipt_code, receipt_digest

SECRET, OTHER = b"s" * 32, b"t" * 32
CODE = st.builds(receipt_code, st.just(SECRET), st.uuids())


@given(st.uuids())
def test_the_same_request_gets_the_same_sixteen_digits(command_id: UUID) -> None:
    code = receipt_code(SECRET, command_id)
    assert code == receipt_code(SECRET, command_id)
    assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
    assert normalised(code) == code


@given(st.uuids(), st.uuids())
def test_another_request_or_another_secret_gets_another_code(one: UUID, two: UUID) -> None:
    assert (receipt_code(SECRET, one) == receipt_code(SECRET, two)) == (one == two)
    assert receipt_code(SECRET, one) != receipt_code(OTHER, one)


@given(CODE, st.integers(0, 15), st.integers(1, 9))
def test_one_wrong_digit_is_noticed(code: str, at: int, by: int) -> None:
    digits = code.replace("-", "")
    wrong = digits[:at] + str((int(digits[at]) + by) % 10) + digits[at + 1 :]
    with pytest.raises(ReceiptMistyped):
        normalised(wrong)


@given(CODE, st.integers(0, 14))
def test_two_neighbours_swapped_are_noticed_except_0_and_9(code: str, at: int) -> None:
    digits = code.replace("-", "")
    swapped = digits[:at] + digits[at + 1] + digits[at] + digits[at + 2 :]
    if digits[at] == digits[at + 1] or {digits[at], digits[at + 1]} == {"0", "9"}:
        assert normalised(swapped).replace("-", "") == swapped
    else:
        with pytest.raises(ReceiptMistyped):
            normalised(swapped)


@given(CODE, st.sampled_from([" ", "", "—", "　", "\t", "－"]))
def test_spaces_dashes_and_full_width_digits_are_understood(code: str, between: str) -> None:
    wide = code.translate({ord("0") + n: chr(0xFF10 + n) for n in range(10)}).replace("-", between)
    assert normalised(f" {wide}\n") == code


@given(st.text(max_size=40))
def test_whatever_is_typed_is_understood_or_refused(typed: str) -> None:
    try:
        assert normalised(normalised(typed)) == normalised(typed)
    except ReceiptMistyped:
        return


@given(CODE)
def test_the_digest_shows_nothing_of_the_code_and_follows_how_it_is_typed(code: str) -> None:
    digest = receipt_digest(SECRET, code)
    assert len(digest) == 64
    assert digest == receipt_digest(SECRET, code.replace("-", " "))
    assert digest != receipt_digest(OTHER, code)
    assert code.replace("-", "") not in digest


def test_the_code_stays_as_it_was_printed_on_paper() -> None:
    assert receipt_code(SECRET, UUID(int=1)) == "4718-6388-9668-3523"
