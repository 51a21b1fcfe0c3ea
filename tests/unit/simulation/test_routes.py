"""Tracks of the demo: readable, inside the town, past what was found, and the same for the same seed."""

from datetime import UTC, datetime, timedelta
from random import Random

import gpxpy

from services.simulation.routes import BOX, CENTRES, centre_of, spot_near, track

STARTED = datetime(2018, 1, 23, 2, 10, tzinfo=UTC)
ENDED = STARTED + timedelta(minutes=52)


def points(text: str) -> list[tuple[float, float, datetime]]:
    found = gpxpy.parse(text).tracks[0].segments[0].points
    return [(p.latitude, p.longitude, p.time) for p in found if p.time is not None]


def test_a_track_stays_inside_the_town_and_comes_home() -> None:
    south, north, west, east = BOX
    for unit in CENTRES:
        walked = points(track(Random(unit), unit, STARTED, ENDED))
        assert all(south < lat < north and west < lon < east for lat, lon, _ in walked), unit
        assert walked[0][:2] == walked[-1][:2]


def test_a_track_runs_from_its_start_to_its_end_in_time() -> None:
    walked = points(track(Random(1), "dulan", STARTED, ENDED))
    times = [at for _, _, at in walked]
    assert (times[0], times[-1]) == (STARTED, ENDED)
    assert times == sorted(times) and len(times) > 15


def test_a_track_passes_what_was_found() -> None:
    shaft = spot_near("dulan", "废弃井口")
    walked = points(track(Random(1), "dulan", STARTED, ENDED, (shaft,)))
    assert min(abs(lat - shaft.lat) + abs(lon - shaft.lon) for lat, lon, _ in walked) < 1e-6


def test_the_same_chance_walks_the_same_way_and_another_does_not() -> None:
    first, again, other = (track(Random(seed), "xiyan", STARTED, ENDED) for seed in (3, 3, 4))
    assert first == again != other


def test_two_places_of_a_village_lie_apart_and_each_stays_where_it_is() -> None:
    one, other = spot_near("dulan", "一号井口"), spot_near("dulan", "二号井口")
    assert one == spot_near("dulan", "一号井口")
    assert one.metres_to(other) > 200 and 250 < one.metres_to(centre_of("dulan")) < 950


def test_a_village_of_another_plan_gets_a_centre_of_its_own() -> None:
    assert centre_of("hetan") == centre_of("hetan") != centre_of("shangping")
