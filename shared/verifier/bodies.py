"""Events' envelopes, read from their bytes. A body is read word for word the first time that one of its shape is seen; the next
of that shape need one regular expression, many at once, which was made from it and accepts nothing that the reading would not.
"""

import json
import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from json.encoder import encode_basestring
from typing import Any

from shared.verifier.doubts import Doubt, Refused, refused

Facts = tuple[bytes, str, int, str | None, str, str]
"""(event id, 16 bytes; stream; version; prev in hex or None; recordedat; type)"""
Written = tuple[str, str, str, str, str, str]
"""(event id; prev in hex or nothing; recordedat; stream; type; version), as they are written."""

_PLAIN, _WIDE = r"[ !#-\[\]-\xff]*+", r"[^\x00-\xff]++"
"""Characters that need no escape, up to U+00FF and beyond: one class of both takes 30 ms to compile, in every shape."""
TEXT = rf"{_PLAIN}(?:{_WIDE}{_PLAIN})*+"
QUOTED = rf'"{_PLAIN}(?:"|(?:{_WIDE}{_PLAIN})++")'
"""A JSON text without an escape, and between its quotes, which is read quicker."""
# Each part is possessive: nothing is kept in mind for going back.
UUID = r"[0-9a-f]{8}+-[0-9a-f]{4}+-[0-9a-f]{4}+-[0-9a-f]{4}+-[0-9a-f]{12}+"
MOMENT = r"[0-9]{4}+-[0-9]{2}+-[0-9]{2}+T[0-9]{2}+:[0-9]{2}+:[0-9]{2}+\.[0-9]{6}+Z"
SALT = r"[A-Za-z0-9+/]{21}+[AQgw]=="
HASH = r"[0-9a-f]{64}+"
VERSION = r"[1-9][0-9]{0,14}+"
NEEDED = {
    "actor": None, "causationid": UUID, "correlationid": None, "id": UUID, "inrole": None, "recordedat": MOMENT, "salt": SALT,
    "specversion": r"1\.0", "subject": None, "time": MOMENT, "type": None,
}  # fmt: skip
"""Attribute -> the form of its text, None for any."""
OPTIONAL = {"onbehalfof": None, "planversion": None, "prev": HASH, "traceparent": None}

_FORMS = [
    (name, re.compile(".*" if form is None else form, re.DOTALL).fullmatch)
    for name, form in (NEEDED | OPTIONAL).items()
]
_HEAD = rf'{{"actor":{QUOTED},"causationid":"{UUID}","correlationid":{QUOTED},"data":'
_NUMBER = "(?:0|-?[1-9][0-9]{0,14}+)"
_WORDS = {None: "null", True: "true", False: "false"}
_MOST_EXACT = 2**53 - 1
_MOST_SHAPES, _MOST_OF_A_TYPE, _LONGEST_SHAPE = 1_000, 20, 10_000
"""Shapes that are remembered, of all types and of one; characters of one."""


