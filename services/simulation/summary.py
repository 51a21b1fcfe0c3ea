"""What came of it, in figures: every log's length, every receiver's mark, and a checksum over both sides of each."""

import hashlib
from collections.abc import Iterable
from typing import Any

from services.simulation.logs import Logs
from services.simulation.outside import Outside
from services.together import Together
from shared.plan.calendar import days_of
from shared.plan.terms import PlanTerms
from shared.reaction import count_parked
from shared.receiver import digest_after
from shared.stream import stream_name

RECEIVED = "SELECT source, position, digest FROM work.mark WHERE follower = 'receiver' ORDER BY source"
FRIDAY = 4


async def figures(together: Together, logs: Logs, plan: PlanTerms, seconds: float) -> dict[str, Any]:
    """The summary as `--summary` writes it.

    `consumed` is each receiver's mark; each checksum runs over the event ids of positions 1 to that mark, once as the publisher's
    log has them and once as the consumer counted them when they came. `published`: messages that the streams of NATS have taken.
    """
    consumed: dict[str, dict[str, int]] = {}
    checksums: dict[str, dict[str, dict[str, str]]] = {}
    parked = published = 0
    for name, service in together.services.items():
        waiting = await count_parked(service.pool)
        parked += waiting["parked"] + waiting["queued"]
        stream = await service.nc.jetstream().stream_info(stream_name(service.settings.jurisdiction, name))
        published += stream.state.last_seq
        for mark in await service.pool.fetch(RECEIVED):
            upto, source = mark["position"], mark["source"]
            consumed.setdefault(name, {})[source] = upto
            ids = (fact.event_id for fact in logs.of[source][:upto])
            pair = {"publisher": running_digest(ids), "consumer": mark["digest"].hex()}
            checksums.setdefault(name, {})[source] = pair
    days = days_of(plan.plan.starts_on, plan.plan.ends_on)
    return {
        "days": len(days),
        "fridays": [day.isoformat() for day in days if day.weekday() == FRIDAY],
        "reports_filed": len({fact.stream for fact in logs.all("reporting.weekly_report.filed")}),
        "events": {name: len(facts) for name, facts in logs.of.items()},
        "published": published,
        "consumed": consumed,
        "checksums": checksums,
        "parked": parked,
        "restated": len(logs.all("reporting.weekly_report.restated")),
        "seconds": round(seconds, 1),
    }


def undelivered(world: Outside, logs: Logs) -> list[str]:
    """Where what arrived outside is not what the logs say was delivered."""
    wrong = []
    for channel, arrived in (("email", world.mail.letters), ("webhook", len(world.desk.ids))):
        sent = len(logs.all("notify.message.attempt_succeeded", channel=channel))
        if arrived != sent:
            wrong.append(f"{sent} messages went out by {channel}, {arrived} arrived")
    return wrong


def running_digest(event_ids: Iterable[str]) -> str:
    """As the receiver counts, in hex."""
    digest = hashlib.sha256(b"").digest()
    for event_id in event_ids:
        digest = digest_after(digest, event_id)
    return digest.hex()


def faults(told: dict[str, Any], plan: PlanTerms) -> list[str]:
    """What the figures show to be wrong; empty when all is well."""
    wrong = []
    if told["parked"]:
        wrong.append(f"{told['parked']} events are parked")
    if told["reports_filed"] != len(plan.periods):
        wrong.append(f"{told['reports_filed']} of {len(plan.periods)} town reports are filed")
    if told["published"] != sum(told["events"].values()):
        wrong.append(f"the streams took {told['published']} messages, the logs hold {sum(told['events'].values())}")
    for service, sources in told["checksums"].items():
        for source, pair in sources.items():
            if pair["publisher"] != pair["consumer"]:
                wrong.append(f"{service} received other events of {source} than were published")
            if told["consumed"][service][source] != told["events"][source]:
                wrong.append(f"{service} stands at {told['consumed'][service][source]} of {source}")
    return wrong
