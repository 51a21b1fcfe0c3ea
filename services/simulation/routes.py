"""Walked tracks: a loop from the village to what is to be looked at, and back, as a phone writes it (GPX 1.1, WGS-84).

The centres are invented; they lie where such a town could lie, and are nobody's house.
"""

import math
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise
from random import Random
from typing import Any
from xml.sax.saxutils import quoteattr

METRES_PER_DEGREE = 111_320
STEP_M = 55
"""Between two points of a track."""

BOX = (37.9050, 37.9850, 111.9900, 112.0900)
"""South, north, west, east: nothing of the demo lies outside."""

CENTRES = {
    "zhenchengdi_community": (37.9420, 112.0330),
    "xiayanmen": (37.9310, 112.0190),
    "changzushang": (37.9555, 112.0125),
    "shangyanmen": (37.9265, 112.0075),
    "chengjiaqu": (37.9620, 112.0290),
    "yinjiagou": (37.9705, 112.0440),
    "bazishan": (37.9155, 112.0310),
    "chiniyan": (37.9480, 112.0560),
    "dulan": (37.9365, 112.0655),
    "shantou": (37.9765, 112.0160),
    "taipan": (37.9220, 112.0500),
    "foluohan": (37.9580, 112.0720),
    "xiyan": (37.9120, 112.0705),
}


@dataclass(frozen=True)
class Spot:
    """A point, WGS-84, in degrees."""

    lat: float
    lon: float

    def moved(self, north_m: float, east_m: float) -> "Spot":
        lat = self.lat + north_m / METRES_PER_DEGREE
        lon = self.lon + east_m / (METRES_PER_DEGREE * math.cos(math.radians(self.lat)))
        return Spot(lat, lon)

    def metres_to(self, other: "Spot") -> float:
        north = (other.lat - self.lat) * METRES_PER_DEGREE
        east = (other.lon - self.lon) * METRES_PER_DEGREE * math.cos(math.radians(self.lat))
        return math.hypot(north, east)

    def place(self, accuracy_m: int | None = None) -> dict[str, Any]:
        """As the API takes it: degrees times ten million."""
        return {"lat_e7": round(self.lat * 1e7), "lon_e7": round(self.lon * 1e7), "accuracy_m": accuracy_m}


def centre_of(unit: str) -> Spot:
    """Of a village's unit; of one that is not listed (another plan's), a point of the box that its name gives."""
    if unit in CENTRES:
        return Spot(*CENTRES[unit])
    south, north, west, east = BOX
    chance = Random(unit)
    return Spot(chance.uniform(south + 0.01, north - 0.01), chance.uniform(west + 0.01, east - 0.01))


def spot_near(unit: str, name: str) -> Spot:
    """Where `name` lies: always the same place, 300 to 900 metres from the village, so that names of it are apart."""
    chance = Random(f"{unit}/{name}")
    return _around(centre_of(unit), chance, 300, 900)


def _around(centre: Spot, chance: Random, least: float, most: float) -> Spot:
    angle, metres = chance.uniform(0, 2 * math.pi), chance.uniform(least, most)
    return centre.moved(metres * math.sin(angle), metres * math.cos(angle))


def track(chance: Random, unit: str, started_at: datetime, ended_at: datetime, past: tuple[Spot, ...] = ()) -> str:
    """A GPX text: from the village's centre past the spots (two or three others when none are given), and home again."""
    home = centre_of(unit)
    corners = [home, *(past or tuple(_around(home, chance, 250, 800) for _ in range(chance.randint(2, 3)))), home]
    points = [home]
    for here, there in pairwise(corners):
        points += _leg(chance, here, there)
    last, height, lines = len(points) - 1, chance.uniform(1010, 1090), []
    for nth, point in enumerate(points):
        height += chance.uniform(-4, 4)
        wobble = chance.uniform(-0.3, 0.3) if 0 < nth < last else 0
        at = started_at + (ended_at - started_at) * ((nth + wobble) / last)
        lines.append(
            f'<trkpt lat="{point.lat:.7f}" lon="{point.lon:.7f}"><ele>{height:.1f}</ele>'
            f"<time>{at.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}</time></trkpt>"
        )
    return _gpx(lines)


def _leg(chance: Random, here: Spot, there: Spot) -> list[Spot]:
    """Points up to and including `there`, a few metres off the straight line, as a path in the hills goes."""
    steps = max(1, round(here.metres_to(there) / STEP_M))
    between = [
        Spot(here.lat + (there.lat - here.lat) * n / steps, here.lon + (there.lon - here.lon) * n / steps)
        for n in range(1, steps)
    ]
    return [*(spot.moved(chance.gauss(0, 6), chance.gauss(0, 6)) for spot in between), there]


def _gpx(points: list[str]) -> str:
    creator = quoteattr("巡查手机")
    return (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<gpx version="1.1" creator={creator} '
        'xmlns="http://www.topografix.com/GPX/1/1"><trk><trkseg>\n' + "\n".join(points) + "\n</trkseg></trk></gpx>\n"
    )
