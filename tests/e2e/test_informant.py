"""An informant cannot be found out: name, phone and words are searched for wherever a town keeps bytes, in every spelling."""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from email import message_from_bytes
from email.policy import default
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any
from zipfile import ZipFile

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from services.together import FIRST_PLAN, shipped
from shared.embedded.ports import free_port
from shared.plan.calendar import TOWN_TIME
from shared.plan.loader import load_plan
from shared.plan.shift import default_first_day, moved_to
from shared.settings import SERVICES
from tests.support import telling
from tests.support.commands import command
from tests.support.places import Places
from tests.support.planting import EVERYWHERE, plant, planted_process
from tests.support.spellings import Planted
from tests.support.telling import NAME, SEARCH, an_informant
from tests.support.town import Town, a_town, eventually, stop_servers, well

MARK = "金丝雀六月十七"
"""Stands in the summaries a clerk writes, which are no informant's: read models may hold them open, and the search sees them."""
PART = NAME[1:4]


class Letters:
    """What a real mail server was handed: each letter as it came, and its words decoded."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []

    async def handle_DATA(self, server: object, session: object, envelope: Envelope) -> str:
        raw = envelope.content
        assert isinstance(raw, bytes)
        letter = message_from_bytes(raw, policy=default)
        self.taken += [raw, str(letter["subject"]).encode(), letter.get_content().encode()]
        return "250 OK"


@pytest.fixture(scope="module")
def mail() -> Iterator[tuple[str, Letters]]:
    """(the address for --mail, what came)."""
    letters = Letters()
    server = Controller(letters, hostname="127.0.0.1", port=free_port())
    server.start()
    yield f"smtp://127.0.0.1:{server.port}?from=minewatch@example.org", letters
    server.stop()


@pytest.fixture(scope="module")
def hook() -> Iterator[tuple[str, list[bytes]]]:
    """(the address of a webhook, headers and bodies that came)."""
    taken: list[bytes] = []

    class Hook(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            taken.append(bytes(self.headers) + self.rfile.read(int(self.headers["content-length"])))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Hook) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/", taken
        server.shutdown()


@dataclass
class Lived:
    """A town in which an informant has told everything by every way; `tip` is the one that a clerk typed."""

    town: Town
    places: Places
    tip: dict[str, Any] = field(default_factory=dict)


@pytest.fixture(scope="module")
async def lived(
    tmp_path_factory: pytest.TempPathFactory, mail: tuple[str, Letters], hook: tuple[str, list[bytes]]
) -> AsyncIterator[Lived]:
    home = tmp_path_factory.mktemp("informant")
    folder, taken, plan = home / "data", home / "taken", home / "plan.yaml"
    taken.mkdir()
    (folder / "keys").mkdir(parents=True)
    (folder / "temp").mkdir()
    plan.write_text(called_by_webhook(), "utf-8")
    (folder / "keys" / "webhooks.json").write_text(HOOKS % hook[0], "utf-8")
    environment = {"TMPDIR": str(folder / "temp")}
    try:
        async with a_town(folder, "--mail", mail[0], "--plan", str(plan), environment=environment) as town:
            places = Places(town, taken, {"letters": mail[1].taken, "webhooks": hook[1]})
            here = Lived(town, places)
            async with an_informant(town, places) as who:
                here.tip = await telling.by_telephone(town, MARK)
                await telling.by_the_api(who)
                await telling.by_the_form(who)
                await telling.refused_by_the_api(who)
                await telling.by_a_broken_line(who)
                await telling.in_trouble(who)
            await well(town)
            yield here
    finally:
        await stop_servers(folder)


HOOKS = '{"hooks": [{"name": "station", "url": "%s", "secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}]}'


def called_by_webhook() -> str:
    """The shipped plan as of today, its duty officers called by mail and by webhook."""
    text = moved_to(load_plan(shipped(FIRST_PLAN)), default_first_day(datetime.now(TOWN_TIME).date()))
    called = re.compile(r"(  email: duty-officer-\d@example.org\n  channels: \[in_app, email)\]")
    changed, times = called.subn(r"\1, webhook]", text)
    assert times > 0
    return changed


async def read_by_others(here: Lived) -> None:
    """What every post that does not screen tips sees of one, and what anybody sees of the town; into `places`."""
    town, tip = here.town, here.tip
    told = [f"/{name}/{what}" for name in SERVICES for what in ("health/ready", "metrics", "v1/status", "v1/log")]
    tips = [
        "/intake/v1/tips",
        f"/intake/v1/tips/{tip['id']}",
        f"/intake/v1/events/{tip['events'][0]}",
        "/intake/v1/patrols",
    ]
    cases = ["/cases/v1/hazards", "/cases/hazards", "/reporting/v1/reports"]
    others = [
        *cases,
        "/notify/inbox",
        "/notify/v1/messages?everybody=true",
        "/intake/v1/disclosures",
        "/intake/v1/erasures",
    ]
    for post, paths in {
        # not the tip itself: a screener is shown the words, which are kept nowhere
        "clerk": [*told, *others, tips[0], tips[2]],
        "inspector": [*others, *tips],
        "auditor": [*others, *tips],
        "group_leader": [*others, *tips],
        "police_officer": tips,
    }.items():
        for path in paths:
            answer = await town.http.get(path, headers=town.headers(post))
            assert answer.status_code in (200, 403, 503), (post, path, answer.text)
            here.places.sent("read by others", repr(answer.headers.multi_items()).encode() + answer.content)


async def test_name_phone_and_words_are_nowhere_while_the_town_lives(lived: Lived) -> None:
    """What a clerk wrote is looked for as well: it may lie open in some places, and must be seen there."""

    async def called() -> bool:
        return bool(lived.places.outside["letters"] and lived.places.outside["webhooks"])

    await eventually(called)
    await telling.asked_as_of(lived.town, lived.places)
    await read_by_others(lived)
    found = await lived.places.found(telling.search_for(Planted("mark", MARK, 6)))
    marked = {place for place, what in found.items() if any(each.startswith("mark ") for each in what)}
    assert {place: what for place, what in found.items() if not all(each.startswith("mark ") for each in what)} == {}
    copies = {f"tables of {name}" for name in await lived.places.copies()}
    assert (
        marked >= {"tables of intake", "tables of cases", "heap", "WAL", "temporary files", "read by others"} | copies
    )
    assert len(copies) == 2, "of intake and of cases as they were"
    searched = {place for place, size in lived.places.seen.items() if size}
    assert searched >= (EVERYWHERE | lived.places.outside.keys()) - {"temp", "the rest of the folder"}


async def test_no_process_of_the_town_may_leave_a_core(lived: Lived) -> None:
    limits = [Path(f"/proc/{pid}/limits").read_text() for pid in lived.places.pids()]
    assert len(limits) >= 3
    assert all(re.search(r"^Max core file size +0 +0 ", limit, re.MULTILINE) for limit in limits)


async def test_a_photo_on_its_way_in_is_on_no_disk(lived: Lived) -> None:
    """An upload that does not end: what came of it is looked for in files that have no name any more."""
    async with telling.half_an_upload(lived.town):
        assert await lived.places.found_in_processes(SEARCH) == set()


async def taken_out(here: Lived) -> None:
    """An export, a backup with its keys, and as evidence the tip and the hazard that it became; into `taken`."""
    for place in ("export", "backup", "pack"):
        (here.places.taken / place).mkdir()
    to = str(here.places.taken / "export" / "all")
    export = ("audit", "export", "--reason", "年度审计", "--as", "p-clerk-1", "--to", to)
    backup = ("backup", "--to", str(here.places.taken / "backup" / "of-today"))
    data = ("--data", str(here.town.folder))
    for said in await asyncio.gather(*(command(dict(os.environ), *words, *data) for words in (export, backup))):
        assert said.code == 0, said.text
        here.places.sent("said by commands", said.text.encode())
    hazard = (await here.town.get("/cases/v1/hazards", here.town.headers("clerk")))["items"][0]["hazard"]
    for service, stream in (("intake", f"tip-{here.tip['id']}"), ("cases", f"hazard-{hazard}")):
        order = {"about": [stream], "reason": "检察院调取"}
        leader = here.town.headers("group_leader")
        answer = await here.town.http.post(f"/{service}/v1/evidence-packs", json=order, headers=leader)
        assert answer.status_code == 200, answer.text
        pack = here.places.taken / "pack" / f"{service}.zip"
        pack.write_bytes(answer.content)
        assert any(name.startswith(f"{service}/events/") for name in ZipFile(pack).namelist())


async def test_they_are_nowhere_after_the_identity_was_opened_and_erased_nor_in_what_was_taken_out(
    lived: Lived,
) -> None:
    """An export, an evidence pack of the very tip and a backup, taken before the erasure; then everything once more, copies of a
    moment before it included."""
    await taken_out(lived)
    await telling.opened_and_erased(lived.town, lived.tip["id"])

    async def copied() -> bool:
        """A copy that is being made when the erasure is heard of is let go."""
        await read_by_others(lived)
        return bool(await lived.places.copies())

    await eventually(copied, 60)
    assert await lived.places.found(SEARCH) == {}
    searched = {place for place, size in lived.places.seen.items() if size}
    copies = {f"tables of {name}" for name in await lived.places.copies()}
    assert (
        searched >= {"export", "pack", "backup", *EVERYWHERE, *copies} - {"temp", "the rest of the folder"} and copies
    )


async def test_the_offices_own_words_leave_every_database_when_they_are_erased(lived: Lived) -> None:
    """A summary that named somebody, and the grounds for erasing it; copies of a moment before included."""
    search = telling.search_for(Planted("mark", MARK, 6))

    async def tables() -> set[str]:
        return set(await lived.places.found_in_databases(search))

    assert await tables() >= {"tables of intake", "tables of cases"}
    await telling.words_erased(lived.town, lived.tip["id"])

    async def gone() -> bool:
        return not await tables()

    await eventually(gone, 120)
    assert {"tables of intake", "tables of cases", "tables of notify"} <= lived.places.seen.keys()
    await well(lived.town)


async def test_a_part_of_the_name_planted_in_every_place_is_found_in_every_place(lived: Lived) -> None:
    with planted_process(PART) as pid:
        lived.places.processes.append(pid)
        await plant(PART, lived.places)
        found = await lived.places.found(SEARCH)
    copies = {f"tables of {name}" for name in await lived.places.copies()}
    assert found.keys() == EVERYWHERE | lived.places.outside.keys() | {"export", "pack", "backup"} | copies
    assert {where.rpartition(" in ")[2].split(" ", 1)[1] for where in found["processes"]} == {
        "cmdline", "environ", "a file without a name",
    }  # fmt: skip
    assert await lived.town.stop() == 0
