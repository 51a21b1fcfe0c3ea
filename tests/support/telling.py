"""An informant who tells a town by every way there is, meets every refusal and breakdown, and is written down by a clerk."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote, urlsplit
from uuid import uuid4

import httpx

from shared.plan.calendar import TOWN_TIME
from tests.support.places import Places
from tests.support.searching import Search
from tests.support.spellings import Planted
from tests.support.town import Town, eventually

NAME, PHONE, TAIL, MAIL = "欧阳查无此", "13987650123", "87650123", "wuciren.0417@example.org"
WORDS = "磨盘沟第三棵槐树后面夜里有铲车"
LATER = "昨晚又来两台翻斗车往东坡倒土"
BROWSER, ADDRESS = "KuiHuaLiuLanQi/39.0417", "2001:db8:6b27:9633:67e5:65e0:6b64:417"
PHOTO = b"\xff\xd8\xff\xe1\x00\x80Exif\x00\x00Artist\x00" + NAME.encode() + b"GPS 37.9123456N 113.7654321E" + bytes(100)

VILLAGE = "140181101207"

PLANTED = (
    Planted("name", NAME, 3),
    Planted("name in traditional characters", "歐陽查無此", 3),
    *(Planted("pinyin", spelt) for spelt in ("ouyangchawuci", "chawuciouyang", "ōuyáng cháwúcǐ", "ou1yang2cha2wu2ci3")),
    Planted("pinyin of the given name", "cháwúcǐ"),
    Planted("pinyin of the given name", "cha2wu2ci3"),
    Planted("phone", PHONE, 10),
    Planted("mail", MAIL.partition("@")[0]),
    Planted("words", WORDS, 6),
    Planted("later words", LATER, 6),
    Planted("browser", BROWSER),
    Planted("address", ADDRESS),
    Planted("photo", "37.9123456N 113.7654321E"),
)
"""Any three characters of the name are looked for, the given name so alone. Left out are initials (OYCWC), the surname alone, and
the given name in seven plain letters: so little stands in any file by chance."""


def search_for(*more: Planted) -> Search:
    """For the informant, and for `more`."""
    return Search([*PLANTED, *more], {"tail of the phone": TAIL})


SEARCH = search_for()

OWN_PAGES = ("/tip", "/sign-in")
"""What begins so answers the sender alone, and repeats a refused form to be mended: there, only headers are searched."""


@dataclass
class Informant:
    """Speaks HTTP like a browser that says who it is. Every answer is kept in `places` as somebody who sees it would."""

    town: Town
    places: Places
    http: httpx.AsyncClient

    async def told(self, answer: httpx.Response) -> None:
        content = await answer.aread()
        self.places.sent("answers' headers", repr(answer.headers.multi_items()).encode())
        assert answer.headers["cache-control"] == "no-store", answer.request.url.path
        mine = answer.request.url.path.startswith(OWN_PAGES)
        if not mine or (answer.is_success and answer.request.method == "POST"):
            self.places.sent("answers", content)

    async def post(self, path: str, body: Any, key: str | None = None) -> httpx.Response:
        """JSON, with an Idempotency-Key."""
        return await self.http.post(path, json=body, headers={"Idempotency-Key": key or str(uuid4())})

    async def form(self, path: str, fields: dict[str, str], **more: Any) -> httpx.Response:
        return await self.http.post(path, data=fields, headers={"Accept": "text/html"}, **more)


@asynccontextmanager
async def an_informant(town: Town, places: Places) -> AsyncIterator[Informant]:
    headers = {"User-Agent": BROWSER, "X-Forwarded-For": ADDRESS, "Referer": f"http://home.example/{quote(NAME)}"}
    async with httpx.AsyncClient(base_url=town.address, timeout=30, headers=headers) as http:
        somebody = Informant(town, places, http)
        http.event_hooks = {"response": [somebody.told]}
        yield somebody


NAMED = {"words": WORDS, "anonymous": False, "name": NAME, "contact": PHONE}


async def by_the_api(who: Informant) -> None:
    """Named; sent again with the same key, and with other words; its state, and more words, by receipt."""
    tips, key = "/intake/v1/public/tips", str(uuid4())
    sent = await who.post(tips, NAMED, key)
    receipt = sent.json()["receipt"]
    assert (await who.post(tips, NAMED, key)).json()["receipt"] == receipt
    assert (await who.post(tips, NAMED | {"words": LATER}, key)).status_code == 409
    assert (await who.post(f"{tips}/status", {"receipt": receipt})).is_success
    assert (await who.post(f"{tips}/supplements", {"receipt": receipt, "words": LATER})).status_code == 201
    for wrong in ("1" * 16, PHONE, NAME, receipt[:-1] + str((int(receipt[-1]) + 1) % 10)):
        assert not (await who.post(f"{tips}/status", {"receipt": wrong})).is_success
        assert not (await who.post(f"{tips}/supplements", {"receipt": wrong, "words": LATER})).is_success
    by_mail = await who.post(tips, {"words": LATER, "anonymous": False, "contact": MAIL})
    assert by_mail.status_code == 201


async def refused_by_the_api(who: Informant) -> None:
    """Every kind of body that is not taken."""
    tips = "/intake/v1/public/tips"
    for body in (
        NAMED | {"anonymous": True},
        NAMED | {"words": WORDS * 400},
        NAMED | {"name": NAME * 50},
        NAMED | {"name": [NAME]},
        NAMED | {"contact": {PHONE: NAME}},
        NAMED | {NAME: PHONE},
        NAMED | {"village": NAME},
        NAMED | {"live": WORDS},
        NAMED | {"place": {"lat_e7": PHONE, "lon_e7": NAME}},
        [NAMED],
        NAME,
    ):
        assert (await who.post(tips, body)).status_code in (400, 409, 422), body
    for raw in (json.dumps(NAMED)[:-5], json.dumps(NAMED, ensure_ascii=False).replace(WORDS, WORDS + "\\ud83d")):
        headers = {"Idempotency-Key": str(uuid4()), "Content-Type": "application/json"}
        assert not (await who.http.post(tips, content=raw.encode(), headers=headers)).is_success
    bad_key = await who.http.post(tips, json=NAMED, headers={"Idempotency-Key": "-".join([PHONE] * 30)})
    assert bad_key.status_code == 400


async def by_the_form(who: Informant) -> None:
    """Refused, mended, taken; asked about; added to; and what browsers do besides."""
    full = {"where": "磨盘沟", "words": WORDS, "name": NAME, "contact": PHONE, "command_id": str(uuid4())}
    assert 'autocomplete="off"' in (await who.http.get("/tip")).text
    assert (await who.form("/tip/receipt", full | {"words": ""})).status_code == 422
    assert (await who.form("/tip/receipt", full | {"words": WORDS * 400})).status_code == 422
    assert (await who.form("/tip/receipt", full | {"village": PHONE})).status_code == 422
    taken = await who.form("/tip/receipt", full)
    assert taken.status_code == 201
    assert (await who.form("/tip/receipt", full | {"words": LATER})).status_code == 409
    sent = await who.post("/intake/v1/public/tips", NAMED)
    receipt = {"receipt": sent.json()["receipt"]}
    assert (await who.form("/tip/status", receipt)).status_code == 200
    more = {"words": LATER, "command_id": str(uuid4())}
    assert (await who.form("/tip/supplements", receipt | more)).is_success
    assert (await who.form("/tip/supplements", receipt | more | {"words": WORDS})).status_code == 409
    assert (await who.form("/tip/supplements", receipt | more | {"words": WORDS * 400})).status_code == 422
    assert not (await who.form("/tip/status", {"receipt": PHONE})).is_success
    photo = await who.form("/tip/receipt", full, files={"photo": ("我.jpg", PHOTO, "image/jpeg")})
    assert photo.status_code == 400 and "form" in photo.text
    query = f"?name={quote(NAME)}&contact={PHONE}&words={quote(WORDS)}"
    for address in (f"/tip{query}", f"/tip/receipt{query}", f"/tip/{quote(NAME)}", f"/sign-in?next=/{PHONE}"):
        await who.http.get(address, headers={"Accept": "text/html"})
    assert (await who.http.get(f"/intake/v1/tips/{PHONE}{query}")).status_code in (401, 422)


async def by_a_broken_line(who: Informant) -> None:
    """Half a request, and what is no request at all."""
    host = urlsplit(who.town.address)
    body = json.dumps(NAMED).encode()
    for said in (
        b"POST /intake/v1/public/tips HTTP/1.1\r\nHost: town\r\nIdempotency-Key: k\r\nContent-Type: application/json\r\n"
        b"Content-Length: 9000\r\n\r\n" + body,
        f"{NAME} {PHONE} {WORDS}\r\n\r\n".encode(),
        f"GET /tip?{PHONE} HTTP/1.1\r\n{NAME}: {WORDS}\r\n\r\n".encode(),
    ):
        assert host.hostname is not None
        reader, writer = await asyncio.open_connection(host.hostname, host.port)
        writer.write(said)
        await writer.drain()
        with contextlib.suppress(TimeoutError, ConnectionError):
            await asyncio.wait_for(reader.read(), 0.2)
        writer.close()


async def in_trouble(who: Informant) -> None:
    """The key store fails, a table refuses the row, the sealed words have nowhere to go: each in the middle of taking a tip."""
    tips, form = "/intake/v1/public/tips", {"words": WORDS, "name": NAME, "contact": PHONE}
    async with who.town.database("keys") as keys:
        await keys.execute("ALTER TABLE public.key RENAME TO away")
        assert (await who.post(tips, NAMED)).status_code >= 500
        await keys.execute("ALTER TABLE public.away RENAME TO key")
    async with who.town.database("intake") as intake:
        await intake.execute(TROUBLE)
        for table in ("view.tip_line", "record.event", "work.answer"):
            await intake.execute(
                f"CREATE TRIGGER trouble BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION trouble()"
            )
            assert (await who.post(tips, NAMED)).status_code >= 500
            assert (await who.form("/tip/receipt", form)).status_code >= 500
            await intake.execute(f"DROP TRIGGER trouble ON {table}")
        await intake.execute("DROP FUNCTION trouble")


TROUBLE = """
CREATE FUNCTION trouble() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no room for %', NEW; END $$
"""


async def by_telephone(town: Town, mark: str) -> dict[str, Any]:
    """A live tip that a clerk types and screens and an inspector finds true; `mark` stands in the summaries. Its answer."""
    live = NAMED | {"channel": "hotline", "live": True}
    tip = await town.post("/intake/v1/tips", live, town.headers("clerk"))
    screening = {"outcome": "to_verify", "summary": f"某沟夜间有机械作业{mark}", "village": VILLAGE}
    await town.post(f"/intake/v1/tips/{tip['id']}/screening", screening, town.headers("clerk"))
    found = {
        "result": "substantiated",
        "village": VILLAGE,
        "category": "abandoned_shaft",
        "violation": "unlicensed_digging",
    }
    more = {"summary": f"现场有新挖痕迹{mark}", "live": True}
    await town.post(f"/intake/v1/tips/{tip['id']}/verification", found | more, town.headers("inspector"))
    answer: dict[str, Any] = tip
    return answer


async def asked_as_of(town: Town, places: Places) -> None:
    """What an auditor is shown of a moment ago; the copies that it is read from stay on the town's server for a while."""
    at = datetime.now(TOWN_TIME).strftime("%Y-%m-%dT%H:%M:%S")
    for path in ("/intake/v1/tips", "/cases/v1/hazards"):
        answer = await town.http.get(path, params={"as_of": at}, headers=town.headers("auditor"))
        assert answer.status_code == 200 and answer.headers["As-Of"], answer.text
        places.sent("read as of then", repr(answer.headers.multi_items()).encode() + answer.content)


