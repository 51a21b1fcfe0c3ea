"""What happened, event by event, in words: the part of an evidence pack that people read. Values only; HTML and PDF lay them out.

A text sealed with the key of its record is opened. One sealed with a person's own key stays closed for everybody: a pack leaves
the house, and no erasure reaches it there. What is proven are the exact bytes, in which every such text is sealed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from pydantic import BaseModel

from shared.audit.pack import Section
from shared.contracts.envelope import Recorded
from shared.contracts.event import Event, Sealed, SealedBy
from shared.contracts.parts import Place
from shared.contracts.words import Words, field_words, title_of, value_words
from shared.plan.calendar import TOWN_TIME
from shared.plan.terms import PlanTerms
from shared.transparency.note import Note

CODES: Mapping[str, str] = {
    **{
        name: name
        for name in ("village", "unit", "post", "category", "violation", "mineral", "modus", "pretext", "measure")
    },
    **{name: name for name in ("patrol_class", "handling", "channel", "phase", "figure")},
    "responsible_unit": "unit",
    "units": "unit",
    "to_post": "post",
    "channels": "channel",
}
"""Field -> the plan's list that names its codes."""
OF_TYPE: Mapping[tuple[str, str], str] = {
    ("intake.patrol.planned", "reason"): "patrol_reason",
    ("intake.tip.forwarded", "to"): "forward_to",
}
UNTOLD = frozenset({"informant", "receipt_digest"})
"""Random values that say nothing to a reader; they stand in the exact bytes."""
PEOPLE = frozenset({"responsible", "leader", "instead_of", "recipient", "person", "members", "by"})
SEALED: Words = ("〔已封存，证据包中不打开〕", "sealed, not opened in a pack")
YES: Words = ("是", "yes")
NO: Words = ("否", "no")
SERVICES: Mapping[str, Words] = {
    "intake": ("举报与巡查", "intake"),
    "cases": ("隐患整治", "cases"),
    "reporting": ("周报", "reporting"),
    "notify": ("通知催办", "notify"),
}
"""In the order in which events follow from one another, for those of the same moment."""


@dataclass(frozen=True)
class Names:
    """`people`: person -> name; `plan`: the plan in force, for its codes."""

    people: Mapping[str, str]
    plan: PlanTerms | None

    def code(self, kind: str, code: str) -> str:
        """隐患（hazard）; the code itself when the plan does not name it."""
        if self.plan is None or not self.plan.knows(kind, code):
            return code
        zh, en = self.plan.name(kind, code, "zh"), self.plan.name(kind, code, "en")
        return zh if zh == en else f"{zh} ({en})"

    def person(self, person: str) -> str:
        if person.startswith("system:"):
            return f"系统自动 automatic ({person})"
        if person == "public":
            return "公众 the public"
        name = self.people.get(person)
        return f"{name} ({person})" if name else person

    def role(self, in_role: str) -> str:
        """ "inspector@safety_office" in words."""
        post, _, unit = in_role.partition("@")
        if post in ("system", "public"):
            return ""
        told = self.code("post", post)
        return f"{told} · {self.code('unit', unit)}" if unit else told


@dataclass(frozen=True)
class Fact:
    label: Words
    value: str


@dataclass(frozen=True)
class Entry:
    """One event. `order`: it is the order of this very pack."""

    service: Words
    section: str
    position: int
    stream: str
    version: int
    type: str
    title: Words
    occurred_at: str
    recorded_at: str
    who: str
    role: str
    on_behalf_of: str | None
    facts: tuple[Fact, ...]
    leaf: str
    event_id: str
    file: str
    order: bool


def entries(sections: Sequence[Section], names: Names) -> list[Entry]:
    """Of all sections, in the order in which they were recorded."""
    found = [(e.recorded, e.position, s) for s in sections for e in s.events]
    turn = list(SERVICES).index
    found.sort(key=lambda one: (one[0].recorded_at, turn(one[2].service), one[1]))
    return [_entry(recorded, position, of, names) for recorded, position, of in found]


