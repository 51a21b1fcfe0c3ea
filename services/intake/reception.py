"""Taking a tip in, and answering whoever holds its receipt, the same way for forms, the public API and the desk."""

from dataclasses import replace
from datetime import datetime

from services.intake.read_models import receipt_status
from services.intake.read_models.receipt_lookup import ReceiptUnknown
from services.intake.read_models.receipt_status import Status
from services.intake.receipt import ReceiptMistyped, receipt_code, receipt_digest
from services.intake.tip_commands import ReceiveTip
from services.intake.tries import TooManyTries, WrongTries
from shared.app import Answer, Cause
from shared.contracts.parts import Place
from shared.ids import derived, fresh
from shared.plan.terms import PlanTerms
from shared.web.door import Door

CODE, DIGEST = "receipt", "receipt-digest"
"""Names of the two secrets; see receipt.py."""

WRONG = WrongTries()


async def receive(
    door: Door,
    cause: Cause,
    *,
    channel: str,
    words: str,
    anonymous: bool,
    live: bool = False,
    village: str | None = None,
    place: Place | None = None,
    name: str | None = None,
    contact: str | None = None,
    occurred_at: datetime | None = None,
) -> tuple[Answer, str]:
    """The answer and the receipt code, which is the same when the same request comes again. Raises what App.handle raises."""
    code = receipt_code(door.secret(CODE), cause.command_id)
    command = ReceiveTip(
        tip=str(derived(cause.command_id, "tip")),
        occurred_at=occurred_at,
        channel=channel,
        anonymous=anonymous,
        live=live,
        village=village or None,
        place=place,
        informant=str(fresh()),
        words=words,
        name=name or None,
        contact=contact or None,
        receipt_digest=receipt_digest(door.secret(DIGEST), code),
    )
    return await door.app.handle(command, cause), code


async def status_of(door: Door, typed: str, address: str) -> Status:
    """How far the tip of a typed receipt is; `address` is the caller's, counted when the receipt is wrong.

    Raises TooManyTries, ReceiptMistyped, ReceiptUnknown.
    """
    if seconds := WRONG.wait(address):
        raise TooManyTries(seconds)
    try:
        digest = receipt_digest(door.secret(DIGEST), typed)
        async with door.reading() as tx:
            return _named(await receipt_status.by_digest(tx, digest), await door.terms(tx))
    except (ReceiptMistyped, ReceiptUnknown):
        WRONG.note(address)
        raise


def _named(status: Status, plan: PlanTerms | None) -> Status:
    """The words with the name of the authority that a tip was passed to."""
    to = status.forwarded_to
    if to is None:
        return status
    zh, en = (to, to) if plan is None else (plan.name("forward_to", to), plan.name("forward_to", to, "en"))
    return replace(status, zh=status.zh.replace("{to}", zh), en=status.en.replace("{to}", en))
