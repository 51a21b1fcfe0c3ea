"""A town of an earlier version opens, migrates and goes on: nothing is lost, and whoever was promised something gets it.

Each folder of kept/ is one: see docs/upgrades.md. They are made by keep.py and never again.
"""

import hashlib
import json
from collections.abc import AsyncIterator, Collection, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from datetime import timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from shared.contracts.envelope import leaf_of, read
from shared.contracts.event import Sealed
from shared.contracts.intake.informant import InformantErased
from shared.contracts.intake.tip import TipReceived
from shared.contracts.registry import CONTRACTS
from shared.database import dsn_of, open_pool
from shared.embedded.home import Home
from shared.identity.key_store import KeyStore
from shared.identity.wrapping import EnvironmentWrapper
from shared.reaction import parked_subjects
from shared.receiver import digest_after
from shared.sealer import ServiceSealer
from shared.service import Service
from shared.settings import SERVICES
from shared.stream import stream_name
from shared.transparency import tree
from tests.support.town import eventually, stop_servers
from tests.upgrade.archive import KEPT, NAME
from tests.upgrade.kept_town import LOG, KeptTown, Running, Tables, laid_out, migrated, rebuilt, running

ROOT = Path(__file__).parents[2]
VERSIONS = sorted(folder.name for folder in KEPT.iterdir() if folder.is_dir())
CHANGED: dict[tuple[str, str, str], str] = {}
"""(kept version, service, table) → why that read model is meant to say something else today."""
RECEIVED = "SELECT source, position, digest FROM work.mark WHERE follower = 'receiver'"
OVERDUE = "SELECT subject, due_at FROM work.due WHERE timer = 'hazard.overdue' ORDER BY due_at LIMIT 1"


