"""What a service's log is called, and by which keys its signatures are known: for policies, witnesses, holders of receipts."""

from typing import Annotated

from fastapi import APIRouter, Depends
from pydantic import BaseModel

from shared.checkpoints import newest, origin_of
from shared.service import Service
from shared.signing import SignerAway
from shared.transparency.note import LOG, Key
from shared.web.door import Door, door


class LogCard(BaseModel):
    """`log_vkey` and `checkpoint` are None where nobody signs the log, or the signer does not answer just now.

    Keys that a log says of itself are worth as much as the log: who verifies takes them from somebody he trusts, once, and
    compares.
    """

    origin: str
    log_vkey: str | None
    receipt_vkey: str
    checkpoint: str | None


def log_card_routes(service: Service) -> APIRouter:
    router = APIRouter(prefix=f"/{service.name}")

    @router.get("/v1/log", tags=["log"])
    async def log_card(at: Annotated[Door, Depends(door)]) -> LogCard:
        """The log's name in its present lineage, the keys of its checkpoints and receipts, and the newest checkpoint."""
        async with at.reading() as tx:
            origin = await origin_of(tx, service.settings.jurisdiction, service.name)
            note = await newest(tx, origin)
        signer, vkey = service.log_signing.signer, None
        if signer is not None:
            try:
                vkey = str(Key(origin, LOG, await signer.public()))
            except SignerAway:
                vkey = None
        return LogCard(
            origin=origin,
            log_vkey=vkey,
            receipt_vkey=str(service.log_signing.receipts_of(origin).key),
            checkpoint=str(note) if note is not None else None,
        )

    return router
