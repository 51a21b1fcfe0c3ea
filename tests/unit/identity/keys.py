"""A key store in memory, and facts with sealed texts."""

import os
from collections.abc import Iterable
from datetime import UTC, date, datetime
from typing import Any
from uuid import uuid4

from shared.contracts.cases.campaign import Appointed
from shared.contracts.event import Event, OfficeText, Part
from shared.contracts.intake.patrol import Finding, PatrolRecorded, Route
from shared.contracts.intake.tip import TipReceived
from shared.identity.key_store import Key


class MemoryKeys:
    """Several see the same keys when they are given the same `kept`; each opens its own audiences only."""

    def __init__(
        self, *audiences: str, kept: dict[str, tuple[str, str, bytes]] | None = None, given: Iterable[Key] = ()
    ) -> None:
        self.audiences = frozenset(audiences)
        self.kept = {} if kept is None else kept
        self.asked: list[list[str]] = []
        self._next = iter(given)

    async def sealing_key(self, subject: str, audience: str, stream_id: str) -> Key:
        if audience in self.audiences:
            for key_id, (about, whose, secret) in self.kept.items():
                if (about, whose) == (subject, audience):
                    return Key(key_id, secret)
        key = next(self._next, None) or Key(str(uuid4()), os.urandom(32))
        self.kept[key.key_id] = (subject, audience, key.secret)
        return key

    async def opening_keys(self, key_ids: Iterable[str]) -> dict[str, bytes]:
        wanted = sorted(key_ids)
        self.asked.append(wanted)
        found = {key_id: self.kept[key_id] for key_id in wanted if key_id in self.kept}
        return {key_id: secret for key_id, (_, audience, secret) in found.items() if audience in self.audiences}


class Page(Part):
    lines: tuple[OfficeText, ...] = ()


class Written(Event):
    type = "cases.letter.written.v1"
    title: OfficeText | None = None
    pages: tuple[Page, ...] = ()
    cover: Page | None = None


def a_tip(**changes: Any) -> TipReceived:
    told = {"channel": "web", "anonymous": False, "live": False, "informant": "i-1", "words": "有人夜里挖煤"}
    return TipReceived.model_validate(
        told | {"name": "甲某", "contact": "13900000000", "receipt_digest": "d"} | changes
    )


def an_appointment(**changes: Any) -> Appointed:
    told = {"assignment": "a-1", "person": "p-1", "post": "clerk", "unit": "campaign_office", "name": "甲文书"}
    return Appointed.model_validate(told | {"from_on": date(2018, 1, 16)} | changes)


def a_patrol(*summaries: str) -> PatrolRecorded:
    return PatrolRecorded(
        village="140181101207",
        unit="dulan",
        patrol_class="daily",
        started_at=datetime(2018, 1, 17, 1, tzinfo=UTC),
        ended_at=datetime(2018, 1, 17, 3, tzinfo=UTC),
        members=("p-1", "p-2"),
        route=Route(sha256="ab", points=2, metres=900),
        findings=tuple(
            Finding(no=no, category="closed_mine", violation="private_digging", summary=text)
            for no, text in enumerate(summaries, 1)
        ),
        no_finding=not summaries,
        handling="reported",
    )
