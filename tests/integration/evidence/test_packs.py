"""An evidence pack verifies with the one file inside it, and with one thing missing or changed it does not, and says which."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest

from shared.audit.pack import belonging, orders, section
from shared.audit.pack_files import files_of
from shared.audit.packing import laid_out, source_of
from shared.contracts.envelope import read
from shared.decider import Actor
from shared.files import Files
from shared.sql import Tx
from tests.integration.evidence.story import CONTACT, GPX, NAME, WORDS, Told
from tests.integration.evidence.trail import events_of, packed, unpacked

Contents = dict[str, bytes]


@pytest.fixture(scope="module")
async def hazard(story: Told) -> bytes:
    return await story.pack("cases", f"hazard-{story.hazard}")


@pytest.fixture(scope="module")
async def patrol(story: Told) -> bytes:
    return await story.pack("intake", f"patrol-{story.patrol}")


def verified(folder: Path, story: Told, files: Mapping[str, bytes], *more: str) -> tuple[int, str]:
    """Exit code and words of the verifier that came in the pack, run where nothing of ours can be imported."""
    (folder / "verify.pyz").write_bytes(files["minewatch-verify.pyz"])
    (folder / "pack.zip").write_bytes(packed(files))
    (folder / "my-policy").write_text(story.pen.policy(), "utf-8")
    done = subprocess.run(
        [sys.executable, "-I", "verify.pyz", "pack.zip", "--policy", "my-policy", *more],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()


async def test_it_holds_every_event_of_the_record_as_it_is_stored(story: Told, hazard: bytes) -> None:
    files = unpacked(hazard)
    sql = "SELECT position, body FROM record.event JOIN record.log USING (event_id) WHERE stream_id = $1 ORDER BY position"
    stored = await story.town.services["cases"].pool.fetch(sql, f"hazard-{story.hazard}")
    bodies = {f"cases/events/{row['position']:08}.json": row["body"] for row in stored}
    assert len(bodies) == 6
    assert {name: files[name] for name in events_of(files) if name in bodies} == bodies
    (order,) = set(events_of(files)) - set(bodies)
    made = json.loads(files[order])
    assert (made["type"], made["actor"], made["data"]["about"]) == (
        "cases.opening.made.v1", "p-auditor-1", [f"hazard-{story.hazard}"],
    )  # fmt: skip
    assert made["data"]["pack"]["services"] == ["cases"], "by HTTP a service gives its own part, and says so"
    index = json.loads(files["cases/pack.json"])
    assert index["format"] == "minewatch-pack/1" and f"{index['statement']:08}" in order


async def test_it_verifies_with_nothing_but_what_is_in_it(
    story: Told, hazard: bytes, patrol: bytes, tmp_path: Path
) -> None:
    for pack in (hazard, patrol):
        code, said = verified(tmp_path, story, unpacked(pack))
        assert (code, "Result: all proven" in said) == (0, True), said


async def test_words_that_were_altered_in_the_timeline_are_named(story: Told, hazard: bytes, tmp_path: Path) -> None:
    """By what the services signed, in a pack of several as well; whose signature it is shows the key in its log's card."""
    several = unpacked(await of_all_services(story, "核对来龙去脉。"))
    services = {"cases": unpacked(hazard), "intake": several, "notify": several}
    for service, files in services.items():
        key = (await story.town.get(f"/{service}/v1/log"))["receipt_vkey"]
        code, said = verified(tmp_path, story, files, "--receipt-key", key)
        assert code == 0 and f"README and timeline are those that {key.partition('+')[0]} signed" in said, said
        told = files["timeline.html"].decode()
        assert "设备已清运" in told
        altered = {**files, "timeline.html": told.replace("设备已清运", "设备未清运").encode()}
        for more in ((), ("--receipt-key", key)):
            code, said = verified(tmp_path, story, altered, *more)
            assert code == 1 and "timeline.html is not the one that the service signed" in said, said


async def test_the_reason_for_a_tip_stands_in_no_order_but_that_of_the_tip(story: Told) -> None:
    why = f"核对{NAME}反映的情况。"
    files = unpacked(await of_all_services(story, why))
    assert not [name for name, content in files.items() if NAME.encode() in content]
    told = {}
    for service in ("cases", "intake", "notify"):
        lines = (await story.town.get(f"/{service}/v1/openings", story.who("group_leader")))["items"]
        told[service] = [line["reason"] for line in lines if line["kind"] == "evidence_pack"]
    assert why in told["intake"]
    for service in ("cases", "notify"):
        assert "理由见 intake 的调阅记录 the reason stands in the order there" in told[service]
        assert NAME not in str(told[service])


