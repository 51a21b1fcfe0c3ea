"""A service's log over HTTP: checkpoint and tiles for everybody, events for an auditor who said why."""

import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from shared.audit.heads import heads_at
from shared.contracts.envelope import leaf_of
from shared.decider import Actor
from shared.opening import record_opening
from shared.sql import Tx
from shared.transparency import heads, tiles
from shared.transparency.checkpoint import Checkpoint
from shared.transparency.note import Note, cosign
from tests.crosscheck.logs import WITNESS_KEY, WITNESS_NAME, WITNESS_PRIVATE
from tests.support.services import Ground, Town, a_service
from tests.support.signed import KEEP, a_checkpoint, note_of, policy_for
from tests.unit.transparency import rfc

LOG = "/cases/v1/log"
BODIES = "SELECT body FROM record.log JOIN record.event USING (event_id) ORDER BY position"


@pytest.fixture
async def bodies(town: Town) -> AsyncIterator[list[bytes]]:
    """Those of cases, which has adopted its plan."""
    found = [row[0] for row in await town.services["cases"].pool.fetch(BODIES)]
    assert 20 < len(found) < 256
    yield found


async def signed(town: Town, size: int | None = None) -> Checkpoint:
    cases = town.services["cases"]
    return Checkpoint.read((await a_checkpoint(cases.pool, cases.settings.jurisdiction, "cases", size)).text)


def auditor(town: Town) -> Actor:
    return town.tokens.read(town.token_for("auditor"))


async def begun(town: Town, **who: str) -> dict[str, str]:
    """The headers of an auditor whose copy began."""
    opening = (await town.post(f"{LOG}/copies", {"reason": "季度审计抽查"}, town.headers("auditor", **who)))["opening"]
    return {**town.headers("auditor", **who), "Opening": opening}


async def test_the_public_has_the_checkpoint_and_the_hashes_it_covers(town: Town, bodies: list[bytes]) -> None:
    assert (await town.http.get(f"{LOG}/checkpoint")).status_code == 404
    size = len(bodies) - 2
    checkpoint = await signed(town, size)
    answer = await town.http.get(f"{LOG}/checkpoint")
    assert Checkpoint.read(Note.read(answer.content).text) == checkpoint
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == (
        "text/plain; charset=utf-8", "public, no-cache",
    )  # fmt: skip
    for width in (size, size - 1, 1):
        tile = await town.http.get(f"{LOG}/{tiles.path(0, 0, width)}")
        assert tile.content == b"".join(leaf_of(body) for body in bodies[:width])
        assert tile.headers["cache-control"] == "public, no-cache"
    assert rfc.root([leaf_of(body) for body in bodies[:size]]) == checkpoint.root


async def test_a_service_with_a_policy_shows_what_meets_it(ground: Ground, tmp_path: Path) -> None:
    policy = tmp_path / "policy"
    policy.write_text("", "utf-8")
    async with a_service(ground, "cases", policy=policy) as town:
        first, second = await signed(town, 5), await signed(town, 6)
        assert (await town.http.get(f"{LOG}/checkpoint")).status_code == 503
        witnessed = f"witness police {WITNESS_KEY}\nquorum police\n"
        policy.write_text(policy_for(first.origin).replace("quorum none\n", witnessed), "utf-8")
        assert (await town.http.get(f"{LOG}/checkpoint")).status_code == 404
        line = str(cosign(str(first), WITNESS_NAME, WITNESS_PRIVATE, 1_800_000_000))
        cosigned = "INSERT INTO record.cosignature VALUES ($1, 5, $2, $3, now())"
        await town.services["cases"].pool.execute(cosigned, first.origin, WITNESS_NAME, line)
        shown = Note.read((await town.http.get(f"{LOG}/checkpoint")).content)
        assert shown.text == str(first) and len(shown.lines) == 2
        policy.write_text(policy_for(first.origin), "utf-8")
        assert Note.read((await town.http.get(f"{LOG}/checkpoint")).content).text == str(second)


async def test_nothing_beyond_the_checkpoint_and_no_other_path_is_there(town: Town, bodies: list[bytes]) -> None:
    size = len(bodies) - 2
    assert (await town.http.get(f"{LOG}/tile/0/000.p/1")).status_code == 404
    checkpoint = await signed(town, size)
    another = Checkpoint(checkpoint.origin.rsplit("/", 1)[0] + f"/{uuid4()}", 1000, bytes(32))
    await town.services["cases"].pool.execute(KEEP, another.origin, 1000, another.root, str(note_of(another)))
    wrong = [
        f"0/000.p/{size + 1}",
        f"0/000.p/{len(bodies)}",
        "0/000",
        "0/001.p/1",
        "1/000.p/1",
        "63/000.p/1",
        "64/000.p/1",
    ]
    wrong += [
        "0/000.p/0",
        "0/000.p/01",
        "0/0.p/1",
        "0/x000/000.p/1",
        "00/000.p/1",
        "-1/000.p/1",
        "٠/000.p/1",
        "0/000.p/",
        "x/y",
    ]
    wrong += ["0/000.p/256", "0/000.p/300", "0/x999/x999/x999/x999/999.p/1", "0/x999/x999/x999/x999/x999/x999/999.p/1"]
    for path in wrong:
        assert (await town.http.get(f"{LOG}/tile/{path}")).status_code == 404, path
    who = await begun(town)
    for path in (f"000.p/{size + 1}", "000", "001.p/1", "000.p/0"):
        assert (await town.http.get(f"{LOG}/tile/entries/{path}", headers=who)).status_code == 404, path


