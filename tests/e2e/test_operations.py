"""An embedded town looked after by commands: how it stands, and a restore to yesterday's databases beside today's streams."""

import shutil
from pathlib import Path

from services.simulation.outside import outside
from shared.settings import SERVICES
from tests.support.commands import Said, command
from tests.support.town import Town, a_town, eventually, well

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}


async def asked(folder: Path, *words: str) -> Said:
    return await command(ENVIRONMENT, *words, "--data", str(folder))


async def a_tip(town: Town) -> None:
    await town.post("/intake/v1/public/tips", {"words": "夜里有车拉煤"})


async def all_well(folder: Path) -> None:
    said: list[Said] = []

    async def is_well() -> bool:
        said.append(await asked(folder, "status"))
        return said[-1].code == 0

    try:
        await eventually(is_well, 60)
    except AssertionError:
        raise AssertionError(said[-1].text) from None
    assert said[-1].text.count("all well") == len(SERVICES)


async def needs(folder: Path, service: str, remedy: str) -> None:
    async def is_named() -> bool:
        return remedy in (await asked(folder, "status", service)).text

    await eventually(is_named, 60)


async def test_a_restored_town_goes_on_once_somebody_says_that_it_was_restored(folder: Path) -> None:
    """On a Saturday the example's first reports are overdue already, and letters go out: they need somebody who takes them."""
    async with outside() as world:
        await _restored_and_gone_on(folder, world.mail.address)


async def _restored_and_gone_on(folder: Path, mail: str) -> None:
    kept = folder.with_name("yesterday")
    async with a_town(folder, "--mail", mail) as town:
        await a_tip(town)
        await well(town)
        await all_well(folder)
        refused = await asked(folder, "restore", "intake", "--new-lineage")
        assert refused.code == 2 and "Stop that one first" in refused.text
        await town.stop()
    shutil.copytree(folder / "postgres", kept)
    async with a_town(folder, "--mail", mail) as town:
        await a_tip(town)
        await well(town)
        await town.stop()
    shutil.rmtree(folder / "postgres")
    kept.rename(folder / "postgres")

    async with a_town(folder, "--mail", mail) as town:
        trouble = await asked(folder, "status", "intake")
        assert trouble.code == 1
        assert f"minewatch restore intake --new-lineage --data {folder}" in trouble.text
        await town.stop()
    stopped = await asked(folder, "status")
    assert stopped.code == 1 and f"minewatch up --data {folder}" in stopped.text
    begun = await asked(folder, "restore", *SERVICES, "--new-lineage")
    assert begun.code == 0 and begun.text.count(" goes on from position ") == len(SERVICES)
    async with a_town(folder, "--mail", mail) as town:
        await a_tip(town)
        for service in ("cases", "reporting", "notify"):  # it ran for a moment, and they took from the old stream
            await needs(folder, service, f"minewatch accept-lineage {service} intake --data {folder}")
            accepted = await asked(folder, "accept-lineage", service, "intake")
            assert accepted.code == 0 and "1 events of intake forgotten" in accepted.text
        await well(town)
        await all_well(folder)
        assert "restored 1×" in (await asked(folder, "status", "intake")).text
        tidied = await asked(folder, "tidy", "intake")
        assert tidied == Said("intake: 0 answers, 0 deliveries, 0 reactions removed\n", 0)
        assert await asked(folder, "timers", "list", "cases") == Said("no deadline failed\n", 0)


async def test_a_folder_without_a_town_is_told_so(tmp_path: Path) -> None:
    for words in (("status",), ("parked", "list", "cases"), ("restore", "cases", "--new-lineage")):
        said = await asked(tmp_path, *words)
        assert said.code == 1 and "town" in said.text
    assert list(tmp_path.iterdir()) == []
