"""The library `eventsourcing` on the same Postgres, set up as its manual says; the rows are empty when it is not installed."""

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from typing import Any
from uuid import UUID, uuid4

from tests.bench.facts import DATA
from tests.bench.ground import Ground

INSTALLED = find_spec("eventsourcing") is not None and find_spec("psycopg") is not None
ABSENT = "eventsourcing is not installed; `make bench` does it"
WRITERS = 32


class Library:
    """One application of the library. `known`: where each stream ends, as a writer knows who has just loaded it."""

    def __init__(self, application: Any, event: Any, refused: type[Exception]) -> None:
        self.application, self._event, self._refused = application, event, refused
        self.known: dict[UUID, int] = {}

    def save(self, stream: UUID) -> bool:
        """Appends the next event by `app.save`; False when another writer took its version."""
        version = self.known.get(stream, 0) + 1
        try:
            self.application.save(self.event(stream, version))
        except self._refused:
            return False
        finally:
            self.known[stream] = max(version, self.known.get(stream, 0))
        return True

    def event(self, stream: UUID, version: int) -> Any:
        """The same envelope as ours, as the library's own event."""
        return self._event(
            originator_id=stream, originator_version=version, timestamp=self._event.create_timestamp(), **ENVELOPE
        )

    def fill(self, most: int) -> None:
        """Writes `most` events in batches of 500, below `app.save`."""
        recorder, mapper = self.application.recorder, self.application.mapper
        for first in range(0, most, 500):
            stream = uuid4()
            events = [self.event(stream, version) for version in range(1, min(500, most - first) + 1)]
            recorder.insert_events([mapper.to_stored_event(event) for event in events])

    def read(self) -> int:
        """Every event in order, pages of 1000, made into domain events; how many."""
        recorder, mapper, at, many = self.application.recorder, self.application.mapper, 1, 0
        while page := recorder.select_notifications(start=at, limit=1000):
            for notification in page:
                mapper.to_domain_event(notification)
            many, at = many + len(page), page[-1].id + 1
        return many


ENVELOPE = {"actor": "p-clerk-1", "in_role": "clerk@safety_office", "data": DATA, "padding": "x" * 340}
"""About as many bytes as ours takes once it is encoded."""


@cache
def _event() -> Any:
    """The library knows a class by its name, so there is one."""
    from eventsourcing.domain import DomainEvent

    class Noted(DomainEvent):
        originator_id: UUID
        originator_version: int
        actor: str
        in_role: str
        data: dict[str, Any]
        padding: str

    return Noted


@contextmanager
def opened(dsn: str) -> Iterator[Library]:
    """`dsn`: a database that the library may make its tables in."""
    from urllib.parse import unquote, urlsplit

    from eventsourcing.application import Application
    from eventsourcing.persistence import IntegrityError

    at = urlsplit(dsn)
    os.environ.pop("POSTGRES_ENABLE_DB_FUNCTIONS", None)
    application = Application(
        {
            "PERSISTENCE_MODULE": "eventsourcing.postgres",
            "POSTGRES_DBNAME": at.path.strip("/"),
            "POSTGRES_HOST": at.hostname,
            "POSTGRES_PORT": str(at.port),
            "POSTGRES_USER": unquote(at.username or ""),
            "POSTGRES_PASSWORD": unquote(at.password or ""),
            "POSTGRES_POOL_SIZE": str(WRITERS),
        }
    )
    try:
        yield Library(application, _event(), IntegrityError)
    finally:
        application.close()


async def a_database(ground: Ground, name: str) -> str:
    """The address of an empty database."""
    await ground.templates.run(f'CREATE DATABASE "{name}" TEMPLATE template0 ENCODING UTF8')
    return ground.templates.dsn(name)


async def in_thread(work: Any, *args: Any) -> Any:
    return await asyncio.to_thread(work, *args)