async def test_full_tiles_may_be_kept_for_ever(town: Town, bodies: list[bytes]) -> None:
    cases = town.services["cases"]
    for _ in range(256 - len(bodies)):
        await town.post(f"{LOG}/copies", {"reason": "把日志填满"}, town.headers("auditor"))
    await town.settled()
    checkpoint = await signed(town)
    assert checkpoint.size == 256
    everything = [row[0] for row in await cases.pool.fetch(BODIES)]
    for path in ("0/000", "1/000.p/1"):
        answer = await town.http.get(f"{LOG}/tile/{path}")
        assert ("immutable" in answer.headers["cache-control"]) == (path == "0/000")
    assert answer.content == checkpoint.root
    entries = await town.http.get(f"{LOG}/tile/entries/000", headers=await begun(town))
    assert entries.content == tiles.bundle(everything)
    assert entries.headers["cache-control"] == "no-store"


async def test_entries_go_to_an_auditor_only_and_never_without_a_reason_that_is_in_the_log(
    town: Town, bodies: list[bytes]
) -> None:
    await signed(town)
    path = f"{LOG}/tile/entries/000.p/{len(bodies)}"
    assert (await town.http.get(path)).status_code == 401
    for post in ("clerk", "office_director", "group_leader"):
        answer = await town.http.get(path, headers=town.headers(post))
        assert answer.status_code == 403 and answer.json()["type"].endswith("not-permitted")
        refused = await town.http.post(f"{LOG}/copies", json={"reason": "看一看日志"}, headers=town.headers(post))
        assert refused.status_code == 403
    without = await town.http.get(path, headers=town.headers("auditor"))
    assert (
        without.status_code == 403 and "Opening" in without.json()["title"] and "Opening" in without.json()["title_en"]
    )
    for reason in ("", "   ", "x"):
        answer = await town.http.post(f"{LOG}/copies", json={"reason": reason}, headers=town.headers("auditor"))
        assert answer.status_code == 422, reason
    who = await begun(town)
    answer = await town.http.get(path, headers=who)
    assert answer.status_code == 200 and answer.content == tiles.bundle(bodies)

    opening = await town.services["cases"].pool.fetchrow(
        "SELECT * FROM record.event WHERE event_id = $1", who["Opening"]
    )
    told = json.loads(opening["body"])
    assert (told["type"], told["inrole"]) == ("cases.opening.made.v1", "auditor@leading_group")
    assert told["data"]["kind"] == "audit_copy" and told["data"]["about"] == []
    assert "季度" not in opening["body"].decode()
    async with town.services["cases"].pool.acquire() as connection:
        found = await heads_at(Tx(connection), len(bodies))
    assert told["data"]["heads"] == {
        "size": len(bodies), "streams": len(found), "root": heads.root(found).hex(),
    }  # fmt: skip


async def test_another_s_reason_an_old_one_and_another_kind_of_event_open_nothing(
    town: Town, bodies: list[bytes]
) -> None:
    await signed(town)
    path = f"{LOG}/tile/entries/000.p/{len(bodies)}"
    who = await begun(town)
    some = json.loads(bodies[0])["id"]
    pack = await record_opening(
        town.services["cases"].app, kind="evidence_pack", about=(), reason="另一件事", actor=auditor(town)
    )
    for opening in (str(uuid4()), some, str(pack)):
        assert (await town.http.get(path, headers={**who, "Opening": opening})).status_code == 403
    other = {**town.headers("auditor", on_behalf_of="p-clerk-1"), "Opening": who["Opening"]}
    assert (await town.http.get(path, headers=other)).status_code == 200  # the person counts
    await town.services["cases"].pool.execute(
        "INSERT INTO view.post SELECT 'a-second', 'p-second', post, unit, village, from_on, until_on, ended_on, name, email,"
        " phone, channels FROM view.post WHERE post = 'auditor' LIMIT 1"
    )
    token = town.tokens.issue(Actor("p-second", "auditor", "leading_group"), timedelta(hours=1))
    assert (
        await town.http.get(path, headers={"Authorization": f"Bearer {token}", "Opening": who["Opening"]})
    ).status_code == 403
    town.clock.move_to(town.clock.now() + timedelta(hours=23))
    assert (await town.http.get(path, headers=who)).status_code == 200
    town.clock.move_to(town.clock.now() + timedelta(hours=2))
    assert (await town.http.get(path, headers=who)).status_code == 403


async def test_the_same_beginning_sent_twice_is_one_event(town: Town) -> None:
    headers = town.headers("auditor")
    first = await town.post(f"{LOG}/copies", {"reason": "季度审计抽查"}, headers)
    assert await town.post(f"{LOG}/copies", {"reason": "季度审计抽查"}, headers) == first
    assert await town.services["cases"].pool.fetchval("SELECT count(*) FROM record.event WHERE type ~ 'opening'") == 1