@asynccontextmanager
async def half_an_upload(town: Town) -> AsyncIterator[None]:
    """A form with a photo of four megabytes, of which three have been sent."""
    host = urlsplit(town.address)
    assert host.hostname is not None
    _, writer = await asyncio.open_connection(host.hostname, host.port)
    part = '--b\r\nContent-Disposition: form-data; name="photo"; filename="a.jpg"\r\nContent-Type: image/jpeg\r\n\r\n'
    head = "POST /tip/receipt HTTP/1.1\r\nHost: town\r\nContent-Length: 4000000\r\n"
    kind = "Content-Type: multipart/form-data; boundary=b\r\n"
    writer.write(f"{head}{kind}\r\n{part}".encode() + PHOTO * (3_000_000 // len(PHOTO)))
    with contextlib.suppress(ConnectionError, TimeoutError):  # refused before it was all sent
        await asyncio.wait_for(writer.drain(), 5)
    await asyncio.sleep(0.5)
    try:
        yield
    finally:
        writer.close()


async def opened_and_erased(town: Town, tip: str) -> None:
    """The police ask for the identity, a leader approves, the custodian opens it; a clerk asks to erase it, a leader approves."""
    asked = {"tip": tip, "ground": "investigation", "grounds": "需要核实挖掘时间"}
    disclosure = await town.post("/intake/v1/disclosures", asked, town.headers("police_officer"))
    path = f"/intake/v1/disclosures/{disclosure['id']}"
    too_early = await town.http.post(f"{path}/opening", headers=town.headers("custodian"))
    assert not too_early.is_success and PHONE not in too_early.text
    await town.post(f"{path}/approval", {}, town.headers("group_leader"))
    stranger = await town.http.post(f"{path}/opening", headers=town.headers("clerk"))
    assert not stranger.is_success and PHONE not in stranger.text
    opened = await town.post(f"{path}/opening", {}, town.headers("custodian"))
    assert opened == {"name": NAME, "contact": PHONE}
    erasure = {"ground": "informant_wish", "grounds": "本人要求"}
    await town.post(f"/intake/v1/tips/{tip}/erasure", erasure, town.headers("clerk"))
    await town.post(f"/intake/v1/tips/{tip}/erasure/approval", {}, town.headers("group_leader"))

    async def gone() -> bool:
        words = (await town.get(f"/intake/v1/tips/{tip}", town.headers("clerk")))["words"]
        return all(said["words"] is None for said in words)

    await eventually(gone)


async def words_erased(town: Town, tip: str) -> None:
    """The office's own words in the tip and in the hazards that its summary was copied to: a clerk asks, a leader approves."""
    path, records = "/intake/v1/words-erasures", [f"tip-{tip}"]
    for record in records:
        asked = {"record": record, "ground": "names_informant", "grounds": f"{NAME}写进了摘要"}
        await town.post(path, asked, town.headers("clerk"))
        records += (await town.get(f"{path}/{record}", town.headers("clerk")))["copied_to"]
        await town.post(f"{path}/{record}/approval", {}, town.headers("group_leader"))
    assert len(records) > 1, "a hazard was listed"