@pytest.fixture(scope="module", params=VERSIONS)
async def kept(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[KeptTown]:
    folder: Path = tmp_path_factory.mktemp(request.param) / "town"
    try:
        yield await laid_out(KEPT / request.param / NAME, folder)
    finally:
        await stop_servers(folder)


@pytest.fixture(scope="module")
async def today(kept: KeptTown) -> dict[str, Tables]:
    """service → its read models, after today's migrations and a rebuild."""
    await migrated(kept)
    return await rebuilt(kept)


@pytest.fixture(scope="module")
async def now(kept: KeptTown, today: dict[str, Tables]) -> AsyncIterator[Running]:
    async with running(kept) as town:
        await town.stage.time.quiet()
        yield town


def test_every_event_is_read_and_loses_no_field(kept: KeptTown) -> None:
    bodies = {body for at in kept.before.values() for body in (*(row["body"] for row in at.events), *at.inbox)}
    assert len(bodies) >= sum(kept.left["types"].values())
    for body in bodies:
        event = read(body)
        told = json.loads(body)
        if told["type"] in CONTRACTS.types:  # else an upcaster made another event of it
            assert event.event.model_dump(mode="json", exclude_unset=True) == told["data"], told["type"]


@pytest.mark.parametrize("service", SERVICES)
def test_the_chain_and_the_tree_come_out_as_they_were_kept(kept: KeptTown, service: str) -> None:
    at = kept.before[service]
    assert [row["position"] for row in at.log] == list(range(1, at.head["position"] + 1))
    assert [leaf_of(row["body"]) for row in at.log] == [row["leaf"] for row in at.log]
    for stream, events in groupby(at.events, lambda row: row["stream_id"]):
        before = None
        for nth, row in enumerate(events, 1):
            assert (row["version"], json.loads(row["body"]).get("prev")) == (nth, before), stream
            before = leaf_of(row["body"]).hex()
    size, frontier = tree.extend(0, [], (leaf_of(row["body"]) for row in at.log))
    assert (size, tree.pack(frontier), tree.root(frontier)) == (
        at.head["position"], at.head["frontier"], at.head["root"],
    )  # fmt: skip


@pytest.mark.parametrize("service", SERVICES)
def test_read_models_rebuilt_today_are_those_the_old_version_left(
    kept: KeptTown, today: dict[str, Tables], service: str
) -> None:
    """In the columns that both have, but for what CHANGED names."""
    old, new = kept.before[service].views, today[service]
    version = kept.left["version"]
    shared = sorted(table for table in old.keys() & new.keys() if (version, service, table) not in CHANGED)
    assert shared
    for table in shared:
        if not (old[table] and new[table]):
            assert (len(old[table]), len(new[table])) == (0, 0), f"{service}.{table}"
            continue
        both = old[table][0].keys() & new[table][0].keys()
        assert in_order(new[table], both) == in_order(old[table], both), f"{service}.{table}"


def in_order(rows: Iterable[Mapping[str, Any]], columns: Collection[str]) -> list[str]:
    shown = ({name: said(row[name]) for name in columns} for row in rows)
    return sorted(json.dumps(row, sort_keys=True, ensure_ascii=False) for row in shown)


def said(value: Any) -> Any:
    """A field that an event of then did not have yet reads as null today: inside a document the two are the same."""
    if isinstance(value, dict):
        return {name: said(one) for name, one in value.items() if one is not None}
    return [said(one) for one in value] if isinstance(value, list) else value


async def test_every_database_stands_at_todays_step(now: Running) -> None:
    steps = [path.stem.split("_")[0] for path in (ROOT / "shared" / "migrations" / "versions").glob("[0-9]*.py")]
    for name in now.together.services:
        connection = await asyncpg.connect(now.together.postgres.superuser_dsn.rsplit("/", 1)[0] + f"/{name}")
        try:
            assert await connection.fetchval("SELECT version_num FROM public.schema_version") == max(steps)
        finally:
            await connection.close()


async def test_the_streams_are_those_of_old_and_go_on(now: Running) -> None:
    for name, service in now.together.services.items():
        js, left = service.nc.jetstream(), now.kept.left["streams"][name]
        stream = stream_name(service.settings.jurisdiction, name)
        info = await js.stream_info(stream)
        assert info.created is not None and info.created.isoformat() == left["created"], name
        log = await service.pool.fetch(LOG)
        assert info.state.last_seq == len(log) >= left["last"]
        for row in log:
            message = await js.get_msg(stream, seq=row["position"])
            assert message.data == row["body"], (name, row["position"])


async def test_nothing_was_lost_or_doubled_on_the_way(now: Running) -> None:
    await now.stage.time.quiet()
    services = now.together.services
    ids = {name: [row["event_id"] for row in await s.pool.fetch(LOG)] for name, s in services.items()}
    for name, at in now.kept.before.items():
        assert ids[name][: len(at.log)] == [row["event_id"] for row in at.log]
        for mark in await services[name].pool.fetch(RECEIVED):
            digest = hashlib.sha256(b"").digest()
            for event_id in ids[mark["source"]]:
                digest = digest_after(digest, str(event_id))
            assert (mark["position"], mark["digest"]) == (len(ids[mark["source"]]), digest), (name, mark["source"])


async def test_what_had_no_number_yet_gets_the_next_one(now: Running) -> None:
    before = now.kept.before["intake"]
    numbered = {row["body"] for row in before.log}
    (waiting,) = [row["body"] for row in before.events if row["body"] not in numbered]
    log = await now.together.services["intake"].pool.fetch(LOG)
    assert log[before.head["position"]]["body"] == waiting


async def test_a_receipt_given_then_still_opens(now: Running) -> None:
    scene = now.stage.scene("回执")
    status = await scene.post(None, "/intake/v1/public/tips/status", {"receipt": now.kept.left["receipt"]}, expect=200)
    assert status["state"] == "received"


async def test_texts_sealed_then_open_for_those_who_might_read_them(now: Running) -> None:
    """An informant's name and contact for the custodian alone, everything else for its own service."""
    for service in now.together.services.values():
        events = [read(row["body"]) for row in await service.pool.fetch(LOG)]
        erased = {e.event.subject for e in events if isinstance(e.event, InformantErased)}
        events = [e for e in events if getattr(e.event, "informant", None) not in erased]
        opened = await service.sealer.open(events)
        shut = {(e.type, name) for e in opened for name in sealed_in(e.event.model_dump())}
        assert shut <= {(TipReceived.type, "name"), (TipReceived.type, "contact")}
        if service.name == "intake":
            received = [e for e in events if isinstance(e.event, TipReceived)]
            async with custodians_keys(service, now.together.home) as keys:
                names = {e.event.name for e in await ServiceSealer(keys).open(received)}
            assert now.kept.left["informant"] in names


def sealed_in(value: Any, name: str = "") -> Iterator[str]:
    """Names of the fields whose text is still sealed."""
    if isinstance(value, dict):
        if value.keys() == Sealed.model_fields.keys():
            yield name
        for inner, each in value.items():
            yield from sealed_in(each, inner)
    elif isinstance(value, list | tuple):
        for each in value:
            yield from sealed_in(each, name)


@asynccontextmanager
async def custodians_keys(service: Service, home: Home) -> AsyncIterator[KeyStore]:
    dsn = dsn_of(service.settings.keys_dsn, "keys", "keys_custodian", home.secrets["passwords"]["keys_custodian"])
    pool = await open_pool(dsn, 1, "public")
    try:
        yield KeyStore(pool, EnvironmentWrapper(service.settings.master_key), "intake", frozenset({"custodian"}))
    finally:
        await pool.close()


async def test_reports_recomputed_at_their_cut_have_the_same_bytes(now: Running) -> None:
    contents = sorted((now.kept.folder / "contents").iterdir())
    assert contents
    token = now.stage.cast.token(now.stage.cast.one("office_director"))
    for path in contents:
        report, _, version = path.stem.partition("@")
        answer = await now.stage.http.get(
            f"/reporting/v1/reports/{report}/content",
            params={"version": version},
            headers={"Authorization": f"Bearer {token}"},
        )
        assert (answer.status_code, answer.content) == (200, path.read_bytes()), path.name


async def test_a_letter_that_waited_for_its_next_try_goes_out(now: Running) -> None:
    async def sent() -> bool:
        return now.world.mail.letters > 0 and (await now.together.services["notify"].standing()).quiet

    await eventually(sent)
    assert now.world.mail.taken["duty@example.org"] == 1


async def test_what_was_parked_is_still_parked_and_done_once_somebody_can_be_told(now: Running) -> None:
    notify, scene = now.together.services["notify"], now.stage.scene("继任")
    ((reaction, subject),) = await parked_subjects(notify.pool)
    successor = {"person": "v-group_leader-2", "post": "group_leader", "unit": "leading_group", "name": "岭上松"}
    await scene.post(
        scene.cast.one("office_director"), "/cases/v1/appointments", {**successor, "from_on": "2018-05-20"}
    )
    await now.stage.time.quiet()
    assert await parked_subjects(notify.pool) == [(reaction, subject)]
    assert all([await reactor.retry(reaction, subject) for reactor in notify.reactors])
    assert await parked_subjects(notify.pool) == []
    await now.stage.time.quiet()
    asked = await _messages(now, kind="extension_requested", about=subject)
    assert "v-group_leader-2" in [line["recipient"] for line in asked]


async def test_a_deadline_set_then_passes_now(now: Running) -> None:
    ((subject, due_at),) = await now.together.services["cases"].pool.fetch(OVERDUE)
    await now.stage.time.until(due_at + timedelta(minutes=1))
    await now.stage.time.quiet()
    scene = now.stage.scene("逾期")
    hazard = await scene.get(scene.cast.one("clerk"), f"/cases/v1/hazards/{subject.removeprefix('hazard-')}")
    assert hazard["overdue"]
    assert await _messages(now, kind="overdue", about=subject)


async def test_a_new_tip_becomes_a_hazard_and_a_message(now: Running) -> None:
    scene = now.stage.scene("新举报")
    clerk, inspector = scene.cast.one("clerk"), scene.cast.one("inspector", nth=1)
    village = scene.cast.village("xiaping")
    await scene.post(None, "/intake/v1/public/tips", {"words": "山后又有新坑。", "village": village})
    tip = (await scene.get(clerk, "/intake/v1/tips", limit=1))["items"][0]["tip"]
    tips = f"/intake/v1/tips/{tip}"
    await scene.post(clerk, f"{tips}/screening", {"outcome": "to_verify", "summary": "新坑"})
    kind = {"category": "abandoned_pit", "violation": "unlicensed_extraction", "village": village}
    await scene.post(inspector, f"{tips}/verification", {"result": "substantiated", "summary": "属实", **kind})
    await now.stage.time.quiet()
    hazards = (await scene.get(clerk, "/cases/v1/hazards", village=village, category="abandoned_pit"))["items"]
    newest = max(hazards, key=lambda line: int(line["hazard_no"]))
    order = {"measure": "backfill", "responsible": inspector.person, "responsible_unit": inspector.unit}
    order["deadline_at"] = (now.stage.time.now() + timedelta(days=2)).isoformat()
    await scene.post(scene.cast.one("office_director"), f"/cases/v1/hazards/{newest['hazard']}/three-fix", order)
    await now.stage.time.quiet()
    (told,) = await _messages(now, kind="assignment", about=f"hazard-{newest['hazard']}")
    assert (told["recipient"], told["about_no"]) == (inspector.person, newest["hazard_no"])


async def _messages(now: Running, **wanted: Any) -> list[dict[str, Any]]:
    scene = now.stage.scene("通知")
    page = await scene.get(scene.cast.one("clerk"), "/notify/v1/messages", everybody="true", limit=200, **wanted)
    found: list[dict[str, Any]] = page["items"]
    return found
