"""Domain time. Leases, back-off and tokens use real time and never this."""

from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    def now(self) -> datetime:
        """The present moment of the campaign, aware, UTC, whole microseconds."""
        ...


class SystemClock:
    """Domain time is real time."""

    def now(self) -> datetime:
        return datetime.now(UTC)


class SimulatedClock:
    """Domain time stands still until somebody moves it; it never goes back."""

    def __init__(self, start: datetime) -> None:
        self._now = start.astimezone(UTC)

    def now(self) -> datetime:
        return self._now

    def move_to(self, moment: datetime) -> None:
        """Raises ValueError when `moment` lies before the present one."""
        if moment < self._now:
            raise ValueError(f"the clock stands at {self._now}, it cannot go back to {moment}")
        self._now = moment.astimezone(UTC)
