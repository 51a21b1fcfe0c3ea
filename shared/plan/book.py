"""Which plan is in force here: the one whose adoption this service has received, read from the file with that very hash."""

import asyncio
import hashlib
import time
from datetime import datetime
from pathlib import Path

from shared.decider import Actor
from shared.errors import NotReady
from shared.plan import in_force
from shared.plan.loader import PlanFileError, load_plan
from shared.plan.terms import PlanTerms, Terms
from shared.sql import Tx

FRESH = 1.0
"""Seconds of real time for which the answer "this plan is in force" is believed without asking again."""


class PlanBook:
    """The plan files of a folder, by the hash of their bytes. Files that nobody adopted are not looked into."""

    def __init__(self, folder: Path, fresh: float = FRESH) -> None:
        self.folder, self._fresh = folder, fresh
        self._by_hash: dict[str, PlanTerms] = {}
        self._known: tuple[float, PlanTerms | None] = (0.0, None)

    def apart(self) -> "PlanBook":
        """The same files, for a database in which another plan may be in force."""
        other = PlanBook(self.folder, self._fresh)
        other._by_hash = self._by_hash
        return other

    async def in_force(self, tx: Tx) -> PlanTerms | None:
        """None before any adoption arrived. Raises NotReady when the folder lacks the adopted file."""
        asked, terms = self._known
        if terms is not None and time.monotonic() - asked < self._fresh:
            return terms
        row = await in_force.current(tx)
        if row is None:
            return None
        terms = await self.with_hash(row["sha256"])
        self._known = (time.monotonic(), terms)
        return terms

    async def with_hash(self, sha256: str) -> PlanTerms:
        """Raises NotReady, naming the hash, when no file of the folder has it or the one that has it cannot be used."""
        if sha256 not in self._by_hash:
            self._by_hash[sha256] = await asyncio.to_thread(self._read, sha256)
        return self._by_hash[sha256]

    def _read(self, sha256: str) -> PlanTerms:
        for path in sorted(self.folder.glob("*.y*ml")):
            if hashlib.sha256(path.read_bytes()).hexdigest() == sha256:
                try:
                    loaded = load_plan(path)
                except PlanFileError as error:
                    raise NotReady(f"{path} was adopted and cannot be used: {error}") from error
                return PlanTerms(loaded.plan, loaded.version)
        raise NotReady(f"no plan file in {self.folder} has the adopted hash {sha256}")

    async def terms(self, tx: Tx, actor: Actor, now: datetime) -> tuple[Terms, str | None]:
        """What a decider sees, and the version that the envelope names."""
        plan = await self.in_force(tx)
        return Terms(now=now, actor=actor, plan=plan), plan.version if plan is not None else None
