"""What Prometheus gets from a service: its counters, and what its database says at the moment of the scrape.

The moving parts of a service may run in other processes than its web part; what they leave in the database is measured here, so a
part that is dead is seen as well as one that lags. Nothing of it runs between scrapes.
"""

from collections.abc import Iterable

import asyncpg
import nats.errors
from prometheus_client import REGISTRY, Metric, generate_latest

from shared.app import LOST
from shared.service import Service
from shared.status import MINEWATCH, Look, followers_of, heads_of, look, sources_of
from shared.stream import stream_name
from shared.telemetry import (
    BUILD,
    CHECKPOINT,
    COSIGNED,
    DATABASE_SIZE,
    DATABASE_UP,
    DISMISSED,
    HEAD,
    LAG,
    NATS_UP,
    PARKED,
    PENDING,
    PENDING_AGE,
    QUORUM,
    QUORUM_BEHIND,
    SKEW,
    STREAM_LAST,
    TIMERS,
    UNSENT,
    UNSIGNED,
)
from shared.trail import Trail, trail_of


class Own:
    """What is registered in this process, without the other services that share it."""

    def __init__(self, service: str) -> None:
        self._service = service

    def collect(self) -> Iterable[Metric]:
        for metric in REGISTRY.collect():
            metric.samples = [s for s in metric.samples if s.labels.get("service", self._service) == self._service]
            yield metric


async def measured(service: Service) -> bytes:
    """The text that Prometheus reads. A database or NATS that is away is a measurement, not an error."""
    name = service.name
    try:
        async with service.pool.acquire(timeout=5) as connection:
            seen = await look(connection, name, service.clock.now())
            trail = await trail_of(connection, service.settings, service.clock.now())
    except (asyncpg.PostgresError, *LOST):
        DATABASE_UP.labels(name).set(0)
    else:
        DATABASE_UP.labels(name).set(1)
        _of_database(service, seen)
        _of_trail(name, trail)
        await _of_nats(service, seen)
    NATS_UP.labels(name).set(service.nc.is_connected)
    return generate_latest(Own(name))


def _of_database(service: Service, seen: Look) -> None:
    name = service.name
    BUILD.labels(name, MINEWATCH, seen.step).set(1)
    DATABASE_SIZE.labels(name).set(seen.size)
    SKEW.labels(name).set(seen.skew)
    HEAD.labels(name).set(seen.head)
    PENDING.labels(name).set(seen.pending)
    since = seen.pending_since
    PENDING_AGE.labels(name).set(0 if since is None else max(0, (service.clock.now() - since).total_seconds()))
    for gauge, counts in (
        (PARKED, {"parked": seen.parked, "queued": seen.queued}),
        (UNSENT, {"open": seen.unsent, "late": seen.unsent_late, "dead": seen.dead}),
        (TIMERS, {"overdue": seen.timers_late, "failed": seen.timers_failed}),
    ):
        for state, number in counts.items():
            gauge.labels(name, state).set(number)
    DISMISSED.labels(name).set(seen.dismissed)


def _of_trail(name: str, trail: Trail) -> None:
    CHECKPOINT.labels(name).set(trail.size)
    UNSIGNED.labels(name).set(trail.unsigned_for)
    for witness in trail.witnesses:
        COSIGNED.labels(name, witness.name).set(witness.size)
    if trail.quorum is not None:
        QUORUM.labels(name).set(trail.quorum)
    behind = trail.quorum is not None and trail.quorum < trail.size
    QUORUM_BEHIND.labels(name).set((trail.quorum_age or float("inf")) if behind else 0)


async def _of_nats(service: Service, seen: Look) -> None:
    nc, jurisdiction = service.nc, service.settings.jurisdiction
    heads = {}
    if nc.is_connected:
        heads = await heads_of(nc, jurisdiction, sources_of(seen))
        try:
            info = await nc.jetstream(timeout=2).stream_info(stream_name(jurisdiction, service.name))
            STREAM_LAST.labels(service.name).set(info.state.last_seq)
        except nats.errors.Error:
            STREAM_LAST.labels(service.name).set(0)
    for follower in followers_of(seen, heads):
        if follower.behind is not None:
            LAG.labels(service.name, follower.follower, follower.source).set(follower.behind)
