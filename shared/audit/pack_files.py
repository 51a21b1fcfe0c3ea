"""The files that events name by SHA-256, as far as this service keeps them."""

from collections.abc import Iterable
from dataclasses import dataclass

from shared.contracts.event import Event
from shared.errors import NotFound
from shared.files import Files, names_in
from shared.sql import Tx


@dataclass(frozen=True)
class KeptFile:
    """`content`: plain, or as it is stored when its key is gone."""

    sha256: str
    content: bytes
    opened: bool

    @property
    def name(self) -> str:
        return self.sha256 if self.opened else f"{self.sha256}.sealed"


async def files_of(files: Files, tx: Tx, events: Iterable[Event]) -> list[KeptFile]:
    """By SHA-256. What names a file that is not kept here, as a plan's, is passed over."""
    named = sorted(set().union(*(names_in(event.model_dump(mode="json", exclude_none=True)) for event in events)))
    found = [await _kept(files, tx, sha256) for sha256 in named]
    return [each for each in found if each is not None]


async def _kept(files: Files, tx: Tx, sha256: str) -> KeptFile | None:
    try:
        return KeptFile(sha256, (await files.get(tx, sha256))[1], opened=True)
    except NotFound:
        stored = await files.stored(tx, sha256)
        return KeptFile(sha256, stored, opened=False) if stored is not None else None
