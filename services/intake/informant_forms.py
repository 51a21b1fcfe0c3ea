"""What the pages about informants share: who comes in, and which field a refusal speaks of."""

from collections.abc import Mapping
from typing import Annotated

from fastapi import Depends

from services.intake.informant_desk import READ, not_of_a_village
from shared.decider import Actor
from shared.errors import NotPermitted
from shared.web.door import Call, form_call, page_reader

DESK = "/intake/informants"
FIELD_OF = {
    "GroundsNeeded": "grounds",
    "NotFound": "tip",
    "TipIsAnonymous": "tip",
    "InformantErased": "tip",
    "RecordHasNoWords": "record",
}
"""Name of the error -> the field to look at; any other speaks of the whole form."""


async def desk_reader(who: Annotated[Actor, Depends(page_reader(*READ))]) -> Actor:
    not_of_a_village(who)
    return who


async def any_form(call: Annotated[Call, Depends(form_call(*READ))]) -> Call:
    not_of_a_village(call.who)
    return call


Reader = Annotated[Actor, Depends(desk_reader)]
Form = Annotated[Call, Depends(any_form)]


def only(call: Call, who_may: tuple[str, ...]) -> None:
    """Raises NotPermitted."""
    if call.who.post not in who_may:
        raise NotPermitted(call.who.post)


def field_of(rule: str, typed: Mapping[str, str]) -> str:
    """Grounds stand in the field `reason` where somebody decides."""
    field = FIELD_OF.get(rule, "main")
    return field if field in typed else "reason" if "reason" in typed else "main"
