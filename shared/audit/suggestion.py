"""The policy file that goes with an export or a pack: the town's own word on whose signatures count, and said to be no more."""

import contextlib
from collections.abc import Iterable

from shared.settings import Settings
from shared.signing import SignerAt, SignerAway
from shared.transparency.note import LOG, Key

WARNING = """\
# 仅供参考，请勿用它核对本件：写它的人也能伪造它。 A suggestion, not to be verified with: who wrote it could forge it.
"""


async def suggested(logs: Iterable[tuple[str, Settings]]) -> str:
    """`logs`: origin and settings of each service. What the services keep to themselves, with the keys of the logs where that
    lacks them and the signer says them."""
    known = list(logs)
    kept = next((s.policy.read_text("utf-8") for _, s in known if s.policy is not None), "quorum none\n")
    lines = []
    for origin, settings in known:
        if settings.signer is not None and f"log {origin}+" not in kept:
            with contextlib.suppress(SignerAway):
                lines.append(f"log {Key(origin, LOG, await SignerAt(settings.signer).public())}\n")
    return WARNING + "".join(lines) + kept
