"""A patrol's route: GPX in, the same track without anything personal out, as the same bytes every time.

Kept of a file: track points (WGS-84), their heights and times. Dropped: author, device, names, links, waypoints.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Any

import gpxpy
from gpxpy.gpx import GPX, GPXException, GPXTrackPoint

from shared.errors import Refusal

MEDIA_TYPE = "application/gpx+xml"
MAX_BYTES = 4_000_000
MAX_POINTS = 20_000
"""A day and a night at a point every five seconds."""
_DECLARES = re.compile(r"<!(DOCTYPE|ENTITY)", re.IGNORECASE)

HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<gpx version="1.1" creator="minewatch" xmlns="http://www.topografix.com/GPX/1/1"><trk>\n'
)
TAIL = "</trk></gpx>\n"


class RouteUnreadable(Refusal):
    """这不是可读的 GPX 1.1 轨迹文件。请从手机重新导出。
    This is no readable GPX 1.1 track. Export it from the phone again."""


class RouteTooLarge(Refusal):
    """轨迹文件太大。请减少记录点或分成两次巡查。
    The track is too large. Record fewer points, or make two patrols of it."""


class RouteNeedsPoints(Refusal):
    """轨迹至少要有两个点。
    A track has at least two points."""


class RouteNotKept(Refusal):
    """没有收到过这条轨迹。请先上传 GPX 文件，或把轨迹放在记录里。
    This route was never sent. Send the GPX file first, or put it into the record."""


class RouteOutsideEarth(Refusal):
    """轨迹中有不存在的经纬度。
    The track holds coordinates that do not exist."""


@dataclass(frozen=True)
class Track:
    """`content` is the normalised file, `sha256` its hash in hex; times are None when the file has none."""

    content: bytes
    sha256: str
    points: int
    metres: int
    started_at: datetime | None
    ended_at: datetime | None


def track_of(given: bytes) -> Track:
    """Reads a GPX file. Raises RouteUnreadable, RouteTooLarge, RouteNeedsPoints, RouteOutsideEarth."""
    parsed = _parsed(given)
    segments = [s.points for t in parsed.tracks for s in t.segments if s.points]
    points = [p for segment in segments for p in segment]
    if len(points) < 2:
        raise RouteNeedsPoints(points=len(points))
    if len(points) > MAX_POINTS:
        raise RouteTooLarge(points=len(points), most=MAX_POINTS)
    if not all(-90 <= p.latitude <= 90 and -180 <= p.longitude <= 180 for p in points):
        raise RouteOutsideEarth()
    for p in points:  # as they will be written, so that the kept file has the very length that is told
        p.latitude, p.longitude = round(p.latitude, 7), round(p.longitude, 7)
    content = (HEAD + "".join(map(_segment, segments)) + TAIL).encode()
    times = [_utc(p.time) for p in points if p.time is not None]
    return Track(
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        points=len(points),
        metres=round(parsed.length_2d()),
        started_at=min(times, default=None),
        ended_at=max(times, default=None),
    )


def geojson(content: bytes) -> dict[str, Any]:
    """A GeoJSON feature (RFC 7946) of a kept file: one MultiLineString, longitude first."""
    segments = [s.points for t in _parsed(content).tracks for s in t.segments]
    lines = [[[p.longitude, p.latitude] for p in segment] for segment in segments if len(segment) > 1]
    return {"type": "Feature", "properties": {}, "geometry": {"type": "MultiLineString", "coordinates": lines}}


def _parsed(given: bytes) -> GPX:
    if len(given) > MAX_BYTES:
        raise RouteTooLarge(bytes=len(given), most=MAX_BYTES)
    try:
        text = given.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise RouteUnreadable(reason="not_utf_8", at_byte=error.start) from error
    if _DECLARES.search(text):  # no document type: nothing for an XML parser to expand or fetch
        raise RouteUnreadable(reason="document_type")
    try:
        return gpxpy.parse(text)
    except (GPXException, ValueError, TypeError, AttributeError) as error:
        raise RouteUnreadable(reason=str(error)[:120]) from error


def _segment(points: list[GPXTrackPoint]) -> str:
    return "<trkseg>\n" + "".join(map(_point, points)) + "</trkseg>\n"


def _point(p: GPXTrackPoint) -> str:
    height = f"<ele>{p.elevation:.1f}</ele>" if p.elevation is not None and isfinite(p.elevation) else ""
    time = f"<time>{_utc(p.time):%Y-%m-%dT%H:%M:%SZ}</time>" if p.time is not None else ""
    return f'<trkpt lat="{p.latitude:.7f}" lon="{p.longitude:.7f}">{height}{time}</trkpt>\n'


def _utc(at: datetime) -> datetime:
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
