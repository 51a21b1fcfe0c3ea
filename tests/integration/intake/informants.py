"""What the tests about informants say to a town: a named tip, who asks, who decides, who opens."""

from typing import Any
from uuid import uuid4

import httpx

from tests.support.services import Town

NAME, CONTACT, WORDS = "钱满仓", "13912345678", "我家后坡上有人半夜放炮"
PUBLIC, TIPS, DISCLOSURES = "/intake/v1/public/tips", "/intake/v1/tips", "/intake/v1/disclosures"
GROUNDS = "刑事案件需要核对时间"
ASK = {"ground": "investigation", "grounds": GROUNDS}
ERASE = {"ground": "informant_wish", "grounds": "本人来信要求删除"}

LEADER = {"post": "group_leader"}
DEPUTY = {"post": "deputy_leader", "person": "p-deputy_leader-1"}
POLICE = {"post": "police_officer", "person": "p-police_officer-1"}
CUSTODIAN = {"post": "custodian"}


async def named_tip(town: Town, **more: Any) -> tuple[str, str]:
    """(receipt, tip) of a tip that gives name and contact; keyed in by telephone."""
    body = {"channel": "hotline", "words": WORDS, "anonymous": False, "name": NAME, "contact": CONTACT} | more
    answer = await town.post(TIPS, body, town.headers("clerk"))
    return answer["receipt"], str(answer["id"])


async def send(town: Town, path: str, who: dict[str, str], body: dict[str, Any] | None = None) -> httpx.Response:
    """Whatever comes back."""
    return await town.http.post(path, json=body or {}, headers=town.headers(**who))


async def done(town: Town, path: str, who: dict[str, str], body: dict[str, Any] | None = None) -> Any:
    """The JSON of a success."""
    return await town.post(path, body or {}, town.headers(**who))


async def asked(town: Town, tip: str, who: dict[str, str] = POLICE) -> str:
    """A request to open who sent the tip; its id."""
    return str((await done(town, DISCLOSURES, who, {"tip": tip} | ASK))["id"])


async def approved(town: Town, tip: str) -> str:
    """Asked for by the police and approved by the group leader."""
    disclosure = await asked(town, tip)
    await done(town, f"{DISCLOSURES}/{disclosure}/approval", LEADER)
    return disclosure


async def opens(town: Town, disclosure: str, who: dict[str, str] = CUSTODIAN, key: str = "") -> httpx.Response:
    headers = town.headers(**who) | {"Idempotency-Key": key or str(uuid4())}
    return await town.http.post(f"{DISCLOSURES}/{disclosure}/opening", json={}, headers=headers)


async def tries(town: Town, disclosure: str) -> list[tuple[str, str]]:
    """(last part of the type, why) of every step after the approval."""
    told = await town.get(f"{DISCLOSURES}/{disclosure}", town.headers("custodian"))
    return [(s["type"].split(".")[2], s["facts"].get("why", "")) for s in told["steps"][2:]]


async def erased(town: Town, tip: str) -> None:
    """Asked for by the custodian, approved by the group leader, and done."""
    await done(town, f"{TIPS}/{tip}/erasure", CUSTODIAN, ERASE)
    await done(town, f"{TIPS}/{tip}/erasure/approval", LEADER)
    await town.settled()
