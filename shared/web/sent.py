"""What comes in by HTTP inside a fact, and is held to more than the fact itself: what was recorded once is read for ever."""

from typing import Annotated

from pydantic import Field

from shared.contracts.parts import Place, Value

AROUND_THE_EARTH = 40_075_017
"""Metres."""
MOST = 2**31 - 1
"""Of a number, as the smallest column for one takes it."""


class SentPlace(Place):
    """On the earth, and in numbers that every service can keep: none could go on past a fact that it cannot."""

    lat_e7: Annotated[int, Field(ge=-900_000_000, le=900_000_000)]
    lon_e7: Annotated[int, Field(ge=-1_800_000_000, le=1_800_000_000)]
    accuracy_m: Annotated[int, Field(ge=0, le=AROUND_THE_EARTH)] | None = None


class SentValue(Value):
    """What a correction puts in the place of something is held to the same."""

    number: Annotated[int, Field(ge=-MOST, le=MOST)] | None = None
    place: SentPlace | None = None
