"""`minewatch audit verify --live` on the demo's own databases and streams, attacked: what it prints, and the code it leaves with.

It stops the servers that it finds without a town, so these come last of those that share the copy.
"""

from collections.abc import Sequence
from pathlib import Path

from shared.stream import connect, stream_name
from tests.support.attacked_town import ground_at, policy_text
from tests.support.attacks import Attacked, Ground
from tests.support.commands import Said, command


async def verified(folder: Path, tmp_path: Path, ground: Ground, *services: str, known: Sequence[str] = ()) -> Said:
    """With the checkpoints that were kept of these services, or of those in `known`."""
    policy = tmp_path / "policy"
    policy.write_text(policy_text(folder), "utf-8")
    words: list[str] = [word for name in services for word in ("--service", name)]
    for name in known or services:
        (tmp_path / name).write_bytes(ground.known[name])
        words += ["--known", str(tmp_path / name)]
    environment = {"PATH": "/usr/bin:/bin", "COLUMNS": "200"}
    return await command(
        environment, "audit", "verify", "--live", "--data", str(folder), "--policy", str(policy), *words
    )


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