async def test_a_pack_of_several_services_names_a_part_that_was_left_out_or_exchanged(
    story: Told, tmp_path: Path
) -> None:
    first, again = [unpacked(await of_all_services(story, reason)) for reason in ("核对来龙去脉。", "再核对一次。")]
    code, said = verified(tmp_path, story, first)
    assert code == 0 and "made of the parts of cases, intake, notify" in said, said
    for gone, left in (("intake", "cases, notify"), ("cases", "intake, notify")):
        code, said = verified(tmp_path, story, without(first, gone))
        assert code == 1 and f"in the part of {left} the pack has a part of {gone}, and it is not there" in said, said
    code, said = verified(tmp_path, story, {**without(first, "intake"), **without(again, "cases", "notify")})
    assert code == 1 and "the parts of cases, notify and of intake are of different orders" in said, said


async def of_all_services(story: Told, reason: str) -> bytes:
    """The hazard with what belongs to it, as the command line takes it."""
    services, who = story.town.services, Actor("p-auditor-1", "auditor", "leading_group")
    sources = {name: source_of(service) for name, service in services.items()}
    found = await belonging(sources, "cases", [f"hazard-{story.hazard}"], who)
    order = orders(found, who, reason)
    sections = [await section(sources[name], found[name], order[name]) for name in found]
    return b"".join((await laid_out(sections, [services[name] for name in found])).chunks())


def without(files: Contents, *gone: str) -> Contents:
    return {name: content for name, content in files.items() if name.partition("/")[0] not in gone}


async def test_with_one_event_removed_it_fails_and_says_which(story: Told, hazard: bytes, tmp_path: Path) -> None:
    whole = unpacked(hazard)
    for name in (events_of(whole)[0], events_of(whole)[2], events_of(whole)[-2]):
        position = int(name[-13:-5])
        files = dict(whole)
        del files[name], files[f"cases/proofs/{position:08}.tlog-proof"]
        index = json.loads(files["cases/pack.json"])
        index["events"].remove(position)  # and nobody says that it was there
        files["cases/pack.json"] = json.dumps(index).encode()
        code, said = verified(tmp_path, story, files)
        assert code == 1, said
        assert "all proven" not in said


async def test_with_the_last_event_and_its_version_removed_the_head_betrays_it(
    story: Told, hazard: bytes, tmp_path: Path
) -> None:
    files = unpacked(hazard)
    index = json.loads(files["cases/pack.json"])
    last = index["events"][-2]
    del files[f"cases/events/{last:08}.json"], files[f"cases/proofs/{last:08}.tlog-proof"]
    index["events"].remove(last)
    index["streams"][0]["version"] -= 1
    files["cases/pack.json"] = json.dumps(index).encode()
    code, said = verified(tmp_path, story, files)
    assert code == 1 and f"hazard-{story.hazard}" in said


async def test_an_event_changed_by_one_letter_is_named(story: Told, hazard: bytes, tmp_path: Path) -> None:
    files = unpacked(hazard)
    name = events_of(files)[1]
    assert b"hazard.three_fix_ordered" in files[name]
    changed = files[name].replace(b"2018-01-24", b"2018-02-24")
    assert changed != files[name]
    files[name] = changed
    code, said = verified(tmp_path, story, files)
    assert code == 1 and str(int(name[-13:-5])) in said


async def test_a_changed_or_missing_file_is_named(story: Told, patrol: bytes, tmp_path: Path) -> None:
    whole = unpacked(patrol)
    name = f"intake/files/{story.route}"
    assert b"<trkpt" in whole[name] and b"phone" in GPX.encode() and b"phone" not in whole[name]
    code, said = verified(tmp_path, story, {**whole, name: whole[name] + b" "})
    assert code == 1 and story.route in said
    code, said = verified(tmp_path, story, {k: v for k, v in whole.items() if k != name})
    assert code == 1 and story.route in said


class KeyGone:
    """A sealer whose keys were destroyed."""

    async def seal_bytes(self, content: bytes, stream_id: str) -> bytes:
        raise AssertionError("nothing is sealed here")

    async def open_bytes(self, content: bytes, stream_id: str) -> bytes | None:
        return None


async def test_of_a_file_whose_key_is_gone_the_sealed_bytes_are_given_and_said_to_be(
    story: Told, patrol: bytes
) -> None:
    service = story.town.services["intake"]
    bodies = [content for name, content in unpacked(patrol).items() if name.startswith("intake/events/")]
    async with service.pool.acquire() as connection:
        (kept,) = await files_of(Files(KeyGone()), Tx(connection), [read(body).event for body in bodies])
        stored = await connection.fetchval("SELECT content FROM record.file WHERE sha256 = $1", story.route)
    assert (kept.name, kept.content, kept.opened) == (f"{story.route}.sealed", stored, False)


async def test_an_informants_words_and_name_stay_closed_for_everybody(story: Told) -> None:
    for post in ("auditor", "office_director", "police_officer"):
        files = unpacked(await story.pack("intake", f"tip-{story.tip}", post))
        assert "沟里夜间有机械。".encode() in files["timeline.html"]
        for name, content in files.items():
            for secret in (NAME, CONTACT, WORDS):
                assert secret.encode() not in content, f"{name} shows it to {post}"
