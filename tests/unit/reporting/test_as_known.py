"""Which event made a count come in or go out: the one that began the row, or the one that ended it."""

from typing import Any

from services.reporting.as_known import _cause


class Row(dict[str, Any]):
    """As the driver gives it: by name, and as a tuple its values."""

    def __iter__(self) -> Any:
        return iter(self.values())


def row(position: int, begun: int, ended: int | None = None) -> Any:
    return Row(source="intake", position=position, from_position=begun, until_position=ended)


def test_a_new_fact_is_its_own_cause() -> None:
    assert _cause([], [row(7, 7)]) == ("intake", 7)


def test_what_a_correction_moved_here_came_by_the_correction() -> None:
    assert _cause([], [row(7, 9)]) == ("intake", 9)
    assert _cause([row(7, 7, 9)], [row(7, 9)]) == ("intake", 9)


def test_what_was_struck_went_by_the_striking() -> None:
    assert _cause([row(7, 7, 12)], []) == ("intake", 12)