class Bodies:
    """Reads the bodies of one log. `source`: "/JURISDICTION/SERVICE"; `latest`: no event may be recorded after this moment."""

    def __init__(self, source: str, latest: str) -> None:
        self._source, self._latest = source, latest
        self._tail = (
            rf',"id":"({UUID})","inrole":{QUOTED}(?:,"onbehalfof":{QUOTED})?(?:,"planversion":{QUOTED})?'
            rf'(?:,"prev":"({HASH})")?,"recordedat":"({MOMENT})","salt":"{SALT}","source":{re.escape(encode_basestring(source))},'
            rf'"specversion":"1\.0","subject":"({TEXT})","time":"{MOMENT}"(?:,"traceparent":{QUOTED})?,"type":"'
        )
        self._shapes: dict[bytes, list[str]] = {}
        self._lines: dict[bytes, re.Pattern[str]] = {}
        self._learned = 0

    def facts(self, body: bytes, position: int) -> Facts:
        """Raises Refused with what is wrong in it."""
        [row] = self.read([body], position)
        if isinstance(row, Doubt):
            raise Refused(row)
        event, prev, recorded, stream, kind, version = row
        return bytes.fromhex(event.replace("-", "")), stream, int(version), prev or None, recorded, kind

    def read(self, bodies: Sequence[bytes], first: int) -> list[Written | Doubt]:
        """What each says, or what is wrong in it. `first`: the position of the first; those of a type are read together."""
        of_type: dict[bytes, list[int]] = defaultdict(list)
        for nth, body in enumerate(bodies):
            end = body.rfind(b'","version":')
            kind = body[body.rfind(b'"', 0, end) + 1 : end] if b"\n" not in body else b"\n"
            of_type[kind].append(nth)
        found: dict[int, Written | Doubt] = {}
        for kind, some in of_type.items():
            rows: Sequence[Written | Doubt] | None = self._quickly(kind, [bodies[nth] for nth in some])
            if rows is None:
                rows = [self._alone(kind, bodies[nth], first + nth) for nth in some]
            found.update(zip(some, rows, strict=True))
        return [found[nth] for nth in range(len(bodies))]

    def _alone(self, kind: bytes, body: bytes, position: int) -> Written | Doubt:
        if rows := self._quickly(kind, [body]):
            return rows[0]
        try:
            return self._exactly(body, position)
        except Refused as error:
            return error.doubt

    def _quickly(self, kind: bytes, bodies: Sequence[bytes]) -> list[Written] | None:
        """None when one of them has no shape seen so far, or something is wrong in it."""
        try:
            if (line := self._lines.get(kind) or self._compiled(kind)) is None:
                return None
            text = b"\n".join([b"", *bodies, b""]).decode()
            rows: list[Written] = line.findall(text)
            # Neither a shape nor a body has a line break in it: as many as there are bodies are one on each line.
            if len(rows) != len(bodies):
                return None
            for _, prev, recorded, _, _, version in rows:
                if recorded > self._latest or (version == "1") == bool(prev):
                    return None
                datetime.fromisoformat(recorded)
        except ValueError:
            return None
        return rows

    def _compiled(self, kind: bytes) -> re.Pattern[str] | None:
        """One line with a body of that type, the type as JSON writes it: what needs an escape is never read quickly."""
        shapes = self._shapes.get(kind)
        if shapes is None:
            return None
        any_of, name = "|".join(shapes), re.escape(encode_basestring(kind.decode())[1:-1])
        whole = rf'\n{_HEAD}(?:{any_of}){self._tail}({name})","version":({VERSION})}}(?=\n)'
        self._lines[kind] = re.compile(whole)
        return self._lines[kind]

    def _learn(self, event: dict[str, Any]) -> None:
        """That events of this type may have this shape. The names in it are in order and each is there once, because they were in
        the body that it was made from; a text without a backslash, and a short number, are canonical as they stand."""
        kind, form = event["type"].encode(), _form(event["data"])
        shapes = self._shapes.get(kind, [])
        if (
            self._learned < _MOST_SHAPES
            and len(shapes) < _MOST_OF_A_TYPE
            and len(form) <= _LONGEST_SHAPE
            and form not in shapes
        ):
            self._learned += 1
            self._shapes[kind] = [*shapes, form]
            self._lines.pop(kind, None)

    def _exactly(self, body: bytes, position: int) -> Written:
        e = parsed(body, position)
        for name, fits in _FORMS:
            if name in e or name in NEEDED:
                value = e.get(name)
                if not isinstance(value, str) or not fits(value):
                    raise refused("attribute", position, name=name)
        version = e.get("version")
        if type(version) is not int or not 0 < version < 10**15:
            raise refused("attribute", position, name="version")
        if not isinstance(e.get("data"), dict):
            raise refused("attribute", position, name="data")
        try:
            datetime.fromisoformat(e["recordedat"])
        except ValueError:
            raise refused("attribute", position, name="recordedat") from None
        if e.get("source") != self._source:
            raise refused("source", position, source=e.get("source"), wanted=self._source)
        self._learn(e)
        if (version == 1) != ("prev" not in e):
            raise refused("first", position, stream=e["subject"], version=version)
        if e["recordedat"] > self._latest:
            raise refused("late", position, recorded=e["recordedat"], latest=self._latest)
        return e["id"], e.get("prev", ""), e["recordedat"], e["subject"], e["type"], str(version)


def parsed(body: bytes, position: int) -> dict[str, Any]:
    """The object in `body`, each name once, in the one form of RFC 8785. Raises Refused."""
    try:
        text = body.decode()
        found = _strictly(text)
        canonical = _canonical(found)
    except _Doubled as error:
        raise refused("doubled", position, name=error) from None
    except _NoNumber as error:
        raise refused("number", position, number=error) from None
    except (ValueError, RecursionError) as error:
        raise refused("json", position, why=error) from None
    if not isinstance(found, dict):
        raise refused("json", position, why="no object")
    if canonical != text:
        at = next((n for n, (a, b) in enumerate(zip(canonical, text, strict=False)) if a != b), len(canonical))
        raise refused("canonical", position, at=at + 1, there=text[at : at + 30])
    return found


class _Doubled(ValueError):
    pass


class _NoNumber(ValueError):
    pass


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Doubled(name)
        found[name] = value
    return found


def _form(value: Any) -> str:
    """A regular expression for whatever differs from `value` in texts, in short numbers, and in how long lists are."""
    if isinstance(value, dict):
        members = [f"{re.escape(encode_basestring(name))}:{_form(each)}" for name, each in value.items()]
        return rf"\{{{','.join(members)}\}}"
    if isinstance(value, list):
        each = "|".join(dict.fromkeys(map(_form, value)))
        return rf"\[(?:{each})(?:,(?:{each}))*+\]" if value else r"\[\]"
    if isinstance(value, str):
        return QUOTED
    return _WORDS[value] if value is None or isinstance(value, bool) else _NUMBER


def _no_number(written: str) -> Any:
    raise _NoNumber(written)


def _by_utf16(name: str) -> bytes:
    return name.encode("utf-16-be", "surrogatepass")


_strictly = json.JSONDecoder(object_pairs_hook=_pairs, parse_float=_no_number, parse_constant=_no_number).decode


def _canonical(value: Any) -> str:
    """RFC 8785, for integers that a double holds exactly. Raises _NoNumber for others."""
    if isinstance(value, str):
        return encode_basestring(value)
    if isinstance(value, dict):
        names = sorted(value, key=None if all(map(str.isascii, value)) else _by_utf16)
        return "{" + ",".join([f"{encode_basestring(name)}:{_canonical(value[name])}" for name in names]) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_canonical, value)) + "]"
    if value is None or isinstance(value, bool):
        return _WORDS[value]
    if abs(value) > _MOST_EXACT:
        raise _NoNumber(value)
    return str(value)
