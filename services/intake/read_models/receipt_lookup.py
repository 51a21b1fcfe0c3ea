"""Which tip a receipt belongs to. Holds the digest of the code, never the code."""

from collections.abc import Iterator

from sqlalchemy import Column, Table, Text, bindparam, select
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.intake.tip import TipReceived
from shared.errors import NotFound
from shared.read_model import MetaData, ReadModel, Write
from shared.sql import Tx

LOOKUP = Table(
    "receipt_lookup",
    MetaData(),
    Column("digest", Text, primary_key=True),
    Column("tip", Text, nullable=False),
)

ADD = insert(LOOKUP)
TIP_OF = select(LOOKUP.c.tip).where(LOOKUP.c.digest == bindparam("digest"))


class ReceiptUnknown(NotFound):
    """没有这个回执号。请核对抄写的数字；如果刚刚提交，请过一分钟再试。
    There is no such receipt. Check the digits; if you have only just sent the tip, try again in a minute."""


def project(e: Recorded[TipReceived]) -> Iterator[Write]:
    yield ADD, {"digest": e.event.receipt_digest, "tip": e.stream_id.removeprefix("tip-")}


async def tip_of(tx: Tx, digest: str) -> str:
    """The tip's id. Raises ReceiptUnknown."""
    found = await tx.value(TIP_OF, {"digest": digest})
    if found is None:
        raise ReceiptUnknown()
    return str(found)


READ_MODEL = ReadModel("receipt_lookup", tables=(LOOKUP,), events=(TipReceived,), project=project)
