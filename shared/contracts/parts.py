"""Structures that facts of several publishers share."""

from datetime import datetime

from shared.contracts.event import E7, Code, Event, Id, OfficeText, Part


class Place(Part):
    """A point, WGS-84; `accuracy_m` as the device gave it, None when marked by hand."""

    lat_e7: E7
    lon_e7: E7
    accuracy_m: int | None = None


class Value(Part):
    """The corrected value, in the one field that fits its kind."""

    code: Code | None = None
    number: int | None = None
    at: datetime | None = None
    ref: Id | None = None
    place: Place | None = None
    text: OfficeText | None = None


class CutAt(Part):
    """How much of one source a report has seen: every event up to and including `position` of `lineage`."""

    source: Code
    lineage: Id
    position: int


class Figure(Part):
    """One number of a report, `figure` from the report's figure list."""

    figure: Code
    value: int


class Heads(Part):
    """What every stream had come to after the first `size` events of this log: RFC 6962 root (hex) over the `streams` heads."""

    size: int
    streams: int
    root: Id


class InPack(Part):
    """The evidence pack that an opening is for. `order`: random, the same in the opening of every service that gives a part;
    `services`: all of these, so that each opening says whose parts there are."""

    order: Id
    services: tuple[Code, ...]


class AsOf(Part):
    """The moment that was opened. clock: recorded | occurred; `position`: the last event of the own log that counted, 0 for none;
    `since`: the earlier moment that it was compared with."""

    clock: Code
    at: datetime
    position: int
    since: datetime | None = None


class Opening(Event):
    """Somebody was given what is not simply there to read; each service publishes it as its own.

    kind: evidence_pack | export | audit_copy | replay | inspection_plan | …; about: the streams that were opened, none for the
    whole log; `heads` when the reading was to show that nothing is left out; `pack` in the order of an evidence pack, and `as_of`
    where another moment was opened than that of the opening; openings before 0.2 have neither.
    """

    kind: Code
    about: tuple[Id, ...]
    reason: OfficeText
    heads: Heads | None = None
    pack: InPack | None = None
    as_of: AsOf | None = None
