"""What travels by HTTP about sites."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from services.cases.site import KeeperKind
from shared.contracts.event import Code, Id
from shared.contracts.parts import Place
from shared.web.sent import SentPlace, SentValue

Reason = Annotated[str, Field(max_length=1000)]


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SiteRegistration(_Body):
    """`key`: a point of emphasis, to be watched more closely."""

    category: Code
    village: Code
    name: Annotated[str, Field(max_length=100)]
    place: SentPlace | None = None
    key: bool = False


class Keeper(_Body):
    """kind: territorial (the village) | departmental (the supervising unit). `person`: who answers by name, when known."""

    kind: KeeperKind
    unit: Code
    person: Id | None = None


class SiteCorrection(_Body):
    """field: name (text) | category, village (code) | place | key (number, 0 or 1)."""

    field: Code
    value: SentValue
    reason: Reason | None = None


class SiteInError(_Body):
    reason: Reason | None = None


class SiteLine(BaseModel):
    """One site; `gaps`: the kinds of keeper it lacks."""

    site: str
    version: int
    site_no: int
    category: str
    village: str
    name: str | None
    place: Place | None
    key: bool
    in_error: bool
    territorial_unit: str | None
    territorial_person: str | None
    departmental_unit: str | None
    departmental_person: str | None
    gaps: list[KeeperKind]


class SitePage(SiteLine):
    """`open_hazard`: the hazard (bare id) that is open here. `people`: names by person id."""

    open_hazard: str | None
    people: dict[str, str]
