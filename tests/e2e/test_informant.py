"""An informant cannot be found out: name, phone and words are searched for everywhere but in the key store."""

import base64
import json
from collections.abc import Iterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path

import asyncpg
import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import Envelope

from shared.embedded.processes import free_port
from shared.settings import SERVICES
from tests.support.town import Town, a_town, eventually, well

NAME, PHONE, WORDS = "欧阳查无此", "13987650123", "磨盘沟第三棵槐树后面夜里有铲车"


def spellings(text: str) -> Iterator[bytes]:
    """The ways in which a text may lie in a file."""
    yield text.encode()
    yield text.encode("utf-16-le")
    yield json.dumps(text)[1:-1].encode()
    yield json.dumps(text)[1:-1].upper().encode()
    for skipped in range(3):  # base64 at each of its three alignments, without the ends that depend on the neighbours
        yield base64.b64encode(b"\0" * skipped + text.encode())[4:-4]
    yield text.encode().hex().encode()


PLANTED = {f"{text} {nth}": way for text in (NAME, PHONE, WORDS) for nth, way in enumerate(spellings(text))}


def found_in(place: str, content: bytes) -> list[str]:
    return [f"{what} in {place}" for what, way in PLANTED.items() if way in content]


async def dump(db: asyncpg.Connection) -> Iterator[tuple[str, bytes]]:
    """(schema.table, every row as text, and every bytes column as it is)."""
    tables = await db.fetch(
        "SELECT schemaname, tablename FROM pg_tables WHERE schemaname NOT IN ('pg_catalog', 'information_schema')"
    )
    dumped: list[tuple[str, bytes]] = []
    for schema, table in tables:
        rows = await db.fetch(f'SELECT * FROM "{schema}"."{table}"')
        content = b"\n".join(
            value if isinstance(value, bytes) else str(value).encode() for row in rows for value in row.values()
        )
        dumped.append((f"{schema}.{table}", content))
    return iter(dumped)


async def journey(town: Town) -> None:
    """A named tip by telephone, screened and verified, so that it has been everywhere a tip goes."""
    tip = await town.post(
        "/intake/v1/tips",
        {"channel": "hotline", "words": WORDS, "anonymous": False, "name": NAME, "contact": PHONE, "live": True},
        town.headers("clerk"),
    )
    await town.post(
        f"/intake/v1/tips/{tip['id']}/screening",
        {"outcome": "to_verify", "summary": "某沟夜间有机械作业", "village": "140181101207"},
        town.headers("clerk"),
    )
    await town.post(
        f"/intake/v1/tips/{tip['id']}/verification",
        {
            "result": "substantiated", "village": "140181101207", "category": "abandoned_shaft",
            "violation": "unlicensed_digging", "summary": "现场有新挖痕迹", "live": True,
        },
        town.headers("inspector"),
    )  # fmt: skip
    await town.post("/intake/v1/public/tips", {"words": WORDS, "anonymous": False, "name": NAME, "contact": PHONE})
    refused = await town.http.post(
        "/intake/v1/public/tips",
        json={"words": WORDS, "name": NAME, "anonymous": True},
        headers={"Idempotency-Key": "k"},
    )
    assert refused.status_code in (409, 422)
    assert found_in("the refusal", refused.content) == []
    page = await town.http.post("/tip/receipt", data={"words": "", "anonymous": "", "name": NAME, "contact": PHONE})
    assert page.status_code == 422
    await well(town)


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


@pytest.fixture
def mail() -> Iterator[tuple[str, Letters]]:
    """(the address for --mail, what came)."""
    letters = Letters()
    server = Controller(letters, hostname="127.0.0.1", port=free_port())
    server.start()
    yield f"smtp://127.0.0.1:{server.port}?from=minewatch@example.org", letters
    server.stop()


async def test_name_phone_and_words_of_an_informant_are_nowhere_in_clear(
    folder: Path, mail: tuple[str, Letters]
) -> None:
    address, letters = mail
    async with a_town(folder, "--mail", address) as town:
        await journey(town)

        async def called_by_mail() -> bool:
            return bool(letters.taken)

        await eventually(called_by_mail)
        found = [what for letter in letters.taken for what in found_in("a letter", letter)]
        inboxes = await town.http.get("/notify/v1/messages?everybody=true", headers=town.headers("clerk"))
        assert inboxes.json()["items"], "the duty officer was called"
        found += found_in("the messages", inboxes.content)
        for name in SERVICES:
            async with town.database(name) as db:
                for table, content in await dump(db):
                    found += found_in(f"{name} {table}", content)
        assert await town.stop() == 0
    files = [f for part in ("nats", "logs", "run", "plans") for f in (folder / part).rglob("*") if f.is_file()]
    assert any(f.suffix == ".blk" for f in files), "JetStream's message files were searched"
    for file in files:
        found += found_in(str(file.relative_to(folder)), file.read_bytes())
    assert found == []


async def test_the_search_finds_what_does_lie_open(running_town: Town) -> None:
    """A village's own words in a patrol are not an informant's: planted there, the same search must see them."""
    async with running_town.database("intake") as db:
        contents = dict(await dump(db))
    assert any(b"140181101" in content for content in contents.values())
    assert found_in("x", f"prefix {NAME}".encode()) and found_in("x", base64.b64encode(f"ab{WORDS}".encode()))
    assert found_in("x", json.dumps({"phone": PHONE}).encode())


@pytest.mark.parametrize("text", [NAME, PHONE, WORDS])
def test_every_spelling_is_long_enough_to_mean_something(text: str) -> None:
    assert all(len(way) >= 8 for way in spellings(text))
