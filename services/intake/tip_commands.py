"""What can be asked of a tip; the rules are in tip.py."""

from typing import Literal

from shared.contracts.parts import Place, Value
from shared.decider import Command

Result = Literal["substantiated", "unsubstantiated", "insufficient", "out_of_area"]
CloseReason = Literal[
    "no_content", "unsubstantiated", "insufficient", "duplicate", "already_known", "withdrawn", "entered_in_error"
]
ForwardReason = Literal["out_of_area", "other_powers"]


class _TipCommand(Command):
    """`tip`: the tip's id, a uuid."""

    tip: str

    @property
    def stream_id(self) -> str:
        return f"tip-{self.tip}"


class ReceiveTip(_TipCommand):
    """`informant`: a random id for this tip alone; `receipt_digest`: see receipt.py."""

    channel: str
    anonymous: bool = True
    live: bool = False
    village: str | None = None
    place: Place | None = None
    informant: str
    words: str
    name: str | None = None
    contact: str | None = None
    receipt_digest: str


class SupplementTip(_TipCommand):
    """More words from whoever holds the receipt."""

    words: str


class MarkLive(_TipCommand):
    village: str | None = None


class ScreenTip(_TipCommand):
    outcome: Literal["to_verify", "no_content"]
    village: str | None = None
    summary: str | None = None


class VerifyTip(_TipCommand):
    result: Result
    village: str | None = None
    site: str | None = None
    place: Place | None = None
    category: str | None = None
    violation: str | None = None
    mineral: str | None = None
    modus: str | None = None
    pretext: str | None = None
    live: bool = False
    summary: str | None = None


class ForwardTip(_TipCommand):
    """`to`: an authority of the plan's list forward_to."""

    to: str
    reason: ForwardReason = "out_of_area"


class CloseTip(_TipCommand):
    reason: CloseReason
    note: str | None = None


class CorrectTip(_TipCommand):
    field: str
    value: Value
    reason: str


class EnterTipInError(_TipCommand):
    reason: str
