"""A drill that finds nothing proves nothing: each attack's own test must fail when a check that finds it is taken out.

Which they are is in tests/support/attack_plants.py. The attacks run here as in their files, on the same copy of the demo's
town, and leave it as it was; that they are found while every check is there is what those files say.
"""

import inspect
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext, redirect_stdout
from functools import partial
from io import StringIO
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from shared.cli.audit_live import verify_town
from shared.cli.audit_verify import verify
from shared.embedded.home import Home
from shared.embedded.processes import PidFile
from tests.e2e import test_attacks_beside_the_log, test_attacks_log, test_attacks_recomputed, test_attacks_told
from tests.support import attacks
from tests.support.attack_plants import CHECKS, NO_ATTACKS, PLANTS
from tests.support.attacks import Attacked, Ground
from tests.support.commands import Said
from tests.support.unchecked import Check, NoSuchCheck, without

FILES = (test_attacks_beside_the_log, test_attacks_log, test_attacks_recomputed, test_attacks_told)
ASSERTING = {Path(inspect.getfile(module)) for module in (*FILES, attacks)}


def attacks_of(module: Any) -> dict[str, Callable[..., Any]]:
    """The test's name as pytest writes it -> the test, with its parameters."""
    found: dict[str, Callable[..., Any]] = {}
    for name, test in vars(module).items():
        if name.startswith("test_") and name not in NO_ATTACKS:
            marks = [mark for mark in getattr(test, "pytestmark", []) if mark.name == "parametrize"]
            if not marks:
                found[name] = test
            for mark in marks:
                names, every = mark.args
                ids = mark.kwargs.get("ids", str)
                for nth, values in enumerate(every):
                    each = dict(zip(names, values, strict=True)) if isinstance(names, tuple) else {names: values}
                    found[f"{name}[{ids(values) if callable(ids) else ids[nth]}]"] = partial(test, **each)
    return found


ATTACKS = {name: test for module in FILES for name, test in attacks_of(module).items()}
EACH = [(name, check) for name, checks in PLANTS.items() for check in checks]


def test_every_attack_is_in_the_table_and_every_check_finds_one() -> None:
    assert PLANTS.keys() == ATTACKS.keys() and all(PLANTS.values())
    assert {check for _, check in EACH} == CHECKS.keys()


def test_a_check_that_is_not_where_it_was_is_noticed() -> None:
    check = next(iter(CHECKS.values()))
    with pytest.raises(NoSuchCheck), without(Check(check.function, f"{check.there} # moved", "")):
        pass


async def in_this_process(environment: dict[str, str], *words: str) -> Said:
    """`minewatch audit verify --live …`, where the check is taken out."""
    asked = verify.make_context("verify", [*words[2:]]).params
    with patch.dict(os.environ, environment), redirect_stdout(StringIO()) as said:
        code = await verify_town(asked["policy"], asked["known"], asked["services"], asked["data"])
    return Said(said.getvalue(), code)


@asynccontextmanager
async def put_back(folder: Path, ground: Ground) -> AsyncIterator[None]:
    """Undoes what is done to the town itself and to no copy: to the stream of intake, and to two rows. Its servers run on,
    as if a program of the town needed them."""
    reporting, notify = Attacked(ground, "reporting", "reporting"), Attacked(ground, "notify", "notify")
    last = await reporting.row("SELECT * FROM record.inbox WHERE source = 'cases' ORDER BY position DESC LIMIT 1")
    program = PidFile(Home(folder).run / "minewatch.pid", folder)
    program.claim()
    try:
        yield
    finally:
        program.remove()
        await Attacked(ground, "intake", "intake").refill(lambda bodies: [*bodies])
        await reporting.run("INSERT INTO record.inbox VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING", *last)
        await notify.run("UPDATE record.lineage SET lineage = (SELECT lineage FROM work.head)")


@pytest.mark.parametrize(("attack", "check"), EACH, ids=[f"{attack}: {check}" for attack, check in EACH])
async def test_without_a_check_that_finds_it_the_attack_is_missed(
    attack: str, check: str, attacked_town: Path, ground: Ground, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(test_attacks_told, "command", in_this_process)
    test, given = ATTACKS[attack], {"ground": ground, "attacked_town": attacked_town, "tmp_path": tmp_path}
    wanted = {name: given[name] for name in inspect.signature(test).parameters if name in given}
    on_itself = "stream" in attack or "attacked_town" in wanted
    async with put_back(attacked_town, ground) if on_itself else nullcontext():
        with pytest.raises(AssertionError) as failed, without(CHECKS[check]):
            await test(**wanted)
    assert Path(failed.traceback[-1].path) in ASSERTING, "not the test, but what it calls could not go on"
