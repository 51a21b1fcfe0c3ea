"""`minewatch …` as a program of its own, against the services of a town."""

import asyncio
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from shared.settings import Settings

MINEWATCH = str(Path(sys.executable).parent / "minewatch")


@dataclass(frozen=True)
class Said:
    """What a command printed, both ways, and the code it left with."""

    text: str
    code: int


def environment_of(*settings: Settings) -> dict[str, str]:
    """The MINEWATCH_… variables of these services, as `serve` reads them."""
    told = {"PATH": os.environ["PATH"], "COLUMNS": "200"}
    for s in settings:
        told |= {
            "MINEWATCH_JURISDICTION": s.jurisdiction,
            f"MINEWATCH_{s.service.upper()}_APP_DSN": s.app_dsn,
            f"MINEWATCH_{s.service.upper()}_LOG_DSN": s.log_dsn,
            "MINEWATCH_KEYS_DSN": s.keys_dsn,
            "MINEWATCH_NATS_URL": s.nats_url,
            "MINEWATCH_PLANS": str(s.plans),
            "MINEWATCH_SECRET": s.secret.decode(),
            "MINEWATCH_MASTER_KEY": s.master_key,
            "MINEWATCH_TOKEN_PUBLIC": s.token_public,
            **{
                f"MINEWATCH_{name}": str(path)
                for name, path in (("SIGNER", s.signer), ("POLICY", s.policy))
                if path is not None
            },
        }
    return told


async def command(environment: Mapping[str, str], *words: str, typed: str = "") -> Said:
    """`typed`: what a person types when it asks."""
    program = await asyncio.create_subprocess_exec(
        MINEWATCH,
        *words,
        env=environment,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    text = (await program.communicate(typed.encode()))[0].decode()
    assert program.returncode is not None
    return Said(text, program.returncode)
