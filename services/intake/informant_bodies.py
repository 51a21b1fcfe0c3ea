"""What travels by HTTP about informants' identities: opening and erasing them."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.intake.disclosure import DisclosureGround
from services.intake.informant import ErasureGround
from services.intake.tip_bodies import Step
from services.intake.wording import WordsGround
from shared.contracts.event import Id

Reason = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class DisclosureAsked(_Body):
    """`tip`: its id. ground: investigation | protection | court_order | reward; `grounds` in words."""

    tip: Id
    ground: DisclosureGround
    grounds: Reason


class ErasureAsked(_Body):
    """ground: informant_wish | retention_over | court_order; `grounds` in words."""

    ground: ErasureGround
    grounds: Reason


class WordsErasureAsked(_Body):
    """`record`: the id of a record of any service: hazard-…, tip-…. ground: names_informant | names_person | court_order."""

    record: Id
    ground: WordsGround
    grounds: Reason


class Why(_Body):
    reason: Reason


class Opened(BaseModel):
    """Shown this once, and stored nowhere."""

    name: str | None
    contact: str | None


class DisclosureLine(BaseModel):
    """state: requested | approved | refused | closed: the identity was erased | opened. `tries`: refused or failed openings."""

    model_config = ConfigDict(from_attributes=True)

    disclosure: str
    version: int
    tip: str
    state: str
    ground: str
    requested_at: datetime
    requested_by: str
    requested_as: str
    decided_at: datetime | None
    decided_by: str | None
    open_until: datetime | None
    opened_at: datetime | None
    opened_by: str | None
    tries: int


class DisclosurePage(DisclosureLine):
    """`grounds` and `reason` are None for the auditor, and once the informant was erased."""

    grounds: str | None
    reason: str | None
    steps: list[Step]


class ErasureLine(BaseModel):
    """erasure: requested | refused | approved | erased; `erasure_at` and `erasure_by` of that step."""

    model_config = ConfigDict(from_attributes=True)

    tip: str
    version: int
    state: str
    held: bool
    erasure: str
    erasure_ground: str | None
    erasure_at: datetime
    erasure_by: str | None


class RetentionDue(BaseModel):
    """A tip whose informant's data has outlived its term: `due_at` counts from `ended_at` by the plan's rule."""

    tip: str
    state: str
    anonymous: bool
    ended_at: datetime
    due_at: datetime


class RetentionList(BaseModel):
    """`rule`: the plan's term and its source; None when the plan gives none, and then nothing falls due."""

    rule: str | None
    items: list[RetentionDue]
    more: bool


class WordsLine(BaseModel):
    """state: requested | approved | refused | erased | closed, of the request made last. `keys_destroyed`: how many the record
    has lost by its last erasure, in all; 0: nothing was ever sealed under this id, which may be mistyped."""

    model_config = ConfigDict(from_attributes=True)

    record: str
    version: int
    state: str
    ground: str
    requested_at: datetime
    requested_by: str
    decided_at: datetime | None
    decided_by: str | None
    erased_at: datetime | None
    keys_destroyed: int | None


class WordsPage(WordsLine):
    """`grounds` and `reason` are None for the auditor, and once the words were erased. `copied_to`: hazards that hold a summary
    of this tip or patrol of their own; `copied_from`: the tips and patrols that this hazard's summaries were copied from."""

    grounds: str | None
    reason: str | None
    copied_to: list[str]
    copied_from: list[str]
    steps: list[Step]
