"""The headers that make writing safe: Idempotency-Key says which wish it is, ETag and If-Match which version was seen."""

import re
from typing import Annotated

from fastapi import Header

from shared.web.problems import BadRequest

_KEY = re.compile(r"[!-~]{1,200}")
_TAG = re.compile(r'(?:W/)?"(\d{1,9})"')


async def idempotency_key(
    key: Annotated[
        str | None,
        Header(alias="Idempotency-Key", description="Any uuid; the same one when the same request is sent again."),
    ] = None,
) -> str:
    """1 to 200 visible ASCII characters. Raises BadRequest."""
    if key is None or not _KEY.fullmatch(key):
        raise BadRequest(
            "Idempotency-Key",
            "请在请求头 Idempotency-Key 中给出一个编号（例如随机 UUID）；重发同一请求时用同一编号。",
            "Send a header Idempotency-Key with any uuid, and the same one when you send the same request again.",
            where="header",
        )
    return key


def etag(version: int) -> str:
    """A stream's version as an entity tag, for example '"3"'."""
    return f'"{version}"'


def expected_version(header: str | None) -> int | None:
    """The version an If-Match names; None without the header, and for `*`. Raises BadRequest."""
    if header is None or header.strip() == "*":
        return None
    found = _TAG.fullmatch(header.strip())
    if found is None:
        raise BadRequest(
            "If-Match",
            'If-Match 应为读取时得到的 ETag，例如 "3"。',
            'If-Match takes the ETag you read, for example "3".',
            where="header",
        )
    return int(found[1])
