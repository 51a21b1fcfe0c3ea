"""Lists in pages. A cursor holds the sort key of the last line shown, so lines that come meanwhile shift nothing."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from pydantic import BaseModel

from shared.web.problems import BadRequest

Row = TypeVar("Row")
T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    """`next` goes into `cursor` to get the page behind this one; None at the end."""

    items: list[T]
    next: str | None


def cursor_of(*values: object) -> str:
    """Texts, whole numbers, times, dates and uuids as one opaque text."""
    plain = [v.isoformat() if isinstance(v, date) else str(v) if isinstance(v, UUID) else v for v in values]
    return base64.urlsafe_b64encode(json.dumps(plain, ensure_ascii=False).encode()).decode().rstrip("=")


def read_cursor(text: str | None, *types: type) -> tuple[Any, ...] | None:
    """The values that `cursor_of` was given, of these types; None without a cursor. Raises BadRequest for anything else."""
    if not text:
        return None
    try:
        values = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        if not isinstance(values, list) or len(values) != len(types):
            raise ValueError("not as many values as asked for")
        return tuple(_read(value, kind) for value, kind in zip(values, types, strict=True))
    except (ValueError, TypeError) as error:
        raise BadRequest(
            "cursor",
            "cursor 无效：请原样使用上一页答复中的 next，或去掉它从头开始。",
            "This is no cursor: use `next` of the page before as it is, or leave it out to begin again.",
            where="query",
        ) from error


def _read(value: Any, kind: type) -> Any:
    if issubclass(kind, date):
        read = kind.fromisoformat(value)
        if isinstance(read, datetime) and read.tzinfo is None:
            raise ValueError("a time without its offset")
        return read
    if kind is UUID:
        return UUID(value)
    if type(value) is not kind:
        raise TypeError(f"{kind.__name__} wanted")
    return value


def page_of(
    rows: Sequence[Row], limit: int, make: Callable[[Row], T], key: Callable[[Row], Sequence[object]]
) -> Page[T]:
    """The page from up to `limit + 1` rows: one more than is shown tells whether there is a next page."""
    shown = rows[:limit]
    following = cursor_of(*key(shown[-1])) if len(rows) > limit else None
    return Page(items=[make(row) for row in shown], next=following)
