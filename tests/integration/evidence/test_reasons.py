"""Why somebody reads a tip may name the informant: leaders alone are told, no table or pack has it, it goes with them."""

from typing import Any

from shared.backup.erasures import Erasures
from shared.decider import Actor
from shared.opening import FOR_LEADERS, record_opening
from tests.integration.evidence.story import Told
from tests.integration.evidence.trail import unpacked
from tests.integration.intake.informants import CUSTODIAN, ERASE, LEADER, TIPS, asked, named_tip
from tests.support.town import eventually

NAMING = "核对钱满仓反映的情况"
ABOUT_IT = "查一查是谁看过的钱满仓"
FOR_COURT = "钱满仓身份查看合规性检查"
STREAM = "SELECT stream_id FROM record.event WHERE event_id = $1"
TABLES = """
SELECT table_schema, table_name FROM information_schema.tables
WHERE table_schema IN ('view', 'work', 'record') AND table_type = 'BASE TABLE'
"""


async def listed(story: Told, post: str = "group_leader") -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = (await story.town.get("/intake/v1/openings", story.who(post), limit=200))["items"]
    return items


async def on_the_page(story: Told, post: str = "group_leader") -> str:
    return (await story.town.http.get("/intake/openings", headers={**story.who(post), "Accept": "text/html"})).text


async def opened_thrice(story: Told) -> str:
    """A tip; read once itself, once by who asked for its informant, once by who read it. Each pack is looked through."""
    _, tip = await named_tip(story.town)
    disclosure = await asked(story.town, tip)
    await story.town.settled()
    packs = [await story.pack("intake", f"tip-{tip}", "police_officer", NAMING)]
    packs.append(await story.pack("intake", f"disclosure-{disclosure}", "auditor", FOR_COURT))
    (opening,) = [line["event_id"] for line in await listed(story) if line["about"] == [f"tip-{tip}"]]
    stream = await story.town.services["intake"].pool.fetchval(STREAM, opening)
    packs.append(await story.pack("intake", stream, "auditor", ABOUT_IT))
    for pack in packs:
        files = unpacked(pack)
        assert "证据包中不写明".encode() in files["timeline.html"]
        assert not [name for name, content in files.items() if "钱满仓".encode() in content]
    return tip


async def test_it_is_told_to_the_leaders_until_the_informant_is_erased(story: Told) -> None:
    town, written = story.town, (NAMING, FOR_COURT, ABOUT_IT)
    tip = await opened_thrice(story)
    await story.pack("intake", f"patrol-{story.patrol}", "auditor", "另一件事的理由")
    for leader in ("group_leader", "deputy_leader"):
        assert {line["reason"] for line in await listed(story, leader)} >= {*written, "另一件事的理由"}
        page = await on_the_page(story, leader)
        assert all(reason in page for reason in written)
    await the_auditor_sees_that_it_was_read(story, tip)
    for service in town.services.values():
        for schema, table in await service.pool.fetch(TABLES):
            held = str(await service.pool.fetch(f'SELECT t::text FROM {schema}."{table}" t'))
            assert not [text for text in written if text in held], f"{service.name}: {schema}.{table}"

    await town.post(f"{TIPS}/{tip}/erasure", ERASE, town.headers(**CUSTODIAN))
    await town.post(f"{TIPS}/{tip}/erasure/approval", {}, town.headers(**LEADER))
    await town.settled()

    async def gone() -> bool:
        return not {line["reason"] for line in await listed(story)} & {*written}

    assert await eventually(gone, 10), "the office's process heard of it, and forgot the keys"
    assert {line["reason"] for line in await listed(story)} >= {None, "另一件事的理由"}
    page = await on_the_page(story)
    assert not [reason for reason in written if reason in page] and "已封存" in page
    assert (await town.get(f"{TIPS}/{tip}", town.headers("clerk")))["erasure"] == "erased"


async def the_auditor_sees_that_it_was_read(story: Told, tip: str) -> None:
    """Who read what and when, and no word of why; of what leads to no informant also why."""
    lines, page = await listed(story, "auditor"), await on_the_page(story, "auditor")
    assert [line | {"reason": ""} for line in lines] == [line | {"reason": ""} for line in await listed(story)]
    (of_tip,) = [line["reason"] for line in lines if line["about"] == [f"tip-{tip}"]]
    assert of_tip == FOR_LEADERS and FOR_LEADERS in page
    assert "钱满仓" not in str(lines) + page
    assert "另一件事的理由" in page and "另一件事的理由" in str(lines)


async def test_a_pack_about_the_erasing_of_words_tells_no_grounds_and_its_own_reason_stands_in_no_table(
    story: Told,
) -> None:
    """Asked for, refused with a reason: both name whom the words name."""
    town, path = story.town, f"/intake/v1/words-erasures/{story.record}"
    assert (await town.get(path, town.headers("clerk")))["grounds"] == "摘要写了姓名"
    await town.post(f"{path}/refusal", {"reason": "钱满仓同意保留"}, town.headers(**LEADER))
    files = unpacked(await story.pack("intake", f"words-{story.record}", "auditor", NAMING))
    assert "证据包中不写明".encode() in files["timeline.html"] and "删除记录中的文字".encode() in files["timeline.html"]
    for secret in ("摘要写了姓名", "钱满仓"):
        assert not [name for name, content in files.items() if secret.encode() in content]
    reasons = await town.services["intake"].pool.fetch(
        "SELECT reason FROM opening WHERE about = $1", [f"words-{story.record}"]
    )
    assert [row["reason"] for row in reasons] == [None]
    assert NAMING in {line["reason"] for line in await listed(story)}


async def test_the_log_says_whose_keys_went_so_that_a_restored_key_store_forgets_them_too(story: Told) -> None:
    town, service = story.town, story.town.services["intake"]
    _, tip = await named_tip(town)
    auditor = Actor("p-auditor-1", "auditor", "leading_group")
    read, streams = [[f"patrol-{story.patrol}", f"tip-{tip}"]], []
    for reason in (NAMING, ABOUT_IT):
        made = await record_opening(service.app, kind="export", about=read[-1], reason=reason, actor=auditor)
        streams.append(await service.pool.fetchval(STREAM, made))
        read.append(streams[-1:])
    await town.post(f"{TIPS}/{tip}/erasure", ERASE, town.headers(**CUSTODIAN))
    await town.post(f"{TIPS}/{tip}/erasure/approval", {}, town.headers(**LEADER))
    await town.settled()
    found = Erasures()
    for row in await service.pool.fetch("SELECT body FROM record.event"):
        found.note(row["body"], "intake")
    assert {*streams} <= found.subjects.keys()
    service.sealer.keys.forget()
    assert [line["reason"] for line in await listed(story) if line["about"] in read] == [None, None]
