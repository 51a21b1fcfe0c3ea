"""What travels by HTTP about tips."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from services.intake.tip_commands import CloseReason, ForwardReason, Result
from shared.contracts.event import Code, Id
from shared.contracts.parts import Place
from shared.web.door import Accepted
from shared.web.sent import SentPlace, SentValue

Text = Annotated[str, Field(max_length=2000)]
Reason = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class TipKeyedIn(_Body):
    """A tip by telephone, letter or e-mail, keyed in. `occurred_at`: when it reached the office, None for now."""

    channel: Code
    words: Annotated[str, Field(max_length=4000)]
    anonymous: bool = True
    live: bool = False
    village: Code | None = None
    place: SentPlace | None = None
    name: Annotated[str, Field(max_length=100)] | None = None
    contact: Annotated[str, Field(max_length=200)] | None = None
    occurred_at: AwareDatetime | None = None


class Screening(_Body):
    outcome: Literal["to_verify", "no_content"]
    village: Code | None = None
    summary: Text | None = None


class Verification(_Body):
    result: Result
    village: Code | None = None
    site: Id | None = None
    place: SentPlace | None = None
    category: Code | None = None
    violation: Code | None = None
    mineral: Code | None = None
    modus: Code | None = None
    pretext: Code | None = None
    live: bool = False
    summary: Text | None = None


class Forward(_Body):
    to: Code
    reason: ForwardReason = "out_of_area"


class Closing(_Body):
    reason: CloseReason
    note: Text | None = None


class Live(_Body):
    village: Code | None = None


class Correction(_Body):
    field: Code
    value: SentValue
    reason: Reason


class InError(_Body):
    reason: Reason


class AcceptedWithReceipt(Accepted):
    """`receipt`: to be read out or sent to whoever gave the tip; it cannot be found again."""

    receipt: str


class TipLine(BaseModel):
    """state: received | to_verify | substantiated | unsubstantiated | insufficient | out_of_area | forwarded | closed | void.

    `held`: nothing of the informant may be erased. erasure: requested | refused | approved | erased.
    """

    model_config = ConfigDict(from_attributes=True)

    tip: str
    version: int
    state: str
    channel: str
    anonymous: bool
    live: bool
    village: str | None
    place: Place | None
    received_at: datetime
    recorded_at: datetime
    verify_by: datetime | None
    supplements: int
    site: str | None
    category: str | None
    violation: str | None
    mineral: str | None
    modus: str | None
    pretext: str | None
    summary: str | None
    forwarded_to: str | None
    closed_reason: str | None
    held: bool
    erasure: str | None


class Spoken(BaseModel):
    occurred_at: datetime
    words: str | None


class Step(BaseModel):
    """One event of the record: what, when it happened and was recorded, by whom; `facts` without anything sealed."""

    version: int
    type: str
    occurred_at: datetime
    recorded_at: datetime
    actor: str
    in_role: str
    on_behalf_of: str | None
    facts: dict[str, Any]


class TipPage(TipLine):
    """`words`: None for a post that does not screen."""

    words: list[Spoken] | None
    steps: list[Step]
