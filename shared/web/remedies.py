"""What is wrong with a field that was sent, and what to do about it, in Chinese and English. Never the value itself."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic import BaseModel

REMEDIES: Mapping[str, tuple[str, str]] = {
    "missing": ("缺这一项，请填写。", "It is missing; give it."),
    "extra_forbidden": ("没有这一项，请去掉。", "There is no such field; leave it out."),
    "string_too_long": ("太长，最多 {max_length} 个字。", "Too long; at most {max_length} characters."),
    "string_too_short": ("太短，至少 {min_length} 个字。", "Too short; at least {min_length} characters."),
    "string_pattern_mismatch": ("格式不符，应符合 {pattern}。", "Not in its form; it must match {pattern}."),
    "string": ("应为文字。", "Send a text."),
    "literal_error": ("只能是其中之一：{expected}。", "Send one of {expected}."),
    "enum": ("只能是其中之一：{expected}。", "Send one of {expected}."),
    "int": ("应为整数。", "Send a whole number."),
    "bool": ("应为 true 或 false。", "Send true or false."),
    "timezone": (
        "时间要带时区，例如 2018-02-11T09:30:00+08:00。",
        "Give the time with its offset, for example 2018-02-11T09:30:00+08:00.",
    ),
    "datetime": (
        "应为带时区的时间，例如 2018-02-11T09:30:00+08:00。",
        "Send a time with its offset, for example 2018-02-11T09:30:00+08:00.",
    ),
    "date": ("应为日期，例如 2018-02-11。", "Send a date, for example 2018-02-11."),
    "uuid": (
        "应为 UUID，例如 3f2b6a1e-0c55-4d0b-9a57-2f5c1c7be001。",
        "Send a uuid, for example 3f2b6a1e-0c55-4d0b-9a57-2f5c1c7be001.",
    ),
    "greater_than_equal": ("太小，至少为 {ge}。", "Too small; at least {ge}."),
    "greater_than": ("太小，须大于 {gt}。", "Too small; more than {gt}."),
    "less_than_equal": ("太大，最多为 {le}。", "Too large; at most {le}."),
    "less_than": ("太大，须小于 {lt}。", "Too large; less than {lt}."),
    "too_long": ("太多，最多 {max_length} 项。", "Too many; at most {max_length}."),
    "too_short": ("太少，至少 {min_length} 项。", "Too few; at least {min_length}."),
    "json_invalid": ("正文不是有效的 JSON。", "The body is no valid JSON."),
    "list": ("应为列表。", "Send a list."),
    "tuple": ("应为列表。", "Send a list."),
    "model": (
        "应为 JSON 对象（Content-Type: application/json）。",
        "Send a JSON object (Content-Type: application/json).",
    ),
    "dict": ("应为 JSON 对象。", "Send a JSON object."),
}
"""By pydantic's error type, or the part of it before the first underscore."""

OTHERWISE = ("填写有误，请对照接口说明 openapi.json。", "Not as described in openapi.json; compare and send it again.")


_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,40}|\d{1,3}")
"""What a field may be called, or its number in a list; a name that somebody made up is not repeated either."""


class Complaint(BaseModel):
    """One thing wrong with a request. `where`: body | query | path | header; `field`: dotted, list places by number."""

    field: str
    where: str
    message: str
    message_en: str


def complaints_of(errors: Sequence[Mapping[str, Any]]) -> list[Complaint]:
    """From what pydantic found; what was sent is not repeated, for it may be an informant's words."""
    return [_complaint(error) for error in errors]


def _complaint(error: Mapping[str, Any]) -> Complaint:
    kind = str(error["type"])
    zh, en = REMEDIES.get(kind) or REMEDIES.get(kind.split("_", 1)[0]) or OTHERWISE
    facts = error.get("ctx") or {}
    try:
        zh, en = zh.format_map(facts), en.format_map(facts)
    except KeyError:
        zh, en = OTHERWISE
    where, *path = (part if _NAME.fullmatch(part) else "?" for part in map(str, error["loc"]))
    if kind == "json_invalid":
        path = []
    return Complaint(field=".".join(path) or where, where=where, message=zh, message_en=en)