def town(moment: datetime) -> str:
    """Town time, to the second."""
    return moment.astimezone(TOWN_TIME).strftime("%Y-%m-%d %H:%M:%S")


def event_file(service: str, position: int) -> str:
    return f"{service}/events/{position:08}.json"


def signers(note: Note) -> list[str]:
    """The names on the lines of a checkpoint, the log's own first."""
    return list(dict.fromkeys(line.name for line in note.lines))


def _entry(e: Recorded[Event], position: int, section: Section, names: Names) -> Entry:
    return Entry(
        service=SERVICES.get(section.service, (section.service, section.service)),
        section=section.service,
        position=position,
        stream=e.stream_id,
        version=e.version,
        type=e.type,
        title=title_of(e.type),
        occurred_at=town(e.occurred_at),
        recorded_at=town(e.recorded_at),
        who=names.person(e.actor),
        role=names.role(e.in_role),
        on_behalf_of=names.person(e.on_behalf_of.partition(";")[0]) if e.on_behalf_of else None,
        facts=tuple(_facts(e.event, names)),
        leaf=e.leaf.hex(),
        event_id=str(e.event_id),
        file=event_file(section.service, position),
        order=position == section.statement,
    )


def _facts(event: Event, names: Names) -> Iterator[Fact]:
    closed = {path for path, marker in event.text_fields() if isinstance(marker, SealedBy) and marker.by != "stream"}
    type_ = event.type.rpartition(".v")[0]
    told = _Telling(names, type_, closed, getattr(event, "field", None))
    for name in type(event).model_fields:
        value = getattr(event, name)
        if (
            name in UNTOLD
            or value is None
            or value == ()
            or (isinstance(value, bool) and not value and name != "anonymous")
        ):
            continue
        yield Fact(field_words(name), told.value(name, name, value))


@dataclass(frozen=True)
class _Telling:
    """`closed`: dotted fields that stay sealed; `corrected`: the field whose value a correction gives."""

    names: Names
    type: str
    closed: set[str]
    corrected: str | None

    def value(self, name: str, path: str, value: Any) -> str:
        if isinstance(value, Sealed) or path in self.closed:
            return " ".join(SEALED)
        if isinstance(value, bool):
            return " ".join(YES if value else NO)
        if isinstance(value, datetime):
            return town(value)
        if isinstance(value, date):
            return value.isoformat()
        if isinstance(value, Place):
            point = f"{value.lat_e7 / 1e7:.5f}, {value.lon_e7 / 1e7:.5f}"
            return point if value.accuracy_m is None else f"{point} (±{value.accuracy_m} m)"
        if isinstance(value, tuple):
            return "；".join(self.value(name, path, one) for one in value)
        if isinstance(value, BaseModel):
            return self._part(path, value)
        return self._word(name, str(value))

    def _part(self, path: str, part: BaseModel) -> str:
        given = [(n, getattr(part, n)) for n in type(part).model_fields]
        if {n for n, _ in given} == {"figure", "value"}:
            return f"{self._word('figure', str(given[0][1]))} {given[1][1]}"
        told = [(n, self.value(n, f"{path}.{n}", v)) for n, v in given if v is not None and v != () and v is not False]
        if path == "value":  # of a correction: the one part of it that is given
            return "，".join(text for _, text in told)
        return "，".join(f"{field_words(n)[0]} {text}" for n, text in told)

    def _word(self, name: str, text: str) -> str:
        if name == "code" and self.corrected:
            name = self.corrected.rpartition(".")[2]
        if name == "field":
            words = field_words(text.rpartition(".")[2])
            return text if words == (text, text) else f"{words[0]} ({text})"
        kind = OF_TYPE.get((self.type, name)) or CODES.get(name)
        if kind is not None:
            text = self.names.code(kind, text)
        if name in PEOPLE or name.endswith("_by"):
            return self.names.person(text)
        zh, en = value_words(text)
        return text if zh == en else f"{zh} ({en})"
