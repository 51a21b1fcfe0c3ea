"""Structures that facts of several publishers share."""

from datetime import datetime

from shared.contracts.event import E7, Code, Id, OfficeText, Part


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
