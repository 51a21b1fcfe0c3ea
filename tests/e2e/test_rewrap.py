"""A town's master key is changed while it stands still: the custodian opens as before, and the old key opens nothing any more."""

import json
from pathlib import Path
from typing import Any

import pytest

from shared.identity.key_store import bound_to
from shared.identity.wrapping import EnvironmentWrapper, WrongMasterKey
from tests.support.commands import Said, command
from tests.support.dying import dying
from tests.support.town import Town, a_town, stop_servers, well
from tests.support.transit import transit

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
TIPS, DISCLOSURES = "/intake/v1/tips", "/intake/v1/disclosures"
NAME = "钱满仓"
KEYS = "SELECT key_id, subject, audience, wrapped FROM public.key WHERE wrapped IS NOT NULL"


async def rewrap(folder: Path, **more: str) -> Said:
    return await command(ENVIRONMENT | more, "keys", "rewrap", "--data", str(folder))


async def named_tip(town: Town) -> str:
    body = {"channel": "hotline", "words": "半夜放炮", "anonymous": False, "name": NAME, "contact": "13912345678"}
    return str((await town.post(TIPS, body, town.headers("clerk")))["id"])


async def opened(town: Town, tip: str) -> Any:
    """Who sent it, as the custodian is shown: asked for by the police, approved by the group's leader."""
    asked = {"tip": tip, "ground": "investigation", "grounds": "核对时间"}
    request = (await town.post(DISCLOSURES, asked, town.headers("police_officer")))["id"]
    await town.post(f"{DISCLOSURES}/{request}/approval", {}, town.headers("group_leader"))
    return await town.post(f"{DISCLOSURES}/{request}/opening", {}, town.headers("custodian"))


async def opens(town: Town, master_key: str) -> int:
    """How many keys."""
    wrapper, opened = EnvironmentWrapper(master_key), 0
    async with town.database("keys") as db:
        for row in await db.fetch(KEYS):
            aad = bound_to(str(row["key_id"]), row["subject"], row["audience"])
            try:
                await wrapper.unwrap([(row["wrapped"], aad)])
            except WrongMasterKey:
                continue
            opened += 1
    return opened


def kept(folder: Path) -> dict[str, Any]:
    told: dict[str, Any] = json.loads((folder / "keys" / "secrets.json").read_text("utf-8"))
    return told


async def test_the_master_key_is_changed_though_it_was_killed_on_the_way(folder: Path, tmp_path: Path) -> None:
    async with a_town(folder) as town:
        tip = await named_tip(town)
        await well(town)
        said = await rewrap(folder)
        assert said.code == 2 and "正被另一个程序使用" in said.text
        before = kept(folder)
        assert await opens(town, before["master_key"]) > 2
    said = await dying("rewrap: all wrapped anew", ("keys", "rewrap", "--data", folder), tmp_path)
    assert said.code == -9, said.text
    between = kept(folder)
    assert between["master_key"] == before["master_key"] != between["next_master_key"]
    with pytest.raises(AssertionError, match="minewatch keys rewrap"):
        async with a_town(folder):
            pass
    said = await command(ENVIRONMENT, "backup", "--to", str(tmp_path / "backup"), "--data", str(folder))
    assert said.code == 2 and "更换主密钥尚未完成" in said.text, said.text
    said = await rewrap(folder)
    assert said.code == 0 and "0 keys were wrapped anew" in said.text and "Keep a new copy of" in said.text, said.text
    after = kept(folder)
    assert after == before | {"master_key": between["next_master_key"]}
    assert not [path for path in (folder / "keys").iterdir() if before["master_key"] in path.read_text("utf-8")]
    async with a_town(folder) as town:
        assert NAME in json.dumps(await opened(town, tip), ensure_ascii=False)
        assert await opens(town, before["master_key"]) == 0 < await opens(town, after["master_key"])
        await well(town)


async def test_a_key_service_takes_its_place_and_gives_it_back(folder: Path, tmp_path: Path) -> None:
    async with a_town(folder) as town:
        tip = await named_tip(town)
        await well(town)
    with transit(tmp_path) as engine:
        kms = {name: value for name, value in engine.environment.items() if "KMS" in name}
        said = await rewrap(folder, MINEWATCH_NEW_KEY_WRAPPER="transit", **kms)
        assert said.code == 0 and kept(folder)["master_key"] == "", said.text
        with pytest.raises(AssertionError, match="MINEWATCH_MASTER_KEY"):
            async with a_town(folder):
                pass
        async with a_town(folder, environment=engine.environment) as town:
            assert NAME in json.dumps(await opened(town, tip), ensure_ascii=False)
        said = await rewrap(folder, **engine.environment)
        assert said.code == 2 and "set MINEWATCH_NEW_KEY_WRAPPER" in said.text, said.text
        said = await rewrap(folder, MINEWATCH_NEW_KEY_WRAPPER="environment", **engine.environment)
        assert said.code == 0, said.text
    async with a_town(folder) as town:
        assert NAME in json.dumps(await opened(town, tip), ensure_ascii=False)
    await stop_servers(folder)
