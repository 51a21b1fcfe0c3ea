"""`minewatch audit verify --live` on the demo's own databases and streams, attacked: what it prints, and the code it leaves with.

First on copies, as a service's environment names them. With --data it stops the servers that it finds without a town, so the
others come last of those that share the town.
"""

import re
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from shared.stream import connect, stream_name
from tests.e2e.test_attacks_recomputed import AT, altered, inserted
from tests.support.attacked_town import ground_at, policy_text
from tests.support.attacks import Attacked, Ground, attacked, cut
from tests.support.commands import Said, command, environment_of


async def told(environment: dict[str, str], folder: Path, tmp_path: Path, ground: Ground, *words: str) -> Said:
    """`words`: the names of services whose checkpoints were kept, and options."""
    policy = tmp_path / "policy"
    policy.write_text(policy_text(folder), "utf-8")
    asked = ["audit", "verify", "--live", "--policy", str(policy)]
    for word in words:
        if word in ground.known:
            (tmp_path / word).write_bytes(ground.known[word])
            asked += ["--known", str(tmp_path / word)]
        else:
            asked += word.split("=", 1)
    return await command(environment, *asked)


async def verified(folder: Path, tmp_path: Path, ground: Ground, *services: str, known: Sequence[str] = ()) -> Said:
    """With the checkpoints that were kept of these services, or of those in `known`."""
    words = [f"--data={folder}", *(f"--service={name}" for name in services), *(known or services)]
    return await told({"PATH": "/usr/bin:/bin", "COLUMNS": "200"}, folder, tmp_path, ground, *words)


async def verified_copy(at: Attacked, folder: Path, tmp_path: Path) -> Said:
    environment = environment_of(at.settings) | {"MINEWATCH_SCRATCH_DSN": at.settings.scratch_dsn or ""}
    return await told(environment, folder, tmp_path, at.ground, f"--service={at.service}", at.service)


ALTERED = """
UPDATE record.event SET body = convert_to(replace(convert_from(body, 'UTF8'), '2018-', '2019-'), 'UTF8')
WHERE event_id = (SELECT event_id FROM record.log WHERE position = $1)
"""
DROPPED = """
WITH gone AS (DELETE FROM record.log WHERE position = $1 RETURNING event_id)
DELETE FROM record.event USING gone WHERE event.event_id = gone.event_id
"""
SWAPPED = f"""
CREATE TABLE swapped AS SELECT {AT} + {AT + 1} - position AS position, event_id, leaf, sequenced_at
    FROM record.log WHERE position IN ({AT}, {AT + 1});
DELETE FROM record.log WHERE position IN ({AT}, {AT + 1});
INSERT INTO record.log SELECT * FROM swapped; DROP TABLE swapped;
"""
EDITED = """
UPDATE view.hazard_line SET state = 'closed_out'
WHERE hazard = (SELECT min(hazard) FROM view.hazard_line WHERE state <> 'closed_out')
"""


async def an_old_backup(at: Attacked) -> None:
    """All agrees with itself: the log, its checkpoints, and read models that were built from it."""
    await cut(at, 20)
    await at.run("DELETE FROM work.mark WHERE source = 'cases'")
    async with at.opened() as service:
        await service.rebuild()


KINDS: dict[str, tuple[Callable[[Attacked], Awaitable[object]], str]] = {
    "altered": (lambda at: at.run(ALTERED, AT), f"event {AT}: its bytes are not those that were numbered"),
    "dropped": (lambda at: at.run(DROPPED, AT), f"event {AT}: the log has no events {AT} to {AT}"),
    "inserted": (lambda at: at.rewrite(inserted), r"event \d+: something among events (\d+) to (\d+) was altered"),
    "swapped": (lambda at: at.run(SWAPPED), r"event \d+: something among events (\d+) to (\d+) was altered"),
    "truncated": (lambda at: cut(at, 30), r"event (\d+): a signed checkpoint .*its end was cut off"),
    "recomputed": (lambda at: at.rewrite(altered), r"event \d+: something among events (\d+) to (\d+) was altered"),
    "restored": (an_old_backup, r"event (\d+): a signed checkpoint .*its end was cut off"),
    "edited": (lambda at: at.run(EDITED), r"hazard_line \[.*other than the record: state"),
}
"""The ninth, a stream that was deleted, is told below."""


@pytest.mark.parametrize("kind", KINDS)
async def test_each_kind_of_attack_is_told(kind: str, attacked_town: Path, ground: Ground, tmp_path: Path) -> None:
    attack, words = KINDS[kind]
    async with attacked(ground, "cases") as at:
        await attack(at)
        said = await verified_copy(at, attacked_town, tmp_path)
        end = await at.value("SELECT position FROM work.head")
    assert said.code == 1, said.text
    place = re.search(f"doubt cases: .*{words}", said.text)
    assert place, said.text
    match [int(number) for number in place.groups()]:
        case [begin, last]:
            assert begin <= AT <= last
        case [first]:
            assert first == end + 1


async def test_the_untouched_copy_is_told_to_agree(attacked_town: Path, ground: Ground, tmp_path: Path) -> None:
    async with attacked(ground, "cases") as at:
        said = await verified_copy(at, attacked_town, tmp_path)
    assert (said.code, "全部一致" in said.text) == (0, True), said.text


async def test_the_command_says_so_and_leaves_with_one(attacked_town: Path, ground: Ground, tmp_path: Path) -> None:
    """The stream of intake is gone; the others are as they were."""
    settings = ground.settings_of("intake")
    nc = await connect(settings.nats_url, "attacker")
    try:
        await nc.jetstream().delete_stream(stream_name(settings.jurisdiction, "intake"))
    finally:
        await nc.close()
    said = await verified(attacked_town, tmp_path, ground, "cases", "reporting")
    assert (said.code, "全部一致" in said.text) == (0, True), said.text
    said = await verified(attacked_town, tmp_path, ground, "intake")
    assert (said.code, "结论：有疑点 1 处" in said.text) == (1, True), said.text
    assert "doubt intake: NATS has no stream" in said.text


async def test_a_kept_checkpoint_of_a_service_that_is_not_verified_is_a_doubt(
    attacked_town: Path, ground: Ground, tmp_path: Path
) -> None:
    said = await verified(attacked_town, tmp_path, ground, "cases", "reporting", known=("reporting", "intake"))
    assert (said.code, "结论：有疑点 1 处" in said.text) == (1, True), said.text
    assert f"kept is of another log, {ground.known['intake'].decode().splitlines()[0]}" in said.text
    assert "no checkpoint of your own of cases (--known)" in said.text, "nothing that was kept is of it"


async def test_the_command_compares_inboxes_and_what_was_kept(
    attacked_town: Path, ground: Ground, tmp_path: Path
) -> None:
    """On the databases themselves, so it comes last."""
    here = await ground_at(attacked_town)  # the command before has stopped the servers
    await Attacked(here, "reporting", "reporting").run("DELETE FROM record.inbox WHERE source = 'cases' AND position = "
        "(SELECT max(position) FROM record.inbox WHERE source = 'cases')")  # fmt: skip
    await Attacked(here, "notify", "notify").run("UPDATE record.lineage SET lineage = gen_random_uuid()")
    said = await verified(attacked_town, tmp_path, ground, "cases", "reporting")
    assert "reporting must have received it and does not have it" in said.text, said.text
    said = await verified(attacked_town, tmp_path, ground, "notify")
    assert (said.code, "and that log is not here" in said.text) == (1, True), said.text
