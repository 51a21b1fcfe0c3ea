"""Tips and patrols that intake has marked as entered in error, or corrected. What came of them stands, and shows a flag."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Boolean, Column, MetaData, Table, Text
from sqlalchemy import bindparam as given
from sqlalchemy.dialects.postgresql import insert

from shared.contracts.envelope import Recorded
from shared.contracts.intake.patrol import PatrolCorrected, PatrolEnteredInError
from shared.contracts.intake.tip import TipCorrected, TipEnteredInError
from shared.read_model import ReadModel, Write

METADATA = MetaData()
FLAG = Table(
    "source_flag",
    METADATA,
    Column("ref", Text, primary_key=True),
    Column("withdrawn", Boolean, nullable=False, server_default="false"),
    Column("corrected", Boolean, nullable=False, server_default="false"),
)


def _raise(flag: str) -> Any:
    return (
        insert(FLAG)
        .values({"ref": given("ref"), flag: True})
        .on_conflict_do_update(index_elements=["ref"], set_={flag: True})
    )


WITHDRAWN, CORRECTED = _raise("withdrawn"), _raise("corrected")


def project(e: Recorded[Any]) -> Iterator[Write]:
    mistaken = isinstance(e.event, TipEnteredInError | PatrolEnteredInError)
    yield WITHDRAWN if mistaken else CORRECTED, {"ref": e.stream_id}


READ_MODEL = ReadModel(
    "source_flag",
    tables=(FLAG,),
    events=(TipEnteredInError, PatrolEnteredInError, TipCorrected, PatrolCorrected),
    project=project,
)
