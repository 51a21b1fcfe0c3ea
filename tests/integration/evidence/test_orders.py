"""Who may order an evidence pack, what an order leaves in the log, and what the answer is while it cannot be given."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from uuid import uuid4

import asyncpg
import pytest

from shared.app import Cause
from shared.audit.pack import NoCheckpointYet, NoNumberYet, NoQuorumYet, Order, section
from shared.audit.packing import source_of
from shared.contracts.envelope import leaf_of
from shared.decider import Actor
from shared.opening import record_opening
from shared.transparency.policy import Policy
from shared.web.problems import words_of
from tests.integration.evidence.story import Told
from tests.integration.evidence.trail import events_of, unpacked


async def test_the_same_order_sent_again_is_the_same_opening(story: Told) -> None:
    headers = story.who("auditor")
    body = {"about": [f"site-{story.site}"], "reason": "同一次调阅。"}
    first, again = [
        await story.town.http.post("/cases/v1/evidence-packs", json=body, headers=headers) for _ in range(2)
    ]
    assert events_of(unpacked(first.content)) == events_of(unpacked(again.content))
    openings = (await story.town.get("/cases/v1/openings", story.who("auditor"), limit=200))["items"]
    assert [line["reason"] for line in openings].count("同一次调阅。") == 1


@asynccontextmanager
async def nobody_signs(story: Told) -> AsyncIterator[None]:
    async with story.pen.alone:
        yield


async def test_without_a_checkpoint_the_order_stands_and_the_answer_says_what_to_do(story: Told) -> None:
    service, auditor = story.town.services["intake"], Actor("p-auditor-1", "auditor", "leading_group")
    cause = Cause(uuid4(), auditor, "c-1", b"x")
    order = Order(auditor, "等不到签名。", ("intake",), cause)
    async with nobody_signs(story):
        with pytest.raises(NoCheckpointYet) as late:
            await section(source_of(service), [f"tip-{story.tip}"], order, patience=0.3)
        assert await reasons(story, "intake") >= {"等不到签名。"}
    assert "签名程序" in words_of(late.value)[0] and "signer" in words_of(late.value)[1]
    given = await section(source_of(service), [f"tip-{story.tip}"], order)
    assert len(given.events) == 4
    story.pen.witnessing = False
    try:
        watched = replace(source_of(service), policy=Policy.read(story.pen.policy()))
        with pytest.raises(NoQuorumYet) as unwatched:
            await section(watched, [f"tip-{story.tip}"], Order(auditor, "见证不够。", ("intake",)), patience=3)
    finally:
        story.pen.witnessing = True
    assert "witness" in words_of(unwatched.value)[1]
    assert not [line for line in given.order.body.split(b",") if "等不到".encode() in line], "the reason is sealed"


async def test_what_has_no_number_yet_is_waited_for(story: Told) -> None:
    """Whoever orders a pack has just seen the record, with what was written into it a moment ago."""
    service, auditor = story.town.services["cases"], Actor("p-auditor-1", "auditor", "leading_group")
    site, source = f"site-{story.site}", source_of(service)
    numbering = await asyncpg.connect(service.settings.log_dsn)
    try:
        async with numbering.transaction():
            await numbering.execute("SELECT FROM work.head FOR UPDATE")  # the sequencer waits for it
            renamed = {"field": "name", "value": {"text": "磨盘沟老坑口"}, "reason": "名称不全。"}
            await story.town.post(f"/cases/v1/sites/{story.site}/corrections", renamed, story.who("clerk"))
            with pytest.raises(NoNumberYet):
                await section(source, [site], Order(auditor, "核对更正。", ("cases",)), patience=0.3)
            waiting = asyncio.create_task(section(source, [site], Order(auditor, "核对更正。", ("cases",))))
            await asyncio.sleep(0.3)
        found = await waiting
    finally:
        await numbering.close()
    assert [event.recorded.type for event in found.events][-2:] == ["cases.site.corrected.v1", "cases.opening.made.v1"]
    assert [(head.stream, head.version) for head in found.streams] == [(site, 2)]


async def reasons(story: Told, service: str) -> set[str]:
    lines = (await story.town.get(f"/{service}/v1/openings", story.who("group_leader"), limit=200))["items"]
    return {line["reason"] for line in lines}


@pytest.mark.parametrize(
    ("service", "about", "posts"),
    [
        ("cases", "hazard-{hazard}", ("clerk", "inspector", "duty_officer", "village_head", "custodian")),
        ("intake", "tip-{tip}", ("clerk", "duty_officer", "village_head", "custodian")),
        ("intake", "disclosure-{disclosure}", ("office_director", "police_officer", "group_leader")),
        ("intake", "words-{record}", ("office_director", "police_officer", "group_leader")),
        ("reporting", "weekly_report-{report}", ("clerk", "designated_reporter")),
        ("notify", "message-{message}", ("police_officer", "land_officer", "deputy_leader", "clerk")),
    ],
)
async def test_other_posts_are_refused_and_nothing_is_recorded(
    story: Told, service: str, about: str, posts: tuple[str, ...]
) -> None:
    pool = story.town.services[service].pool
    before = await pool.fetchval("SELECT count(*) FROM record.event")
    for post in posts:
        answer = await story.town.http.post(
            f"/{service}/v1/evidence-packs",
            json={"about": [about.format(**vars(story))], "reason": "想看一看。"},
            headers=story.who(post),
        )
        assert answer.status_code == 403, f"{post}: {answer.status_code}"
    assert await pool.fetchval("SELECT count(*) FROM record.event") == before


async def test_what_is_not_there_and_an_empty_reason_are_refused(story: Told) -> None:
    async def asked(about: list[str], reason: str) -> int:
        body = {"about": about, "reason": reason}
        answer = await story.town.http.post("/cases/v1/evidence-packs", json=body, headers=story.who("auditor"))
        return answer.status_code

    assert await asked([f"hazard-{uuid4()}"], "核对一下。") == 404
    assert await asked([f"tip-{story.tip}"], "核对一下。") == 404
    assert await asked([f"hazard-{story.hazard}"], "   .   ") == 422
    assert await asked([], "核对一下。") == 422


async def test_the_form_answers_with_the_file_and_comes_back_with_a_complaint(story: Told) -> None:
    page = await story.town.http.get(f"/cases/hazards/{story.hazard}", headers=story.who("office_director"))
    assert 'action="/cases/evidence-packs"' in page.text and "调取理由" in page.text
    seen = await story.town.http.get(f"/cases/hazards/{story.hazard}", headers=story.who("clerk"))
    assert "/cases/evidence-packs" not in seen.text
    form = {"about": f"hazard-{story.hazard}", "reason": "看", "command_id": str(uuid4())}
    refused = await story.town.http.post(
        "/cases/evidence-packs", data=form, headers={**story.who("office_director"), "Accept": "text/html"}
    )
    assert refused.status_code == 422 and "不少于四个字" in refused.text
    assert 'name="reason"' in refused.text and "看</textarea>" in refused.text, "the form, as it was filled in"
    given = await story.town.http.post(
        "/cases/evidence-packs", data={**form, "reason": "核对验收。"}, headers=story.who("office_director")
    )
    assert given.headers["content-type"] == "application/zip"
    assert (
        given.headers["content-disposition"] == f'attachment; filename="minewatch-evidence-hazard-{story.hazard}.zip"'
    )
    assert leaf_of(unpacked(given.content)[events_of(unpacked(given.content))[0]])


async def test_the_openings_are_listed_page_by_page_for_auditor_and_leaders_alone(story: Told) -> None:
    auditor, service = story.who("auditor"), story.town.services["cases"]
    for reason in ("核对整改是否属实。", "第二次调阅。", "第三次调阅。"):
        who = Actor("p-auditor-1", "auditor", "leading_group")
        await record_opening(service.app, kind="export", about=(), reason=reason, actor=who)
    whole = (await story.town.get("/cases/v1/openings", auditor, limit=200))["items"]
    assert len(whole) >= 3
    assert {"kind", "about", "reason", "actor", "in_role", "made_at", "size"} <= whole[-1].keys()
    found, cursor = [], None
    for _ in whole:
        page = await story.town.get("/cases/v1/openings", auditor, limit=1, **({"cursor": cursor} if cursor else {}))
        found += page["items"]
        if (cursor := page["next"]) is None:
            break
    assert found == whole
    assert (await story.town.get("/cases/v1/openings", story.who("group_leader"), limit=200))["items"] == whole
    for post in ("office_director", "clerk", "police_officer", "custodian"):
        assert (await story.town.http.get("/cases/v1/openings", headers=story.who(post))).status_code == 403
    listed = await story.town.http.get("/cases/openings", headers={**auditor, "Accept": "text/html"})
    assert "核对整改是否属实。" in listed.text and "衡正言" in listed.text
