"""Signed receipts: what a service answered to whoever reported a fact. The fact's leaf has to be in the log."""

import base64
import binascii
from dataclasses import dataclass

from shared.transparency.note import LOG, Key, Note, NoteRefused
from shared.verifier.doubts import doubt, refused
from shared.verifier.log import Checked
from shared.verifier.proofs import hash_of
from shared.verifier.report import Part
from shared.verifier.trust import Origin, origin_of

FORMAT = "minewatch-receipt/1"


@dataclass(frozen=True)
class Receipt:
    """`recorded`: as the last of its events writes it."""

    origin: Origin
    written_origin: str
    recorded: str
    leaves: tuple[bytes, ...]

    @staticmethod
    def read(written: bytes, keys: tuple[Key, ...]) -> "Receipt":
        """`written`: the note, or its base64 as the header has it; `keys`: those trusted. Raises Refused."""
        try:
            note = Note.read(_plain(written))
        except NoteRefused as error:
            raise refused("receipt_form", why=error) from None
        lines = note.text.split("\n")
        if len(lines) < 5 or lines[0] != FORMAT or lines[-1]:
            raise refused("receipt_form", why=f"it does not begin with {FORMAT}, an origin, a time and a leaf")
        name = f"{lines[1]}/receipts"
        try:
            if not note.signed_by([key for key in keys if key.name == name and key.kind == LOG]):
                raise refused("receipt_key", name=name)
            leaves = tuple(map(hash_of, lines[3:-1]))
        except NoteRefused as error:
            raise refused("signature", why=error) from None
        return Receipt(origin_of(lines[1]), lines[1], lines[2], leaves)

    def against(self, part: Part, checked: Checked) -> None:
        """Adds to the part's doubts."""
        for leaf in self.leaves:
            found = checked.found.get(leaf)
            if found is None:
                part.doubts.add(doubt("receipt_leaf", leaf=leaf, size=part.events))
            elif found[1] > self.recorded or (len(self.leaves) == 1 and found[1] != self.recorded):
                part.doubts.add(doubt("receipt_time", found[0], said=self.recorded, there=found[1]))
            else:
                part.remarks.append(
                    (
                        f"回执上的事件在日志中，第 {found[0]} 号",
                        f"the event of the receipt is in the log, as event {found[0]}",
                    )
                )

    def is_of(self, origin: Origin) -> bool:
        """Of this log, in whichever lineage: what was promised before a restore holds after it."""
        return (self.origin.town, self.origin.service) == (origin.town, origin.service)


def _plain(written: bytes) -> bytes:
    try:
        return base64.b64decode(written.strip(), validate=True)
    except (binascii.Error, ValueError):
        return written
