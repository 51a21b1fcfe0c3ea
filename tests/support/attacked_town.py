"""A copy of the demo's town to attack, made once, and what an auditor keeps of a town: a policy, and a checkpoint of each log."""

import time
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from subprocess import run

import asyncpg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from shared.checkpoints import newest
from shared.cosigning import KEEP
from shared.embedded.home import Home
from shared.embedded.nats_server import EmbeddedNats
from shared.embedded.postgres import EmbeddedPostgres
from shared.plan.loader import load_plan
from shared.settings import SERVICES
from shared.sql import Tx
from shared.transparency.note import WITNESS, Key, Note, cosign
from shared.transparency.policy import Policy
from tests.support.attacks import Ground
from tests.support.town import stop_servers

PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes([11]) * 32)
WATCH = Key("watch.example", WITNESS, PRIVATE.public_key().public_bytes_raw())
"""Somebody else than the town, who keeps watch."""
UNSEEN = """
SELECT origin, size, note FROM record.checkpoint c
WHERE NOT EXISTS (SELECT FROM record.cosignature s WHERE (s.origin, s.size, s.witness) = (c.origin, c.size, $1))
"""


def policy_text(folder: Path) -> str:
    """The auditor's own: the town's logs, and nothing counts that WATCH has not seen."""
    town = (folder / "policy").read_text("utf-8")
    assert "\nquorum none\n" in town
    return town.replace("\nquorum none\n", f"\nwitness watch {WATCH}\nquorum watch\n")


async def ground_at(folder: Path) -> Ground:
    """A town whose servers run; nothing is known of it yet."""
    home = Home(folder)
    postgres, nats = EmbeddedPostgres(folder / "postgres", home.run), EmbeddedNats(folder / "nats", home.run)
    await postgres.start()  # adopts the one that runs
    await nats.start()
    plan = load_plan(home.plans / (home.plans / "current").read_text("utf-8").strip()).plan
    return Ground(
        lambda name: home.settings(name, plan.jurisdiction, postgres.superuser_dsn, nats.url),
        postgres.superuser_dsn,
        Policy.read(policy_text(folder)),
        {},
    )


async def witnessed(ground: Ground, service: str) -> bytes | None:
    """The checkpoint that tells of the log's last event, seen by WATCH as all before it; None while there is none."""
    connection = await asyncpg.connect(ground.dsn(service))
    try:
        for row in await connection.fetch(UNSEEN, WATCH.name):
            at = int(time.time())
            line = cosign(Note.read(row["note"].encode()).text, WATCH.name, PRIVATE, at)
            await connection.execute(KEEP, row["origin"], row["size"], WATCH.name, str(line), at)
        note = await newest(Tx(connection), policy=ground.policy)
        size = await connection.fetchval("SELECT position FROM work.head")
    finally:
        await connection.close()
    return str(note).encode() if note is not None and note.text.split("\n")[1] == str(size) else None


@pytest.fixture(scope="session")
async def attacked_town(
    demo: object, demo_folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Path]:
    """The folder of a copy of the demo's town, its servers running and nothing else."""
    folder = tmp_path_factory.mktemp("attacked") / "data"
    run(["cp", "-a", demo_folder, folder], check=True)  # owners stay: the cluster belongs to another account
    try:
        yield folder
    finally:
        await stop_servers(folder)


@pytest.fixture(scope="session")
async def ground(attacked_town: Path) -> Ground:
    ground = await ground_at(attacked_town)
    known = {}
    for name in SERVICES:
        kept = await witnessed(ground, name)
        assert kept is not None, f"{name}: no witness saw its last event"
        known[name] = kept
    return replace(ground, known=known)
