"""The answer to whatever recorded a fact carries a receipt for it: to the public, to an office, to a form; once and again."""

import base64
import json
import re
from typing import Any
from urllib.parse import unquote
from uuid import uuid4

import httpx
import pytest

from shared.transparency.note import Key, Note
from shared.web.receipting import HEADER
from tests.support.services import Town

TIP = "/intake/v1/public/tips"


async def receipt_of(town: Town, answer: httpx.Response) -> list[bytes]:
    """The leaves of a receipt that the key which the log names has signed."""
    card = await town.get("/intake/v1/log")
    key = Key.read(card["receipt_vkey"])
    note = Note.read(base64.b64decode(answer.headers[HEADER]))
    assert note.signed_by([key]).keys() == {key} and key.name == f"{card['origin']}/receipts"
    form, origin, at, *leaves, end = note.text.split("\n")
    assert (form, origin, end) == ("minewatch-receipt/1", card["origin"], "")
    bodies = await town.services["intake"].pool.fetch("SELECT leaf, body FROM record.event")
    recorded = {row["leaf"]: json.loads(row["body"])["recordedat"] for row in bodies}
    found = [base64.b64decode(leaf) for leaf in leaves]
    assert recorded[found[-1]] == at
    assert found and set(found) <= recorded.keys()
    return found


async def sent(town: Town, **headers: str) -> httpx.Response:
    return await town.http.post(
        TIP, json={"words": "夜里有车拉煤"}, headers={"Idempotency-Key": str(uuid4())} | headers
    )


async def test_the_public_gets_it_with_leaves_and_no_identifier(town: Town) -> None:
    answer = await sent(town)
    [leaf] = await receipt_of(town, answer)
    row = await town.services["intake"].pool.fetchrow("SELECT * FROM record.event WHERE leaf = $1", leaf)
    assert row is not None and row["type"] == "intake.tip.received.v1"
    note = base64.b64decode(answer.headers[HEADER]).decode()
    tip = row["stream_id"].split("-", 1)[1]
    assert tip not in note and str(row["event_id"]) not in note and answer.json()["receipt"] not in note


async def test_a_repetition_gets_the_receipt_of_the_first(town: Town) -> None:
    key = str(uuid4())
    answers = [await sent(town, **{"Idempotency-Key": key}) for _ in range(2)]
    assert answers[0].headers[HEADER] == answers[1].headers[HEADER]


async def test_an_office_gets_it_with_every_command(town: Town) -> None:
    told = {"channel": "hotline", "words": "废坑有灯", "anonymous": False, "name": "某某", "contact": "13800000000"}
    answer = await town.http.post("/intake/v1/tips", json=told, headers=town.headers("clerk"))
    assert answer.status_code == 201, answer.text
    leaves = await receipt_of(town, answer)
    assert len(leaves) == len(answer.json()["events"])


def shown(answer: httpx.Response) -> str | None:
    """The receipt that a page offers, as a line and as a file."""
    lines = re.findall(r'class="line">([^<]*)<', answer.text)
    files = [unquote(file) for file in re.findall(r'href="data:text/plain,([^"]*)"', answer.text)]
    assert lines == files and len(lines) < 2
    return lines[0] if lines else None


async def form(town: Town, path: str, **fields: str) -> httpx.Response:
    return await town.http.post(path, data=fields, headers={"Accept": "text/html"})


async def test_a_form_gets_it_too_and_its_page_offers_it(town: Town) -> None:
    filled = {"words": "夜里有车拉煤", "anonymous": "yes", "command_id": str(uuid4())}
    answer = await form(town, "/tip/receipt", **filled)
    assert answer.status_code == 201 and len(await receipt_of(town, answer)) == 1
    assert shown(answer) == answer.headers[HEADER] == shown(await form(town, "/tip/receipt", **filled))
    assert answer.headers["cache-control"] == "no-store" and "set-cookie" not in answer.headers
    code = re.search(r'class="code">([0-9-]{19})<', answer.text)
    assert code is not None and code[1] not in base64.b64decode(answer.headers[HEADER]).decode()

    more = {"receipt": code[1], "words": "又来了", "command_id": str(uuid4())}
    added = await form(town, "/tip/supplements", **more)
    assert shown(added) == added.headers[HEADER] != shown(answer)
    assert await receipt_of(town, added) != await receipt_of(town, answer)
    status = await form(town, "/tip/status", receipt=code[1])
    unchanged = await form(town, "/tip/supplements", **more | {"words": " ", "command_id": str(uuid4())})
    assert (status.status_code, unchanged.status_code) == (200, 422)
    assert shown(status) is None and shown(unchanged) is None


@pytest.mark.parametrize("asked", ["GET", "refused"])
async def test_what_recorded_nothing_carries_none(town: Town, asked: str) -> None:
    if asked == "GET":
        answer = await town.http.get("/intake/v1/public/channels")
    else:
        answer = await town.http.post(TIP, json={"words": ""}, headers={"Idempotency-Key": str(uuid4())})
        assert answer.status_code == 422
    assert HEADER not in answer.headers


async def test_a_log_that_nobody_signs_says_so_and_gives_receipts_all_the_same(town: Town) -> None:
    card: dict[str, Any] = await town.get("/intake/v1/log")
    lineage = await town.services["intake"].pool.fetchval("SELECT lineage FROM work.head")
    town_name = town.services["intake"].settings.jurisdiction
    assert card["origin"] == f"{town_name}/intake/{lineage}"
    assert card["log_vkey"] is None and card["checkpoint"] is None
