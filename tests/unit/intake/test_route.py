"""GPX in: the same track without anything personal, as the same bytes every time."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.intake.route import (
    MAX_BYTES,
    MAX_POINTS,
    RouteNeedsPoints,
    RouteOutsideEarth,
    RouteTooLarge,
    RouteUnreadable,
    geojson,
    track_of,
)

PHONE = """<?xml version="1.0" encoding="UTF-8"?>
<gpx version="1.1" creator="Wang's phone" xmlns="http://www.topografix.com/GPX/1/1">
<metadata><name>home</name><author><name>Wang</name></author></metadata>
<wpt lat="37.7" lon="112.2"><name>my house</name></wpt>
<trk><name>secret</name><trkseg>
<trkpt lat="37.8" lon="112.3"><ele>900.26</ele><time>2018-02-03T08:00:00+08:00</time></trkpt>
<trkpt lat="37.81" lon="112.3"><ele>nan</ele><time>2018-02-03T01:00:00Z</time></trkpt>
</trkseg></trk></gpx>
"""


def gpx(points: str) -> bytes:
    return f'<gpx version="1.1" xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>{points}</trkseg></trk></gpx>'.encode()


def point(lat: float, lon: float) -> str:
    return f'<trkpt lat="{lat!r}" lon="{lon!r}"/>'


def test_the_track_is_kept_with_its_length_and_times() -> None:
    track = track_of(PHONE.encode())
    assert (track.points, track.metres) == (2, 1113)
    assert track.started_at == datetime(2018, 2, 3, 0, 0, tzinfo=UTC)
    assert track.ended_at == datetime(2018, 2, 3, 1, 0, tzinfo=UTC)


def test_names_author_device_and_waypoints_are_dropped() -> None:
    content = track_of(PHONE.encode()).content
    for personal in (b"Wang", b"secret", b"home", b"my house", b"nan"):
        assert personal not in content


degrees = st.integers(-90_0000000, 90_0000000).map(lambda e7: e7 / 1e7)


@settings(max_examples=40)
@given(st.lists(st.tuples(degrees, degrees), min_size=2, max_size=12))
def test_a_kept_file_read_again_is_the_same_file(points: list[tuple[float, float]]) -> None:
    track = track_of(gpx("".join(point(*p) for p in points)))
    assert track_of(track.content) == track
    assert geojson(track.content)["geometry"]["coordinates"] == [[[lon, lat] for lat, lon in points]]


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"no xml at all",
        b"\xff\xfe\x00",
        b"<gpx><trk>",
        b'<!DOCTYPE gpx [<!ENTITY a "aaaa">]>' + gpx(point(1, 2) * 2),
        gpx(point(1, 2) + '<trkpt lat="north" lon="2"/>'),
        gpx(point(1, 2) + '<trkpt lon="2"/>'),
    ],
)
def test_a_broken_file_is_refused_with_a_reason(broken: bytes) -> None:
    with pytest.raises(RouteUnreadable) as refused:
        track_of(broken)
    assert refused.value.facts["reason"]


def test_a_track_has_two_points_on_this_earth() -> None:
    with pytest.raises(RouteNeedsPoints):
        track_of(gpx(point(1, 2)))
    with pytest.raises(RouteOutsideEarth):
        track_of(gpx(point(91, 2) + point(1, 2)))
    with pytest.raises(RouteOutsideEarth):
        track_of(gpx(point(1, 2) + '<trkpt lat="nan" lon="2"/>'))


def test_a_file_or_track_that_is_too_large_is_refused() -> None:
    with pytest.raises(RouteTooLarge):
        track_of(b" " * (MAX_BYTES + 1))
    with pytest.raises(RouteTooLarge):
        track_of(gpx(point(1, 2) * (MAX_POINTS + 1)))
