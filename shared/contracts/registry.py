"""Which class reads which type, and how an old version becomes the current one."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import ValidationError

from shared.contracts.cases import campaign, hazard, site
from shared.contracts.cases import opening as cases_opening
from shared.contracts.event import Event
from shared.contracts.intake import disclosure, informant, patrol, tip, words
from shared.contracts.intake import opening as intake_opening
from shared.contracts.notify import message
from shared.contracts.notify import opening as notify_opening
from shared.contracts.reporting import opening as reporting_opening
from shared.contracts.reporting import weekly_report
from shared.errors import Unreadable

Upcaster = Callable[[dict[str, Any]], tuple[str, dict[str, Any]]]


class Registry:
    """Reads the `data` of an event by its `type`. `upcasters` map an old type to (newer type, newer data), purely."""

    def __init__(self, events: tuple[type[Event], ...], upcasters: Mapping[str, Upcaster] | None = None) -> None:
        self._classes: dict[str, type[Event]] = {}
        for event in events:
            if event.type in self._classes:
                raise ValueError(f"two contracts claim {event.type}")
            self._classes[event.type] = event
        self._upcasters = dict(upcasters or {})

    def read(self, type_: str, data: dict[str, Any]) -> Event:
        """The event as today's code knows it. Raises Unreadable for an unknown type or data that breaks the contract."""
        while type_ in self._upcasters:
            type_, data = self._upcasters[type_](data)
        contract = self._classes.get(type_)
        if contract is None:
            raise Unreadable(f"no contract for {type_}")
        try:
            return contract.model_validate(data)
        except ValidationError as error:
            raise Unreadable(f"{type_}: {error.error_count()} fields break the contract") from error

    @property
    def types(self) -> dict[str, type[Event]]:
        return dict(self._classes)

    def published_by(self, service: str) -> tuple[type[Event], ...]:
        return tuple(e for t, e in self._classes.items() if t.startswith(f"{service}."))


CONTRACTS = Registry(
    campaign.EVENTS
    + site.EVENTS
    + hazard.EVENTS
    + cases_opening.EVENTS
    + tip.EVENTS
    + informant.EVENTS
    + disclosure.EVENTS
    + words.EVENTS
    + patrol.EVENTS
    + intake_opening.EVENTS
    + weekly_report.EVENTS
    + reporting_opening.EVENTS
    + message.EVENTS
    + notify_opening.EVENTS
)
