"""What signs for a service's log: its checkpointer, those who ask the witnesses of its policy, and its receipts."""

from collections.abc import Coroutine
from typing import Any

import asyncpg
import httpx

from shared.checkpointer import Checkpointer
from shared.checkpoints import origin_of
from shared.cosigning import Gatherer, load_policy
from shared.parts import Points
from shared.proving import NotInLog
from shared.receipts import Receipts, receipt_key
from shared.settings import Settings
from shared.signing import SignerAt
from shared.sql import Tx


class LogSigning:
    """`signer`: where it is asked, None where nobody signs."""

    def __init__(self, settings: Settings, pool: asyncpg.Pool, points: Points) -> None:
        self._settings, self._pool, self._points = settings, pool, points
        self._http: httpx.AsyncClient | None = None
        self._receipts: Receipts | None = None
        self.signer = SignerAt(settings.signer) if settings.signer is not None else None
        self.gatherers: list[Gatherer] = []
        self.checkpointer: Checkpointer | None = None
        if self.signer is not None:
            town = settings.jurisdiction
            self.checkpointer = Checkpointer(settings.service, town, pool, self.signer, points=points)

    def parts(self) -> list[tuple[str, Coroutine[Any, Any, None]]]:
        """What has to run. Raises PolicyFileError."""
        if self.checkpointer is None:
            return []
        if self._settings.policy is not None:
            policy = load_policy(self._settings.policy)
            self._http = httpx.AsyncClient()
            for name, url in policy.urls.items():
                witness, address = policy.witnesses[name], f"{url.rstrip('/')}/add-checkpoint"
                kept = self.checkpointer.kept.bell()
                self.gatherers.append(
                    Gatherer(
                        self._settings.service, self._pool, witness, address, self._http, kept, points=self._points
                    )
                )
        asking = [(f"witness {each.witness.name}", each.run()) for each in self.gatherers]
        return [("checkpoint", self.checkpointer.run()), *asking]

    async def receipts(self) -> Receipts | None:
        """Of the log under its present name; None where the log is shorter than its name says, as after half a restore."""
        if self._receipts is None:
            async with self._pool.acquire() as connection:
                try:
                    origin = await origin_of(Tx(connection), self._settings.jurisdiction, self._settings.service)
                except NotInLog:
                    return None
            self._receipts = self.receipts_of(origin)
        return self._receipts

    def receipts_of(self, origin: str) -> Receipts:
        return Receipts(origin, receipt_key(self._settings.secret, self._settings.service))

    @property
    def refused(self) -> str | None:
        """Why the log is not signed, None while it is."""
        return self.checkpointer.refused if self.checkpointer is not None else None

    async def close(self) -> None:
        if self._http is not None:
            await self._http.aclose()
