"""The plan in force is read from the file that has the adopted hash, and from no other."""

import hashlib
import shutil
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from shared.contracts.cases.campaign import CampaignAdopted
from shared.contracts.envelope import Recorded
from shared.decider import Actor
from shared.errors import NotReady
from shared.plan import in_force
from shared.plan.book import PlanBook
from shared.sql import Tx
from tests.support.plans import FOLDER, REAL, SECOND, loaded

NOW = datetime(2018, 1, 16, tzinfo=UTC)
ACTOR = Actor("p-clerk-1", "clerk", "campaign_office")


class Adopted:
    """Answers as the table of adoptions would; counts how often it was asked."""

    def __init__(self, sha256: str | None) -> None:
        self.sha256, self.asked = sha256, 0

    async def one(self, statement: Any, params: Any = ()) -> dict[str, str] | None:
        self.asked += 1
        return None if self.sha256 is None else {"sha256": self.sha256}


def tx(adopted: Adopted) -> Tx:
    return cast(Tx, adopted)


async def test_before_any_adoption_there_is_no_plan() -> None:
    terms, version = await PlanBook(FOLDER).terms(tx(Adopted(None)), ACTOR, NOW)
    assert (terms.plan, version) == (None, None)
    assert (terms.now, terms.actor) == (NOW, ACTOR)


@pytest.mark.parametrize("name", [REAL, SECOND])
async def test_the_adopted_file_is_the_one_in_force(name: str) -> None:
    terms, version = await PlanBook(FOLDER).terms(tx(Adopted(loaded(name).sha256)), ACTOR, NOW)
    assert terms.plan is not None
    assert terms.plan.plan == loaded(name).plan
    assert version == terms.plan.version == loaded(name).version


async def test_without_the_adopted_file_the_service_is_not_ready(tmp_path: Path) -> None:
    shutil.copy(FOLDER / SECOND, tmp_path)
    with pytest.raises(NotReady, match=loaded(REAL).sha256):
        await PlanBook(tmp_path).in_force(tx(Adopted(loaded(REAL).sha256)))


async def test_a_file_that_comes_later_is_found_and_drafts_beside_it_do_no_harm(tmp_path: Path) -> None:
    plans = PlanBook(tmp_path)
    (tmp_path / "draft.yaml").write_text("code: [", "utf-8")
    with pytest.raises(NotReady):
        await plans.with_hash(loaded(REAL).sha256)
    shutil.copy(FOLDER / REAL, tmp_path / "renamed.yml")
    assert (await plans.with_hash(loaded(REAL).sha256)).code == "zhenchengdi-2018"


async def test_an_adopted_file_that_cannot_be_used_is_named(tmp_path: Path) -> None:
    content = b"code: x\n"
    (tmp_path / "old.yaml").write_bytes(content)
    with pytest.raises(NotReady, match=r"old\.yaml was adopted and cannot be used"):
        await PlanBook(tmp_path).with_hash(hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize(("fresh", "code"), [(60.0, "zhenchengdi-2018"), (0.0, "yunlinggou-2021")])
async def test_the_answer_is_believed_for_a_moment_and_then_asked_again(fresh: float, code: str) -> None:
    adopted, plans = Adopted(loaded(REAL).sha256), PlanBook(FOLDER, fresh)
    await plans.in_force(tx(adopted))
    adopted.sha256 = loaded(SECOND).sha256
    believed = await plans.in_force(tx(adopted))
    assert believed is not None and believed.code == code
    assert adopted.asked == (1 if fresh else 2)


def test_an_adoption_becomes_one_row_for_its_campaign() -> None:
    event = CampaignAdopted(
        plan="zhenchengdi-2018",
        version="zhenchengdi-2018@1",
        sha256="ab12",
        jurisdiction="140181101",
        starts_on=date(2018, 1, 16),
        ends_on=date(2018, 3, 26),
        phases=(),
    )
    recorded = Recorded(
        event_id=uuid4(),
        source="cases",
        stream_id="campaign-zhenchengdi-2018",
        version=1,
        type=event.type,
        occurred_at=NOW,
        recorded_at=NOW,
        actor="system:cases",
        in_role="system",
        on_behalf_of=None,
        causation_id=uuid4(),
        correlation_id="c",
        traceparent=None,
        plan_version=None,
        event=event,
        body=b"",
        leaf=b"",
    )
    ((_, row),) = in_force.project(recorded)
    assert row == {"plan": event.plan, "version": event.version, "sha256": "ab12", "adopted_at": NOW}
    assert in_force.READ_MODEL.events == (CampaignAdopted,)
    assert "plan_in_force" in in_force.READ_MODEL.ddl()[0]
